#include "config/session_fields.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "config/place_within.hpp"
#include "config/quantity.hpp"
#include "config/source.hpp"
#include "config/suggest.hpp"
#include "config/template_function.hpp"
#include "config/value.hpp"

namespace wskeep::config {
namespace {

constexpr std::size_t most_items = 4096;

constexpr const char* name_rule = "a name is letters, digits and _, and no digit first";

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// The number of a group: digits without quotes.
std::optional<std::size_t> group_number(const Element& node) {
  std::size_t number = 0;
  const char* const end = node.value.data() + node.value.size();
  const auto [rest, error] = std::from_chars(node.value.data(), end, number);
  if (node.quoted || error != std::errc() || rest != end) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

bool has_key(const Element& map, std::string_view name) {
  return std::ranges::find(map.keys, name, &Element::value) != map.keys.end();
}

void SessionFields::map(const Field& field, const Names& names,
                        const std::function<void(std::string_view, const Field&)>& visit) const {
  entries(field, "map of " + joined(names, "and"), [&](const Element& key, const Field& value) {
    if (std::ranges::find(names, key.value) == names.end()) {
      problems_.add(
          key.place, value.path,
          "unknown key" + suggestion(key.value, names) + "; allowed: " + joined(names, "and"));
    } else {
      visit(key.value, value);
    }
  });
}

void SessionFields::entries(const Field& field, const std::string& allowed,
                            const std::function<void(const Element&, const Field&)>& visit) const {
  if (!require_kind(field.node, Element::Kind::map, field.path, allowed, problems_)) {
    return;
  }
  for_each_entry(field.node, field.path, problems_, [&](const Element& key, const Element& value) {
    const std::string path = joined_key(field.path, key.value);
    problems_.found(path, key.place);
    visit(key, Field{value, path});
  });
}

void SessionFields::list(const Field& field, const std::string& allowed,
                         const std::function<void(const Field&)>& visit) const {
  if (!require_kind(field.node, Element::Kind::sequence, field.path, allowed, problems_)) {
    return;
  }
  if (field.node.items.size() > most_items) {
    complain(field, "holds more than " + std::to_string(most_items));
    return;
  }
  for (std::size_t index = 0; index < field.node.items.size(); ++index) {
    visit(Field{field.node.items[index], field.path + "[" + std::to_string(index) + "]"});
  }
}

void SessionFields::one_or_list(const Field& field,
                                const std::function<void(const Field&)>& visit) const {
  if (field.node.kind == Element::Kind::sequence) {
    list(field, "list", visit);
  } else {
    visit(field);
  }
}

std::optional<std::string> SessionFields::text(const Field& field,
                                               const std::string& allowed) const {
  if (!require_kind(field.node, Element::Kind::scalar, field.path, allowed, problems_)) {
    return std::nullopt;
  }
  return field.node.value;
}

Milliseconds SessionFields::duration(const Field& field, Milliseconds least, Milliseconds most,
                                     std::string_view or_else) const {
  const std::string allowed =
      std::string(or_else) + "duration, " + format_duration(least) + " to " + format_duration(most);
  const std::optional<std::string> value = text(field, allowed);
  if (!value) {
    return least;
  }
  std::string wrong;
  try {
    const Milliseconds parsed = parse_duration(*value);
    if (parsed >= least && parsed <= most) {
      return parsed;
    }
    wrong = "is out of range";
  } catch (const QuantityError& error) {
    wrong = error.what();
  }
  complain(field, in_quotes(*value) + " " + wrong + "; allowed: " + allowed);
  return least;
}

bool SessionFields::flag(const Field& field) const {
  return choice(field, {"false", "true"}) == 1;
}

std::size_t SessionFields::choice(const Field& field, const Names& all) const {
  const std::optional<std::string> value = text(field, joined(all, "or"));
  const auto found = value ? std::ranges::find(all, *value) : all.end();
  if (found != all.end()) {
    return static_cast<std::size_t>(found - all.begin());
  }
  if (value) {
    complain(field, in_quotes(*value) + " is unknown" + suggestion(*value, all) +
                        "; allowed: " + joined(all, "or"));
  }
  return 0;
}

JsonPointer SessionFields::pointer(const Field& field) const {
  const std::optional<std::string> value = text(field, "JSON pointer, as in /data/0/id");
  try {
    return value ? JsonPointer(*value) : JsonPointer();
  } catch (const JsonPointerError& error) {
    complain(field, in_quotes(*value) + " " + error.what());
    return {};
  }
}

// -- rules

void SessionFields::read_json_rule(const Field& field, MessageRule& rule) const {
  if (field.node.kind == Element::Kind::map) {
    require_some(field, "map of JSON pointers to values");
  }
  entries(field, "map of JSON pointers to values", [&](const Element& key, const Field& value) {
    const JsonPointer place = pointer({key, value.path});
    std::vector<JsonScalar> values;
    require_some(value, "text, number, true, false or null, or a list of them");
    one_or_list(value, [&](const Field& one) {
      if (one.node.kind == Element::Kind::null) {
        values.push_back(JsonScalar::of("null", false));
      } else if (text(one, "text, number, true, false or null, or a list of them")) {
        values.push_back(JsonScalar::of(one.node.value, one.node.quoted));
      }
    });
    rule.json.emplace_back(place, std::move(values));
  });
}

/// Called again when it is known whether it is of bytes.
void SessionFields::check_expression(const Field& field, MessageRule& rule) const {
  const bool bytes = rule.opcode == MessageRule::Opcode::binary;
  const std::string error = regular_expression_error(rule.text, bytes);
  if (!error.empty()) {
    complain(field, in_quotes(rule.text) + " " + error);
    rule.text.clear();
  }
}

/// What is left empty would hold for every message, or for none.
void SessionFields::require_some(const Field& field, const std::string& allowed) const {
  const bool holds_some =
      field.node.kind == Element::Kind::sequence || field.node.kind == Element::Kind::map;
  if (holds_some && field.node.items.empty()) {
    complain(field, "is empty; allowed: " + allowed);
  }
}

std::string SessionFields::filled_text(const Field& field, const std::string& allowed) const {
  const std::optional<std::string> value = text(field, allowed);
  if (value && value->empty()) {
    complain(field, "is empty; allowed: " + allowed);
  }
  return value.value_or("");
}

bool SessionFields::rule_key(std::string_view name, const Field& field, MessageRule& rule) const {
  if (name == "json") {
    read_json_rule(field, rule);
  } else if (name == "exists" || name == "absent") {
    auto& pointers = name == "exists" ? rule.exists : rule.absent;
    require_some(field, "JSON pointer, or a list of them");
    one_or_list(field, [&](const Field& one) { pointers.push_back(pointer(one)); });
  } else if (name == "text") {
    rule.text = filled_text(field, "regular expression");
    check_expression(field, rule);
  } else if (name == "contains") {
    rule.contains = filled_text(field, "text");
  } else if (name == "opcode") {
    rule.opcode =
        static_cast<MessageRule::Opcode>(choice(field, session_choices(SessionMap::rule, name)));
    check_expression(field, rule);
  } else {
    return false;
  }
  return true;
}

MessageRule SessionFields::rule(const Field& field) const {
  MessageRule rule;
  bool given = false;
  map(field, SessionMap::rule,
      [&](std::string_view name, const Field& value) { given = rule_key(name, value, rule); });
  if (!given && field.node.kind == Element::Kind::map && field.node.items.empty()) {
    complain(field, "is empty; allowed: json, exists, absent, text, contains and opcode");
  }
  return rule;
}

// -- templates

void SessionFields::complain_within(Place begin, const std::string& path,
                                    const TemplateError& error) const {
  add_within(problems_, begin, path, error);
}

Template SessionFields::read_template(const Field& field, Template::Kind kind,
                                      const std::string& each) {
  try {
    Template parsed(field.node.value, kind);
    pending_.push_back({parsed, field.node.place, field.path, each, attempt_});
    return parsed;
  } catch (const TemplateError& error) {
    complain_within(field.node.place, field.path, error);
    return {};
  }
}

Template SessionFields::text_template(const Field& field, const std::string& each) {
  return text(field, "text") ? read_template(field, Template::Kind::text, each) : Template();
}

Template SessionFields::message_template(const Field& field, const std::string& each) {
  if (!text(field, "text")) {
    return {};
  }
  if (field.node.value.empty()) {
    complain(field, "is empty; allowed: text");
  }
  const std::size_t first = field.node.value.find_first_not_of(" \t\r\n");
  const char begin = first == std::string::npos ? '\0' : field.node.value[first];
  // A text such as `${frame}` is whatever the variable is.
  const bool json = begin == '{' || begin == '[';
  return read_template(field, json ? Template::Kind::json : Template::Kind::text, each);
}

void SessionFields::check_templates() const {
  for (const Pending& pending : pending_) {
    std::vector<std::string_view> here(constants_.begin(), constants_.end());
    const auto add = [&here](const std::vector<std::string>& names) {
      here.insert(here.end(), names.begin(), names.end());
    };
    if (pending.attempt) {
      add(remembered_);
      add(*pending.attempt);
    } else {
      add(declared_);
    }
    if (!pending.each.empty()) {
      here.push_back(pending.each);
    }
    std::ranges::sort(here);
    try {
      pending.text.check_variables(here);
      pending.text.check_sources();
    } catch (const TemplateError& error) {
      complain_within(pending.place, pending.path, error);
    }
  }
}

// -- variables

bool SessionFields::can_be_set(const Element& name, const std::string& path) const {
  std::string wrong;
  if (!is_variable_name(name.value)) {
    wrong = std::string("is no name of a variable: ") + name_rule;
  } else if (find_function(name.value) != nullptr) {
    wrong = "is the name of a function; give the variable another name";
  } else if (contains(constants_, name.value)) {
    wrong = "is one of the constants under 'variables'; give this one another name";
  }
  if (!wrong.empty()) {
    problems_.add(name.place, path, wrong);
  }
  return wrong.empty();
}

bool SessionFields::declare(const Element& name, const std::string& path) {
  if (!can_be_set(name, path)) {
    return false;
  }
  if (!contains(declared_, name.value)) {
    declared_.push_back(name.value);
  }
  return true;
}

Assignment::Source SessionFields::value_of_message(const Field& field,
                                                   const std::vector<const MessageRule*>& rules) {
  const std::string allowed = "JSON pointer, number of a group, or text";
  if (!text(field, allowed)) {
    return Template();
  }
  if (field.node.value.starts_with('/')) {
    return pointer(field);
  }
  const std::optional<std::size_t> group = group_number(field.node);
  if (!group) {
    return text_template(field);
  }
  std::size_t groups = 0;
  bool any = false;
  for (const MessageRule* const rule : rules) {
    if (!rule->text.empty()) {
      any = true;
      groups = std::max(groups, regular_expression_groups(rule->text).size());
    }
  }
  if (!any) {
    complain(field,
             "names a group, and there is no regular expression 'text' that has any; a "
             "number that is meant as such needs quotes");
  } else if (*group > groups) {
    complain(field, "names group " + std::to_string(*group) +
                        ", and the regular expression 'text' has " + std::to_string(groups));
  }
  return *group;
}

std::vector<Assignment> SessionFields::assignments(const Field& field,
                                                   const std::vector<const MessageRule*>& rules) {
  std::vector<Assignment> all;
  entries(field, "map of variables to values", [&](const Element& name, const Field& value) {
    if (!declare(name, value.path)) {
      return;
    }
    Assignment::Source source =
        rules.empty() ? Assignment::Source(text_template(value)) : value_of_message(value, rules);
    all.push_back({name.value, std::move(source)});
    if (attempt_) {
      attempt_->push_back(name.value);
      prepared_.push_back(name.value);
    }
  });
  return all;
}

std::vector<Constant> SessionFields::constants(const Field& field, std::vector<Constant> known) {
  const std::string allowed = "text, or a list of texts";
  entries(field, "map of names to texts or lists", [&](const Element& name, const Field& value) {
    if (!is_variable_name(name.value) || find_function(name.value) != nullptr) {
      problems_.add(name.place, value.path,
                    is_variable_name(name.value)
                        ? "is the name of a function; give the variable another name"
                        : std::string("is no name of a variable: ") + name_rule);
      return;
    }
    Constant constant{name.value, {}, value.node.kind == Element::Kind::sequence};
    if (constant.list && value.node.items.empty()) {
      complain(value, "is empty; allowed: " + allowed);
    }
    one_or_list(value, [&](const Field& one) {
      const std::optional<std::string> read = text(one, allowed);
      if (read && read->find("${") != std::string::npos) {
        complain(one,
                 "holds a place-holder, and a constant stands for itself; write it where the "
                 "value is used, or in a 'set' step");
      }
      constant.values.push_back(read.value_or(""));
    });
    std::erase_if(known, [&](const Constant& other) { return other.name == constant.name; });
    known.push_back(std::move(constant));
  });
  return known;
}

void SessionFields::know(const std::vector<Constant>& constants) {
  for (const Constant& constant : constants) {
    constants_.push_back(constant.name);
  }
}

}  // namespace wskeep::config
