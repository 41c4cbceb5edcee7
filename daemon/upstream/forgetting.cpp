#include "daemon/upstream/forgetting.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace wskeep::upstream {
namespace {

/// Of 4xx, those that say nothing of what was asked for: credentials, time, haste.
constexpr std::array<unsigned, 6> of_something_else{401, 403, 407, 408, 425, 429};

bool holds(std::span<const config::CodeRange> ranges, unsigned code) noexcept {
  return std::ranges::any_of(ranges, [code](const config::CodeRange& range) {
    return range.first <= code && code <= range.last;
  });
}

bool names_remembered(const config::SessionScript& script, const config::Template& text) {
  return std::ranges::any_of(text.variables(), [&](std::string_view name) {
    return std::ranges::any_of(script.remember, [&](const config::Remembered& remembered) {
      return remembered.variable == name;
    });
  });
}

}  // namespace

bool refuses_remembered(const config::SessionScript& script, const config::Connection& connection,
                        const config::Template& url, unsigned status) {
  if (status == 0) return false;
  if (!script.forget_on_status.empty()) return holds(script.forget_on_status, status);
  if (status < 400 || status > 499 ||
      std::ranges::find(of_something_else, status) != of_something_else.end())
    return false;
  return names_remembered(script, url) ||
         std::ranges::any_of(connection.settings.headers, [&](const auto& header) {
           return names_remembered(script, header.second);
         });
}

bool refuses_remembered(const config::SessionScript& script, std::uint16_t close_code) noexcept {
  return close_code != 0 && holds(script.forget_on_close, close_code);
}

}  // namespace wskeep::upstream
