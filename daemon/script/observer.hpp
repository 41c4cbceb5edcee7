#pragma once

#include <cstddef>
#include <string_view>

#include "config/session.hpp"
#include "daemon/script/variables.hpp"

namespace wskeep::script {

/// Looks on while a script runs. Values may be secret. `where` is the part of the script as errors
/// name it: `session.open[1]`.
class Observer {
 public:
  virtual void step_begun(std::string_view where, const config::ScriptStep& step) = 0;
  virtual void step_done(std::string_view where) = 0;

  /// A message is what a step waits for; `condition` counts from 0.
  virtual void condition_met(std::string_view where, std::size_t condition) = 0;

  virtual void variable_set(std::string_view where, std::string_view name,
                            std::string_view value) = 0;

  /// `text` is what `message` stands for now; it is about to be sent.
  virtual void said(std::string_view where, const config::ScriptMessage& message,
                    std::string_view text, const Variables& variables) = 0;

  virtual void beat_answered() = 0;

 protected:
  ~Observer() = default;
};

}  // namespace wskeep::script
