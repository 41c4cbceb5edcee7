#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/facts.hpp"
#include "cli/format.hpp"
#include "cli/json_access.hpp"
#include "cli/request.hpp"
#include "cli/show.hpp"

namespace wskeep::cli {

namespace {

std::string make_label(std::string_view key) {
  std::string label(key);
  std::ranges::replace(label, '_', ' ');
  return label;
}

/// What local apps have, and how much they may have.
void add_local(Facts& facts, const boost::json::object& local) {
  const auto* limits = object_of(local, "limits");
  if (limits == nullptr) return;
  const auto of = [&](std::string_view key, auto format) {
    return format(count_of(local, key).value_or(0)) + " of " +
           format(count_of(*limits, key).value_or(0));
  };
  const auto count = [](std::uint64_t number) { return std::to_string(number); };
  facts.group("local apps");
  for (const std::string_view key : {"clients", "subscriptions"}) {
    const std::string each = count(count_of(*limits, std::string(key) + "_per_user").value_or(0));
    facts.add(std::string(key), of(key, count) + ", " + each + " of a user");
  }
  facts.add("in flight", of("in_flight_bytes", [](std::uint64_t bytes) {
              return format_bytes(static_cast<double>(bytes));
            }));
  facts.add("descriptors", count(count_of(*limits, "descriptors").value_or(0)) + ", " +
                               count(count_of(*limits, "descriptors_reserved").value_or(0)) +
                               " for upstreams");
  if (const auto* refused = object_of(local, "refused")) {
    for (const auto& [limit, times] : *refused) {
      const std::string text = describe(times);
      if (text != "0")
        facts.add("refused", text + " by " + make_label(std::string_view(limit)), Color::yellow);
    }
  }
  if (const auto* sockets = array_of(local, "sockets")) {
    for (const boost::json::value& socket : *sockets) {
      const auto* fields = socket.if_object();
      if (fields == nullptr) continue;
      const std::string file(text_of(*fields, "file"));
      facts.add("socket",
                std::string(text_of(*fields, "path")) + (file == "ours" ? "" : ", file " + file),
                file == "ours" ? Color::none : Color::red);
    }
  }
}

}  // namespace

std::string render_status(std::string_view body, bool colors) {
  const boost::json::object fields = parse_object(body);
  Facts facts(colors);
  facts.group("wskeepd");
  for (const auto& [key, member] : fields) {
    if (!member.is_object()) facts.add(make_label(key), describe(member));
  }
  for (const auto& [key, member] : fields) {
    const auto* nested = member.if_object();
    if (nested == nullptr) continue;
    if (key == "local") {
      add_local(facts, *nested);
      continue;
    }
    facts.group(make_label(key));
    for (const auto& [name, inner] : *nested) {
      const std::string text = describe(inner);
      const Color color = text == "0" ? Color::dim : state_color(std::string_view(name));
      facts.add(std::string(name), text, key == "states" ? color : Color::none);
    }
  }
  return facts.text();
}

ExitCode run_status(const Options& options, const StatusCommand&, const Console& console) {
  const std::string body = fetch(options, "/v1/status", {});
  console.print(options.json ? body + "\n" : render_status(body, console.output_colors()));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
