#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "cli/commands.hpp"
#include "cli/facts.hpp"
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
