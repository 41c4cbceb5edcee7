#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/framing.hpp"
#include "cli/request.hpp"
#include "cli/tail_printer.hpp"
#include "ipc/client/message_stream.hpp"

namespace wskeep::cli {

namespace {

using std::chrono::milliseconds;
using websocket::Opcode;

class Tail {
 public:
  Tail(const Options& options, const TailCommand& command, const Console& console)
      : options_(options),
        command_(command),
        console_(console),
        printer_({.json = options.json,
                  .terminal = console.output_is_terminal(),
                  .timestamps = command.timestamps,
                  .colors = console.output_colors()}) {}

  ExitCode run();

 private:
  [[nodiscard]] std::string target() const;
  [[nodiscard]] std::string cursors() const;
  [[nodiscard]] std::string subject() const;
  /// Until the limit (true) or the daemon's end of it (false).
  bool follow(ipc::MessageStream& stream);
  void received(Opcode type, std::string_view data);
  void event(std::string_view text);
  void remark(const std::string& sentence);
  void flush();
  [[nodiscard]] bool done() const { return command_.limit > 0 && printed_ >= command_.limit; }
  /// One try after another. None if the limit was reached in between, else why the last one ended.
  std::optional<CommandError> attempt();
  void wait_before_retry(const CommandError& why);

  const Options& options_;
  const TailCommand& command_;
  const Console& console_;
  TailPrinter printer_;
  std::uint64_t printed_ = 0;
  struct Seen {
    std::string epoch;
    std::uint64_t sequence = 0;  ///< the last that is done with
  };
  std::map<std::string, Seen, std::less<>> seen_;  ///< by connection; "" where there is but one
  const std::string all_of_it_;                    ///< the name of what has none
  std::optional<CommandError> nonsense_;
  milliseconds retry_{0};
};

std::string Tail::cursors() const {
  std::string text;
  for (const auto& [name, seen] : seen_) {
    if (!text.empty()) text += ',';
    if (!name.empty()) text += name + '=';
    text += seen.epoch + ':' + std::to_string(seen.sequence);
  }
  return text;
}

std::string Tail::target() const {
  std::string target =
      command_.source == TailSource::events
          ? "/v1/events"
          : connection_path(command_.source == TailSource::all ? "*" : command_.name) + "/messages";
  target += "?gap=skip";
  if (!command_.contains.empty()) target += "&contains=" + percent_encode(command_.contains);
  for (const std::string& where : command_.where) target += "&json=" + percent_encode(where);
  if (!command_.opcode.empty()) target += "&opcode=" + command_.opcode;
  if (!seen_.empty()) return target + "&after=" + percent_encode(cursors());
  if (!command_.after.empty()) return target + "&after=" + percent_encode(command_.after);
  if (!command_.from.empty()) return target + "&from=" + command_.from;
  return target;
}

void Tail::remark(const std::string& sentence) {
  if (sentence.empty() || command_.events || !console_.error_is_terminal()) return;
  flush();
  console_.note("-- " + sentence);
}

void Tail::flush() {
  if (printer_.batch().empty()) return;
  console_.print(printer_.batch());
  printer_.clear();
}

void Tail::event(std::string_view text) {
  const std::optional<Event> event = parse_event(text);
  if (!event) return;
  if (command_.events) printer_.event(text);
  const std::string& of = command_.source == TailSource::all ? event->connection : all_of_it_;
  const std::string& name = command_.source == TailSource::connection ? command_.name : of;
  if (event->name == "hello") {
    Seen& seen = seen_[of];
    seen.epoch = event->epoch;
    if (event->next > 0) seen.sequence = event->next - 1;
    if (event->state != "ready" && !event->state.empty()) {
      remark(name + " is " + event->state + "; its messages follow when it is ready");
    }
    return;
  }
  if (event->name == "gap" && event->from > 0) seen_[of].sequence = event->to;
  if (event->name == "removed") seen_.erase(of);
  const std::string sentence = describe_event(*event, name);
  if (sentence.empty()) return;
  remark(event->name == "gap" && command_.source == TailSource::all ? name + ": " + sentence
                                                                    : sentence);
}

void Tail::received(Opcode type, std::string_view data) {
  if (done() || nonsense_) return;
  if (type == Opcode::text && is_event(data)) return event(data);
  const bool named = command_.source == TailSource::all;
  const std::optional<ReceivedMessage> message = parse_message(data, named);
  if (!message) {
    nonsense_.emplace(ExitCode::failed,
                      "the daemon sent a message without its number in front: are wskeep and "
                      "wskeepd of the same version?");
    return;
  }
  if (command_.source == TailSource::events) {
    printer_.happening(message->payload);
  } else {
    printer_.message(type, *message);
  }
  seen_[std::string(message->connection)].sequence = message->sequence;
  if (!message->goes_on()) ++printed_;
}

bool Tail::follow(ipc::MessageStream& stream) {
  const auto handler = [this](Opcode type, std::string_view data) { received(type, data); };
  while (!stream.ended()) {
    const auto turn = stream.turn(handler, std::nullopt, {console_.output(), 0});
    flush();
    if (nonsense_) throw CommandError(*nonsense_);
    if (done()) {
      stream.say_goodbye();
      return true;
    }
    if (turn.watched) throw OutputClosed();
    retry_ = milliseconds(0);
  }
  return false;
}

std::string Tail::subject() const {
  if (command_.source == TailSource::events) return "events";
  return command_.source == TailSource::all ? "all connections" : command_.name;
}

std::optional<CommandError> Tail::attempt() {
  try {
    auto stream = ipc::MessageStream::open(options_.socket, target(), options_.timeout);
    if (follow(stream)) return std::nullopt;
    const auto& close = *stream.ended();
    std::string why = close.reason.empty() ? std::string() : ", " + close.reason;
    return CommandError(ExitCode::disconnected, "the daemon ended the subscription to " +
                                                    subject() + " (close code " +
                                                    std::to_string(close.code) + why + ")");
  } catch (const ipc::Refusal& refusal) {
    const CommandError why = refused(refusal, command_.name);
    // 503 passes; a name or a cursor that the daemon does not know stays so.
    if (refusal.status() != 503) throw why;
    return why;
  } catch (const ipc::ClientError& error) {
    flush();
    if (error.fault() == ipc::Fault::protocol) throw;
    return CommandError(exit_code(error), error.what());
  }
}

void Tail::wait_before_retry(const CommandError& why) {
  constexpr milliseconds shortest{100};
  constexpr milliseconds longest{2'000};
  if (retry_ == milliseconds(0)) {
    console_.complain(std::string(why.what()) + "; waiting for it to come back");
  }
  retry_ = std::clamp(retry_ * 2, shortest, longest);
  std::this_thread::sleep_for(retry_);
}

ExitCode Tail::run() {
  for (;;) {
    const std::optional<CommandError> why = attempt();
    if (!why) return ExitCode::ok;
    if (!command_.reconnect) throw CommandError(*why);
    wait_before_retry(*why);
  }
}

}  // namespace

ExitCode run_tail(const Options& options, const TailCommand& command, const Console& console) {
  return Tail(options, command, console).run();
}

}  // namespace wskeep::cli
