#include "config/document.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "config/characters.hpp"

namespace wskeep::config {
namespace {

constexpr const char* no_anchors =
    "anchors and aliases (& and *) are not allowed; what connections share goes under 'defaults'";
constexpr const char* no_tags =
    "tags (!) are not allowed; a string that begins with '!' needs quotes";
constexpr const char* one_document =
    "a second document begins here; a configuration is one document";

Place place_of(const YAML::Mark& mark) {
  return mark.is_null() ? Place{}
                        : Place{static_cast<std::size_t>(mark.line) + 1,
                                static_cast<std::size_t>(mark.column) + 1};
}

/// Ends the parser from inside one of its events.
struct TooDeep {
  Place place;
};

/// Builds the tree from the parser's events. yaml-cpp's own tree has lost which nodes were aliases.
class Builder : public YAML::EventHandler {
 public:
  explicit Builder(Problems& problems) : problems_(problems) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      problems_.add(place_of(mark), "", one_document);
    }
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override {
    problems_.add(place_of(mark), "", no_anchors);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    problems_.add(place_of(mark), "", no_anchors);
    add(node(Element::Kind::refused, mark));
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    add(node(Element::Kind::null, mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    Element scalar = node(Element::Kind::scalar, mark);
    scalar.value = value;
    scalar.quoted = tag == "!";
    refuse_tag(scalar, tag);
    add(std::move(scalar));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(node(Element::Kind::sequence, mark), tag);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(node(Element::Kind::map, mark), tag);
  }
  void OnMapEnd() override { end(); }

  [[nodiscard]] std::size_t documents() const noexcept { return documents_; }
  [[nodiscard]] Element take() { return std::move(root_); }

 private:
  static Element node(Element::Kind kind, const YAML::Mark& mark) {
    Element result;
    result.kind = kind;
    result.place = place_of(mark);
    return result;
  }

  // "?" and "!" are what the parser puts for plain and for quoted text without a tag.
  void refuse_tag(const Element& tagged, const std::string& tag) {
    if (tag != "?" && tag != "!" && !tag.empty()) {
      problems_.add(tagged.place, "", no_tags);
    }
  }

  void open(Element collection, const std::string& tag) {
    if (open_.size() == deepest) {
      throw TooDeep{collection.place};
    }
    refuse_tag(collection, tag);
    open_.push_back(std::move(collection));
  }

  void end() {
    Element ended = std::move(open_.back());
    open_.pop_back();
    add(std::move(ended));
  }

  void add(Element child) {
    if (open_.empty()) {
      root_ = std::move(child);
      return;
    }
    Element& parent = open_.back();
    const bool is_key =
        parent.kind == Element::Kind::map && parent.keys.size() == parent.items.size();
    // A value that is not there has the place of what follows it.
    if (child.kind == Element::Kind::null && parent.kind == Element::Kind::map && !is_key) {
      child.place = parent.keys.back().place;
    }
    (is_key ? parent.keys : parent.items).push_back(std::move(child));
  }

  Problems& problems_;
  std::size_t documents_ = 0;
  Element root_;
  std::vector<Element> open_;
};

Place place_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = static_cast<std::size_t>(std::ranges::count(before, '\n'));
  const std::size_t line_end = before.rfind('\n');
  return {lines + 1, line_end == std::string_view::npos ? offset + 1 : offset - line_end};
}

/// yaml-cpp guesses at other encodings and takes any byte; nothing but plain UTF-8 gets that far.
bool check_bytes(std::string_view yaml, Problems& problems) {
  if (yaml.size() > largest_file) {
    problems.add({}, "", "is larger than 1MiB");
    return false;
  }
  const std::size_t bad = first_not_text(yaml);
  if (bad < yaml.size()) {
    problems.add(place_at(yaml, bad), "", "is not text in UTF-8");
    return false;
  }
  return true;
}

/// Why the parser gave up, where it says so less clearly than it could.
std::string syntax_error(const YAML::Exception& error, std::string_view yaml) {
  // An alias of nothing is most often a plain *.example.com.
  if (error.msg.starts_with(YAML::ErrorMsg::UNKNOWN_ANCHOR)) {
    return no_anchors;
  }
  for (std::size_t line = 1; line < place_of(error.mark).line; ++line) {
    yaml.remove_prefix(std::min(yaml.find('\n'), yaml.size()));
    yaml.remove_prefix(std::min<std::size_t>(1, yaml.size()));
  }
  const std::string_view indentation = yaml.substr(0, yaml.find_first_not_of(" \t"));
  const bool tab = indentation.find('\t') != std::string_view::npos;
  return "is not YAML: " + (tab ? "a tab in the indentation; use spaces" : error.msg);
}

}  // namespace

std::optional<Element> parse_document(std::string_view yaml, Problems& problems) {
  if (!check_bytes(yaml, problems)) {
    return std::nullopt;
  }
  std::istringstream stream{std::string(yaml)};
  Builder builder(problems);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) {
      return Element{};
    }
    Element root = builder.take();
    parser.HandleNextDocument(builder);
    return builder.documents() > 1 ? std::nullopt : std::optional(std::move(root));
  } catch (const TooDeep& error) {
    problems.add(error.place, "", "is nested deeper than " + std::to_string(deepest) + " levels");
  } catch (const YAML::Exception& error) {
    problems.add(place_of(error.mark), "", syntax_error(error, yaml));
  }
  return std::nullopt;
}

void for_each_entry(const Element& map, const std::string& parent, Problems& problems,
                    const std::function<void(const Element& key, const Element& value)>& visit) {
  std::map<std::string_view, std::size_t> first_lines;
  for (std::size_t index = 0; index < map.items.size(); ++index) {
    const Element& key = map.keys[index];
    if (key.kind == Element::Kind::refused) {
      continue;
    }
    if (key.kind != Element::Kind::scalar) {
      problems.add(key.place, parent,
                   "a key must be text, not " + std::string(kind_text(key.kind)));
      continue;
    }
    const auto [first, is_new] = first_lines.emplace(key.value, key.place.line);
    if (key.value == "<<") {
      problems.add(key.place, joined_key(parent, key.value),
                   "merge keys are not allowed; what connections share goes under 'defaults'");
    } else if (!is_new) {
      problems.add(key.place, joined_key(parent, key.value),
                   "is given twice, first on line " + std::to_string(first->second));
    } else {
      visit(key, map.items[index]);
    }
  }
}

std::string_view kind_text(Element::Kind kind) {
  switch (kind) {
    case Element::Kind::map:
      return "a map";
    case Element::Kind::sequence:
      return "a list";
    case Element::Kind::scalar:
      return "text";
    case Element::Kind::null:
    case Element::Kind::refused:
      break;
  }
  return "empty";
}

}  // namespace wskeep::config
