#include "cli/script_words.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <vector>

#include "cli/escape.hpp"
#include "cli/wrap.hpp"
#include "config/session_text.hpp"
#include "config/suggest.hpp"

namespace wskeep::cli {

namespace {

/// A script, and the connections that have it.
struct Shared {
  const config::SessionScript* script = nullptr;
  std::vector<std::string> names;
};

std::vector<Shared> scripts_of(const config::Config& config) {
  std::vector<Shared> all;
  for (const config::Connection& connection : config.connections) {
    const config::SessionScript* const script = connection.settings.session.get();
    if (script == nullptr) continue;
    auto same = std::ranges::find_if(all, [&](const Shared& shared) {
      return shared.script == script || *shared.script == *script;
    });
    if (same == all.end()) same = all.insert(same, Shared{script, {}});
    same->names.push_back(visible(connection.name));
  }
  return all;
}

std::string names_text(const std::vector<std::string>& names) {
  constexpr std::size_t most = 8;
  std::vector<std::string> shown(
      names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(most, names.size())));
  if (names.size() > most) shown.push_back(std::to_string(names.size() - most) + " more");
  const std::vector<std::string_view> views(shown.begin(), shown.end());
  return config::joined(views, "and");
}

/// The part in a column of its own, and the sentence wrapped beside it.
std::string rows(const std::vector<config::ScriptSentence>& sentences, const Canvas& canvas) {
  constexpr std::size_t margin = 2;
  constexpr std::size_t gap = 2;
  std::size_t label = 0;
  for (const auto& sentence : sentences) label = std::max(label, display_width(sentence.part));
  label = std::min<std::size_t>(label, 24);
  const std::size_t indent = margin + label + gap;
  const std::size_t room =
      std::max<std::size_t>(canvas.width > indent ? canvas.width - indent : 1, 20);
  std::string text;
  for (const auto& sentence : sentences) {
    const std::string part = visible(sentence.part);
    const std::size_t width = display_width(part);
    text += std::string(margin, ' ') + canvas.painted(part, Color::bold) +
            std::string(width < label ? label - width : 0, ' ') + std::string(gap, ' ');
    bool first = true;
    for (const std::string& line : wrap(visible(sentence.text), room)) {
      text += (first ? "" : std::string(indent, ' ')) + line + "\n";
      first = false;
    }
  }
  return text;
}

}  // namespace

std::string explain_scripts(const config::Config& config, const Canvas& canvas) {
  std::string text;
  for (const Shared& shared : scripts_of(config)) {
    text += "\n";
    for (const std::string& line : wrap(names_text(shared.names), canvas.width)) {
      text += canvas.painted(line, Color::cyan) + "\n";
    }
    text += rows(config::describe_script(*shared.script), canvas);
  }
  return text;
}

boost::json::object describe_scripts(const config::Config& config) {
  boost::json::object scripts;
  for (const config::Connection& connection : config.connections) {
    if (!connection.settings.session) continue;
    boost::json::array sentences;
    for (const auto& sentence : config::describe_script(*connection.settings.session)) {
      sentences.push_back({{"part", sentence.part}, {"text", sentence.text}});
    }
    scripts[connection.name] = std::move(sentences);
  }
  return scripts;
}

}  // namespace wskeep::cli
