#include "config/session_needs.hpp"

#include <algorithm>
#include <string_view>

namespace wskeep::config {
namespace {

class Needs {
 public:
  Needs(SessionScript& script, const std::vector<std::string>& known, const Field& field,
        Problems& problems)
      : script_(script), known_(known), field_(field), problems_(problems) {}

  void of(const Template& text, std::string_view each = {}) {
    for (const std::string_view name : text.variables()) {
      const bool known =
          name == each || is_constant(name) || std::ranges::find(known_, name) != known_.end();
      if (!known && !is_remembered(name)) {
        problems_.add(field_.node.place, field_.path,
                      "needs '" + std::string(name) +
                          "', which is neither set in it nor under 'remember': no value is left "
                          "of an earlier session");
      } else if (!known &&
                 std::ranges::find(script_.resume_needs, name) == script_.resume_needs.end()) {
        script_.resume_needs.emplace_back(name);
      }
    }
  }

  void of(const std::vector<Assignment>& set) {
    for (const Assignment& one : set) {
      if (const auto* const text = std::get_if<Template>(&one.source)) {
        of(*text);
      }
      known_.push_back(one.variable);
    }
  }

  void of(const ScriptStep& step) {
    if (const auto* const send = std::get_if<SendStep>(&step)) {
      of(send->set);
      of(send->message.text, send->each);
    } else if (const auto* const wait = std::get_if<WaitStep>(&step)) {
      of(wait->set);
    } else if (const auto* const set = std::get_if<SetStep>(&step)) {
      of(set->set);
    }
  }

 private:
  [[nodiscard]] bool is_constant(std::string_view name) const {
    return std::ranges::find(script_.variables, name, &Constant::name) != script_.variables.end();
  }
  [[nodiscard]] bool is_remembered(std::string_view name) const {
    return std::ranges::find(script_.remember, name, &Remembered::variable) !=
           script_.remember.end();
  }

  SessionScript& script_;
  std::vector<std::string> known_;
  const Field& field_;
  Problems& problems_;
};

}  // namespace

void note_needs(SessionScript& script, const std::optional<Field>& resume,
                const std::optional<Field>& resume_url, const std::vector<std::string>& prepared,
                Problems& problems) {
  if (resume_url) {
    Needs(script, prepared, *resume_url, problems).of(script.resume_url);
  }
  if (!resume) {
    return;
  }
  Needs needs(script, prepared, *resume, problems);
  for (const ScriptStep& step : script.resume) {
    needs.of(step);
  }
  if (script.resume_needs.empty() && problems.empty()) {
    problems.add(resume->node.place, resume->path,
                 "names nothing of 'remember', so that it would be tried each time; what it "
                 "needs of an earlier session goes there");
  }
}

}  // namespace wskeep::config
