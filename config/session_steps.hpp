#pragma once

#include <optional>
#include <vector>

#include "config/session.hpp"
#include "config/session_fields.hpp"

namespace wskeep::config {

/// Reads the steps of `open` and `resume`.
class SessionSteps {
 public:
  /// Both outlive it. `constants` can still grow.
  SessionSteps(SessionFields& fields, const std::vector<Constant>& constants)
      : fields_(fields), constants_(constants) {}

  [[nodiscard]] std::vector<ScriptStep> steps(const Field& field);

  /// A rule for messages with a verdict.
  [[nodiscard]] RefusalRule refusal(const Field& field);

 private:
  [[nodiscard]] std::optional<ScriptStep> read_step(const Field& field);
  bool two_in_one(const Field& field);
  [[nodiscard]] SendStep read_send(const Field& field);
  void read_repeat(const Field& field, SendStep& step);
  [[nodiscard]] WaitStep read_wait(const Field& field);

  SessionFields& fields_;
  const std::vector<Constant>& constants_;
};

}  // namespace wskeep::config
