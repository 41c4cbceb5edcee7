// What a session's script wants done: the parts of Session that do it.

#include <utility>

#include "daemon/upstream/session.hpp"

namespace wskeep::upstream {

using daemon::Error;
using script::Run;
using websocket::CloseCode;
using websocket::Opcode;

void Session::follow(ScriptDriver& script, std::function<void()> on_ready) {
  script_ = &script;
  on_ready_ = std::move(on_ready);
}

/// What is to be done of it waits until the read is over.
void Session::before_room() {
  if (observer_ != nullptr) observer_->received(channel_.ring());
  if (script_ != nullptr) script_->read_ring();
}

/// Also after a Close frame: what came before it may say why.
void Session::show_script() {
  if (ended_ || (closing_ && end_.closed_by != ClosedBy::upstream)) return;
  script_->read_ring();
  do_as_said();
  if (closing_) script_->closed_by_peer();
  if (open() && script_->next() < sleeps_until_) alarm_->wake();
}

void Session::do_as_said() {
  for (const Run::Action& action : script_->take()) {
    if (const auto* const message = std::get_if<Run::Send>(&action)) {
      if (open()) say(*message);
    } else if (const auto* const end = std::get_if<Run::End>(&action)) {
      end_as_said(*end);
    } else if (open()) {
      on_ready_();
    }
  }
  if (open()) flush();
}

void Session::say(const Run::Send& message) {
  if (!has_room()) {
    return close(CloseCode::going_away,
                 "upstream takes messages slower than session has them (send_buffer)",
                 Error::send_timeout);
  }
  sender_.append_message(message.binary ? Opcode::binary : Opcode::text,
                         std::as_bytes(std::span(message.text)), {}, 0);
}

void Session::end_as_said(const Run::End& said) {
  const Error error = script_error(said.why);
  if (open()) {
    // The sentence is ours to read; upstream is told no more than that it is over.
    close(CloseCode::going_away, "", error);
  } else if (said.why != Run::Why::refused) {
    return;
  }
  end_.failure = {error, said.text};
  end_.verdict = said.verdict;
  end_.verdict_rule = said.rule;
}

/// Says what the script says before a Close frame, and with which code it ends.
CloseCode Session::take_leave(CloseCode code) {
  if (script_ == nullptr || (code != CloseCode::normal && code != CloseCode::going_away))
    return code;
  if (const auto farewell = script_->farewell(); farewell && has_room()) say(*farewell);
  return script_->close_code() == 0 ? code : static_cast<CloseCode>(script_->close_code());
}

}  // namespace wskeep::upstream
