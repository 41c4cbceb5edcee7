#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/format.hpp"
#include "cli/framing.hpp"
#include "cli/json_access.hpp"
#include "cli/line_splitter.hpp"
#include "cli/outstanding.hpp"
#include "cli/request.hpp"
#include "ipc/client/http_client.hpp"
#include "ipc/client/message_stream.hpp"
#include "websocket/utf8.hpp"

namespace wskeep::cli {

namespace {

using std::chrono::steady_clock;
using websocket::Opcode;

std::string format_lines(std::uint64_t count) {
  return format_count(count) + (count == 1 ? " line" : " lines");
}

constexpr const char* not_text =
    " is not UTF-8, as text messages must be (--binary sends any bytes)";

bool may_be_sent(std::string_view message, const SendCommand& command) {
  return command.binary || websocket::is_valid_utf8(std::as_bytes(std::span(message)));
}

/// Appends what standard input has; false at its end.
bool read_input(const Console& console, std::string& output) {
  constexpr std::size_t piece = 64U << 10U;
  const std::size_t size = output.size();
  output.resize(size + piece);
  ssize_t count = 0;
  do {
    count = ::read(console.input(), output.data() + size, piece);
  } while (count < 0 && errno == EINTR);
  const int error = errno;
  output.resize(size + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  if (count < 0 && error != EAGAIN) {
    throw CommandError(ExitCode::failed,
                       std::string("cannot read standard input: ") + std::strerror(error));
  }
  return count != 0;
}

ExitCode report_outcome(const std::string& name, const ipc::HttpResponse& response,
                        const Options& options, const Console& console) {
  if (options.json) console.print(response.body + "\n");
  if (response.status == 200) return ExitCode::ok;
  if (response.status == 202) {
    console.note("queued: it waits behind other messages of " + name);
    return ExitCode::ok;
  }
  const ipc::Refusal refusal(response.status, response.body);
  boost::system::error_code error;
  const boost::json::value body = boost::json::parse(response.body, error);
  const bool unknown =
      !error && body.is_object() && text_of(body.get_object(), "outcome") == "unknown";
  if (!unknown) throw refused(refusal, name);
  throw CommandError(ExitCode::failed, name +
                                           ": the session ended with the message under way: it "
                                           "may have been sent, or not (nothing is sent again "
                                           "by itself)");
}

ExitCode send_one(const Options& options, const SendCommand& command, std::string_view message,
                  const Console& console) {
  if (!may_be_sent(message, command)) {
    throw CommandError(ExitCode::failed, std::string("the message") + not_text);
  }
  const ipc::HttpClient client(options.socket, options.timeout);
  const std::string type =
      command.binary ? "application/octet-stream" : "text/plain; charset=utf-8";
  return report_outcome(command.name,
                        client.post(connection_path(command.name) + "/messages", type, message),
                        options, console);
}

/// Standard input, a message a line, many of them under way at once. The first that fails ends it,
/// so that what came through is the front part of the input.
class LineSender {
 public:
  LineSender(const Options& options, const SendCommand& command, const Console& console)
      : options_(options),
        command_(command),
        console_(console),
        stream_(open(options, command.name)),
        progress_(steady_clock::now()) {}

  ExitCode run();

 private:
  static constexpr std::uint64_t most_waiting = 4096;
  static constexpr std::size_t most_queued_bytes = 1U << 20U;

  static ipc::MessageStream open(const Options& options, const std::string& name);
  [[nodiscard]] bool has_room() const {
    return outstanding_.waiting() < most_waiting && stream_.queued_bytes() < most_queued_bytes;
  }
  [[nodiscard]] bool stopped() const {
    return bad_line_.has_value() || outstanding_.first_failure().has_value();
  }
  void queue_lines();
  void turn();
  void take(Opcode type, std::string_view data);
  [[nodiscard]] std::optional<ipc::Deadline> deadline() const;
  [[nodiscard]] std::string unconfirmed() const;
  ExitCode finish();

  const Options& options_;
  const SendCommand& command_;
  const Console& console_;
  ipc::MessageStream stream_;
  LineSplitter lines_;
  bool at_end_ = false;                    ///< of standard input
  std::optional<std::uint64_t> bad_line_;  ///< the one that cannot be sent as text
  Outstanding outstanding_;
  ipc::Deadline progress_;  ///< when the daemon last said something of our messages
};

ipc::MessageStream LineSender::open(const Options& options, const std::string& name) {
  try {
    return ipc::MessageStream::open(options.socket, connection_path(name) + "/messages?gap=skip",
                                    options.timeout);
  } catch (const ipc::Refusal& refusal) {
    throw refused(refusal, name);
  }
}

void LineSender::queue_lines() {
  const Opcode type = command_.binary ? Opcode::binary : Opcode::text;
  while (has_room()) {
    const auto line = lines_.next();
    if (!line) return;
    if (!may_be_sent(*line, command_)) {
      bad_line_ = outstanding_.queued() + 1;
      return;
    }
    if (outstanding_.waiting() == 0) progress_ = steady_clock::now();
    stream_.queue(type, outstanding_.next_id(), *line);
  }
}

std::optional<ipc::Deadline> LineSender::deadline() const {
  // Upstream may be slow for as long as the daemon's own send timeout, which is the one that
  // counts.
  constexpr std::chrono::minutes patience{1};
  if (outstanding_.waiting() == 0) return std::nullopt;
  return progress_ + std::max<ipc::Milliseconds>(options_.timeout, patience);
}

void LineSender::take(Opcode type, std::string_view data) {
  if (type != Opcode::text || !is_event(data)) return;
  const auto event = parse_event(data);
  if (!event) return;
  const std::uint64_t before = outstanding_.waiting();
  outstanding_.take(*event);
  if (outstanding_.waiting() != before) progress_ = steady_clock::now();
}

std::string LineSender::unconfirmed() const {
  return format_lines(outstanding_.sent()) + " went out, and of " +
         std::to_string(outstanding_.waiting()) + " more it is not known";
}

void LineSender::turn() {
  const bool wanted = has_room() && !lines_.done() && !stopped();
  const ipc::MessageStream::Watched input{wanted && !at_end_ ? console_.input() : -1, POLLIN};
  const auto handler = [this](Opcode type, std::string_view data) { take(type, data); };
  const auto result = stream_.turn(handler, deadline(), input);
  if (result.timed_out && deadline() && steady_clock::now() >= *deadline()) {
    throw CommandError(ExitCode::failed, "the daemon confirms nothing any more: " + unconfirmed());
  }
  if (result.watched) {
    std::string piece;
    at_end_ = !read_input(console_, piece);
    lines_.append(piece);
    if (at_end_) lines_.finish();
  }
  if (!stopped()) queue_lines();
}

ExitCode LineSender::run() {
  try {
    for (;;) {
      if (outstanding_.waiting() == 0 && (stopped() || lines_.done())) break;
      if (stream_.ended()) {
        const auto& close = *stream_.ended();
        throw CommandError(
            ExitCode::disconnected,
            "the daemon ended the connection (close code " + std::to_string(close.code) +
                (close.reason.empty() ? "" : ", " + close.reason) + "): " + unconfirmed());
      }
      turn();
    }
  } catch (const ipc::ClientError& error) {
    throw CommandError(exit_code(error), std::string(error.what()) + "; " + unconfirmed());
  }
  return finish();
}

ExitCode LineSender::finish() {
  stream_.say_goodbye();
  if (options_.json) {
    console_.print("{\"sent\":" + std::to_string(outstanding_.sent()) +
                   ",\"failed\":" + std::to_string(outstanding_.failed()) + "}\n");
  }
  const auto& failure = outstanding_.first_failure();
  const std::string rest = "; stopped there (of " + format_lines(outstanding_.queued()) +
                           " handed over, " + format_count(outstanding_.sent()) + " went out)";
  if (!failure && bad_line_) {
    throw CommandError(ExitCode::failed, "line " + std::to_string(*bad_line_) + not_text + rest);
  }
  if (!failure) return ExitCode::ok;
  const bool away = failure->error == "not_connected";
  throw CommandError(away ? ExitCode::disconnected : ExitCode::failed,
                     "line " + std::to_string(failure->number) + " was not sent: " +
                         (failure->message.empty() ? failure->error : failure->message) + rest);
}

}  // namespace

ExitCode run_send(const Options& options, const SendCommand& command, const Console& console) {
  if (command.text) return send_one(options, command, *command.text, console);
  if (!command.whole) return LineSender(options, command, console).run();
  std::string message;
  while (read_input(console, message)) continue;
  return send_one(options, command, message, console);
}

}  // namespace wskeep::cli
