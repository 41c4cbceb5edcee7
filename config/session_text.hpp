#pragma once

#include <string>
#include <vector>

#include "config/session.hpp"

/// A session script in words. Templates are shown as they are written, never what they stand for.
namespace wskeep::config {

struct ScriptSentence {
  std::string part;  ///< as errors and timelines name it: `open[0]`, `heartbeat`
  std::string text;  ///< small letters in front and no full stop at the end

  friend bool operator==(const ScriptSentence&, const ScriptSentence&) = default;
};

/// All that the script does, in the order in which it is done.
[[nodiscard]] std::vector<ScriptSentence> describe_script(const SessionScript& script);

/// One of its steps: `wait up to 5s for a message with /event = subscribed`.
[[nodiscard]] std::string describe_step(const ScriptStep& step, const SessionScript& script);

/// Which messages are meant: `a message with /event = subscribed`.
[[nodiscard]] std::string describe_rule(const MessageRule& rule);

}  // namespace wskeep::config
