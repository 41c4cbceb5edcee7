#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/problems.hpp"
#include "config/session.hpp"
#include "config/session_keys.hpp"

namespace wskeep::config {

/// One value under `session`, and where it stands.
struct Field {
  const Element& node;
  std::string path;
};

[[nodiscard]] bool has_key(const Element& map, std::string_view name);

/// The values that the parts of a session script are made of. What is wrong is added to the
/// problems, and a value that does no harm is returned.
class SessionFields {
 public:
  explicit SessionFields(Problems& problems) : problems_(problems) {}

  void complain(const Field& field, const std::string& message) const {
    problems_.add(field.node.place, field.path, message);
  }

  using Names = std::vector<std::string_view>;

  /// Calls `visit` with each of a map's keys that is among `allowed`, and its value.
  void map(const Field& field, const Names& allowed,
           const std::function<void(std::string_view, const Field&)>& visit) const;
  void map(const Field& field, SessionMap allowed,
           const std::function<void(std::string_view, const Field&)>& visit) const {
    map(field, session_key_names(allowed), visit);
  }

  /// Likewise for a map whose keys are the user's.
  void entries(const Field& field, const std::string& allowed,
               const std::function<void(const Element&, const Field&)>& visit) const;

  /// Calls `visit` with each item of a list.
  void list(const Field& field, const std::string& allowed,
            const std::function<void(const Field&)>& visit) const;

  /// The same, or with the value itself where it is none.
  void one_or_list(const Field& field, const std::function<void(const Field&)>& visit) const;

  [[nodiscard]] std::optional<std::string> text(const Field& field,
                                                const std::string& allowed) const;
  /// `or_else`: what else is allowed, `now, or `.
  [[nodiscard]] Milliseconds duration(const Field& field, Milliseconds least, Milliseconds most,
                                      std::string_view or_else = {}) const;
  [[nodiscard]] bool flag(const Field& field) const;
  /// The index of the name that it is.
  [[nodiscard]] std::size_t choice(const Field& field, const Names& names) const;
  [[nodiscard]] JsonPointer pointer(const Field& field) const;

  /// A key of a rule for messages; false: `name` is none of them.
  bool rule_key(std::string_view name, const Field& field, MessageRule& rule) const;
  [[nodiscard]] MessageRule rule(const Field& field) const;

  /// A template, whose variables are looked at when all are known. `each`: one more that is known
  /// here.
  [[nodiscard]] Template text_template(const Field& field, const std::string& each = "");
  [[nodiscard]] Template message_template(const Field& field, const std::string& each = "");

  /// Variables and what they are given; from the message that `rules` are for, where there are any.
  [[nodiscard]] std::vector<Assignment> assignments(const Field& field,
                                                    const std::vector<const MessageRule*>& rules);
  [[nodiscard]] Assignment::Source value_of_message(const Field& field,
                                                    const std::vector<const MessageRule*>& rules);

  /// Whether it can be the name of a variable that is given a value.
  [[nodiscard]] bool can_be_set(const Element& name, const std::string& path) const;

  /// The same, and it is known to all templates then.
  [[nodiscard]] bool declare(const Element& name, const std::string& path);

  /// Templates that are read between the two are worked out before there is a session: constants,
  /// what is remembered and what was prepared so far have values then.
  void begin_attempt() { attempt_.emplace(prepared_); }
  void end_attempt() { attempt_.reset(); }

  /// Within an attempt, one more that has a value for a while.
  void also_known(const std::string& name) { attempt_->push_back(name); }
  void not_known(const std::string& name) { std::erase(*attempt_, name); }

  /// The names of what is remembered, which attempts know.
  void know_remembered(const std::string& name) { remembered_.push_back(name); }

  /// What `prepare` sets.
  [[nodiscard]] const std::vector<std::string>& prepared() const noexcept { return prepared_; }

  [[nodiscard]] std::vector<Constant> constants(const Field& field, std::vector<Constant> known);

  /// What `check_templates` may see beside `declared` names.
  void know(const std::vector<Constant>& constants);

  void check_templates() const;

 private:
  struct Pending {
    Template text;
    Place place;
    std::string path;
    std::string each;
    std::optional<std::vector<std::string>> attempt;  ///< what was prepared so far
  };

  [[nodiscard]] Template read_template(const Field& field, Template::Kind kind,
                                       const std::string& each);
  void complain_within(Place begin, const std::string& path, const TemplateError& error) const;
  void require_some(const Field& field, const std::string& allowed) const;
  [[nodiscard]] std::string filled_text(const Field& field, const std::string& allowed) const;
  void read_json_rule(const Field& field, MessageRule& rule) const;
  void check_expression(const Field& field, MessageRule& rule) const;

  Problems& problems_;
  std::vector<Pending> pending_;
  std::vector<std::string> declared_;
  std::vector<std::string> constants_;
  std::vector<std::string> remembered_;
  std::vector<std::string> prepared_;
  std::optional<std::vector<std::string>> attempt_;  ///< what has a value in it
};

}  // namespace wskeep::config
