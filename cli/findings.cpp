#include "cli/findings.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

#include "cli/capacity_text.hpp"
#include "cli/certificates.hpp"
#include "config/listen.hpp"
#include "config/warnings.hpp"

namespace wskeep::cli {

namespace {

Finding finding_of(const config::Warning& warning, const config::Places& places) {
  config::Problem placed = config::placed(warning, places);
  return {.file = std::move(placed.file),
          .line = placed.line,
          .column = placed.column,
          .key = std::move(placed.key),
          .message = std::move(placed.message)};
}

/// Loopback, or a network that is not reached from outside (RFC 1918, RFC 3927, RFC 4193, RFC
/// 4291).
bool is_private(std::string_view address) {
  constexpr std::array begins{"127.", "10.", "192.168.", "169.254.", "fc", "fd", "fe80:"};
  if (address == "::1") return true;
  if (std::ranges::any_of(begins, [&](std::string_view it) { return address.starts_with(it); }))
    return true;
  for (int second = 16; second < 32; ++second) {
    if (address.starts_with("172." + std::to_string(second) + ".")) return true;
  }
  return false;
}

void look_at_metrics(const config::Config& config, const config::Places& places,
                     std::vector<Finding>& findings) {
  if (config.metrics.listen.empty()) return;
  const std::string address = config::parse_listen(config.metrics.listen).address;
  if (is_private(address)) return;
  const bool all = address == "0.0.0.0" || address == "::";
  Finding finding = finding_of(
      {"", "metrics.listen",
       std::string(all ? "listens at every address of this machine" : "is a public address") +
           ": whoever reaches it reads the names and the state of all connections; a "
           "firewall, or 127.0.0.1, keeps others out"},
      places);
  finding.kind = Finding::Kind::note;
  findings.push_back(std::move(finding));
}

}  // namespace

std::vector<Finding> find_all(const config::Config& config, const config::Places& places,
                              const config::Capacity& capacity, const Machine& machine) {
  std::vector<Finding> findings;
  for (const config::Warning& warning : config::warnings(config, places))
    findings.push_back(finding_of(warning, places));
  for (const config::Warning& warning : config::socket_warnings(config, places))
    findings.push_back(finding_of(warning, places));
  for (const config::Warning& warning :
       certificate_warnings(config, std::chrono::system_clock::now()))
    findings.push_back(finding_of(warning, places));
  look_at_metrics(config, places, findings);
  std::ranges::stable_sort(findings, [](const Finding& left, const Finding& right) {
    return std::tie(left.file, left.line, left.column) <
           std::tie(right.file, right.line, right.column);
  });
  std::ranges::move(capacity_findings(capacity, machine), std::back_inserter(findings));
  return findings;
}

}  // namespace wskeep::cli
