#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/event.hpp"
#include "ipc/json_text.hpp"
#include "ipc/line_stream.hpp"
#include "ipc/subscriber.hpp"
#include "tests/unit/ipc/fake_upstream.hpp"
#include "websocket/message_reader.hpp"

namespace wskeep::ipc {

/// All messages that were ever committed, so that each that arrives can be compared.
struct Sent {
  struct Message {
    websocket::Opcode opcode;
    std::string payload;
    ring::Part part = ring::Part::whole;
    bool broken_off = false;  ///< a part of a message that was never ended

    [[nodiscard]] bool begins() const {
      return part == ring::Part::whole || part == ring::Part::first;
    }
  };
  std::vector<Message> messages;          ///< message n at n - 1
  std::vector<ring::Sequence> firsts{1};  ///< all that `first` of the ring ever was, rising

  [[nodiscard]] ring::Sequence next() const { return messages.size() + 1; }
  [[nodiscard]] const Message& at(ring::Sequence sequence) const { return messages[sequence - 1]; }

  /// Nothing begins among from..to: only a reader that had what is before them can use them.
  /// `but_broken`: what was never ended does not count.
  [[nodiscard]] bool nothing_begins(ring::Sequence from, ring::Sequence to,
                                    bool but_broken = false) const {
    for (ring::Sequence each = from; each <= to; ++each) {
      if (at(each).begins() && !(but_broken && at(each).broken_off)) return false;
    }
    return true;
  }

  /// Whoever was lapped goes on with `sequence`: it was the oldest once, or the first that begins
  /// behind that.
  [[nodiscard]] bool is_beginning(ring::Sequence from, ring::Sequence sequence,
                                  bool but_broken) const {
    const auto behind = std::upper_bound(firsts.begin(), firsts.end(), sequence);
    if (behind == firsts.begin()) return false;
    return nothing_begins(std::max(*(behind - 1), from), sequence - 1, but_broken);
  }
};

/// A local app with an account of what it received and what it was told that it lost: each message
/// from its start on stands in it once, in order. It reads when it is told to; `problem` says what
/// did not add up.
class AccountingApp {
 public:
  enum class Kind : std::uint8_t { plain_close, plain_skip, v1, v1_close, lines, lines_close };

  /// Nothing is read before `begin`. `start`: what message is to come first.
  /// `in_streams`: messages come in parts.
  AccountingApp(const Sent& sent, Kind kind, bool in_streams)
      : sent_(sent), kind_(kind), in_streams_(in_streams) {}
  AccountingApp(const AccountingApp&) = delete;
  AccountingApp& operator=(const AccountingApp&) = delete;
  ~AccountingApp() { leave(); }

  /// Subscribes, as an HTTP session would have it.
  void begin(FakeUpstream& upstream, Subscription subscription, int send_buffer) {
    subscription.v1 = kind_ == Kind::v1 || kind_ == Kind::v1_close;
    const bool closes =
        kind_ == Kind::plain_close || kind_ == Kind::v1_close || kind_ == Kind::lines_close;
    subscription.gap = closes ? config::Gap::close : config::Gap::skip;
    follows_ = !is_lines() || subscription.follow;
    limit_ = subscription.limit;
    end_ = upstream.channel().ring().next();
    const auto start = find_start(upstream.channel().ring(), subscription);
    other_epoch_ = start->other_epoch;
    expected_ = start->lost_from != 0 ? start->lost_from : start->sequence;
    begun_at_ = expected_;
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0)
      std::abort();
    socket_ = pair[0];
    ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    if (is_lines()) {
      subscription.form = Form::ndjson;
      LineStream::start(upstream, pair[1], ClientSlot(), subscription, upstream.channel().batches(),
                        {});
    } else {
      Subscriber::start(upstream, pair[1], ClientSlot(), subscription, upstream.channel().batches(),
                        "", {});
    }
  }

  /// Ends it with whatever is in its socket; `expected` stays where a cursor would take it up.
  void leave() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  /// At most `most` bytes; false: there is nothing to read now.
  bool read(std::size_t most) {
    if (socket_ < 0) return false;
    std::vector<std::byte> buffer(most);
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count == 0) {
      if (!ended_ && problem.empty()) problem = "the connection ended without a word";
      leave();
    }
    if (count <= 0) return false;
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(count));
    if (is_lines()) {
      take_chunks({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    } else if (const auto result = frames_.read(bytes, *this); result.violation) {
      fail("a broken frame: " + std::string(result.violation->reason));
    }
    return problem.empty();
  }

  void send(websocket::Opcode opcode, std::string_view payload) {
    if (socket_ < 0 || is_lines()) return;
    std::vector<std::byte> frame;
    websocket::append_frame(frame, opcode, std::as_bytes(std::span(payload)),
                            websocket::MaskingKey{std::byte{7}, std::byte{2}, {}, std::byte{4}});
    [[maybe_unused]] const auto count =
        ::send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  [[nodiscard]] bool open() const { return socket_ >= 0; }
  [[nodiscard]] bool is_lines() const { return kind_ == Kind::lines || kind_ == Kind::lines_close; }
  [[nodiscard]] bool is_v1() const { return kind_ == Kind::v1 || kind_ == Kind::v1_close; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] ring::Sequence expected() const { return expected_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

  /// Everything that it was to get has been read: "" or what is missing.
  [[nodiscard]] std::string final_problem() const {
    if (!problem.empty()) return problem;
    if (expected_ != begun_at_ + received_ + lost_)
      return "received and lost are not all from its start";
    if (limit_ && received_ > *limit_) return "more than its limit";
    const bool by_limit = limit_ && received_ == *limit_;
    if (ended_) {
      if (closed_by_break_ || closed_by_gap_ || by_limit) return {};
      return !follows_ && expected_ >= end_ ? "" : "it was ended too early";
    }
    if (!follows_ || by_limit) return "its answer does not end";
    // What nobody can use any more is not given to those who came in the middle of it, nor to plain
    // readers.
    if (kind_ == Kind::plain_skip && in_streams_ &&
        sent_.is_beginning(expected_, sent_.next(), true))
      return {};  // what it lost shows with the next message only
    for (ring::Sequence rest = expected_; rest < sent_.next(); ++rest) {
      const bool passed = is_plain() ? sent_.at(rest).broken_off : joining();
      if (!passed || (joining() && sent_.at(rest).begins() && !is_plain()))
        return "stands at " + std::to_string(expected_);
    }
    return {};
  }

  std::string problem;

  void on_message(websocket::Opcode opcode, std::span<std::byte> payload) {
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (!is_v1()) return take_plain(opcode, text);
    if (text.starts_with('{')) return take_event(text);
    const std::size_t line = text.find('\n');
    if (line == std::string_view::npos) return fail("no line before the payload");
    const ring::Sequence sequence = number_of(text);
    if (!text.substr(0, line).ends_with(words_of(sequence).second)) return fail("another part");
    take(sequence, opcode, text.substr(line + 1));
  }

  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload) {
    if (opcode != websocket::Opcode::close) return;
    ended_ = true;
    closed_by_break_ = is_plain() && in_streams_;  // what it had of a message was not told apart
    const std::string text(reinterpret_cast<const char*>(payload.data()), payload.size());
    if (closed_by_break_) return;
    if (!text.starts_with("\x03\xF5lost ")) return fail("closed with " + text);
    closed_by_gap_ = true;
    if (is_v1()) return;  // the gap was told before
    if (text.find("unknown") != std::string::npos) {
      if (!other_epoch_ || received_ > 0) fail("nothing is unknown here");
      return;
    }
    const std::uint64_t count = number_of(std::string_view(text).substr(7));
    lose(expected_, expected_ + count - 1);
  }

 private:
  static std::uint64_t number_of(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  void fail(std::string what) {
    if (problem.empty())
      problem = std::move(what) + " (expected message " + std::to_string(expected_) + ")";
  }

  [[nodiscard]] bool is_plain() const { return !is_v1() && !is_lines(); }
  [[nodiscard]] bool joining() const { return received_ == 0 && lost_ == 0; }

  /// How a part is marked in lines, and in `wskeep.v1`.
  [[nodiscard]] std::pair<std::string, std::string_view> words_of(ring::Sequence sequence) const {
    if (sequence == 0 || sequence >= sent_.next()) return {};
    switch (sent_.at(sequence).part) {
      case ring::Part::first:
        return {"\"part\":\"first\",", " first"};
      case ring::Part::more:
        return {"\"part\":\"more\",", " more"};
      case ring::Part::last:
        return {"\"part\":\"last\",", " last"};
      default:
        return {};
    }
  }

  /// Who came in the middle of a message begins with the next one, and is told of nothing.
  void join(ring::Sequence sequence) {
    if (sequence <= expected_ || sequence >= sent_.next() || !joining()) return;
    if (sent_.at(sequence).begins() && sent_.nothing_begins(expected_, sequence - 1))
      begun_at_ = expected_ = sequence;
  }

  void take(ring::Sequence sequence, websocket::Opcode opcode, std::string_view payload) {
    if (ended_) return fail("a message behind the end");
    join(sequence);
    if (sequence != expected_) return fail("got message " + std::to_string(sequence));
    if (sequence >= sent_.next()) return fail("a message that was never sent");
    const Sent::Message& message = sent_.messages[sequence - 1];
    if (message.opcode != opcode || message.payload != payload) return fail("another payload");
    ++received_;
    ++expected_;
  }

  /// Has no number but what upstream wrote into it; what is left out is its loss.
  void take_plain(websocket::Opcode opcode, std::string_view payload) {
    const ring::Sequence sequence = number_of(payload);
    if (in_streams_) return take_parts(opcode, payload);
    if (kind_ == Kind::plain_skip && sequence > expected_) lose(expected_, sequence - 1);
    take(sequence, opcode, payload);
  }

  /// One message, of however many parts; what was never ended may be missing before it.
  void take_parts(websocket::Opcode opcode, std::string_view payload) {
    const ring::Sequence sequence = number_of(payload);
    while (expected_ < sequence && expected_ < sent_.next()) {
      const Sent::Message& passed = sent_.at(expected_);
      if (!passed.broken_off && (passed.begins() || !joining())) break;
      ++begun_at_;
      ++expected_;
    }
    if (kind_ == Kind::plain_skip && sequence > expected_) lose(expected_, sequence - 1);
    for (;;) {
      if (expected_ >= sent_.next()) return fail("more than was sent");
      const Sent::Message& part = sent_.at(expected_);
      if (!payload.starts_with(part.payload)) return fail("another payload");
      const bool ends = part.part == ring::Part::whole || part.part == ring::Part::last;
      take(expected_, opcode, part.payload);
      payload.remove_prefix(part.payload.size());
      if (ends) break;
    }
    if (!payload.empty()) fail("a longer payload");
  }

  void lose(ring::Sequence from, ring::Sequence to) {
    // Lapped while it waited for the first message to begin.
    if (joining() && from > expected_ && sent_.nothing_begins(expected_, from - 1))
      begun_at_ = expected_ = from;
    if (from != expected_) return fail("a gap that begins at " + std::to_string(from));
    if (to < from) return fail("an empty gap");
    // What is kept now is never lost, and what is told as lost was gone once.
    if (to >= sent_.next() || !sent_.is_beginning(from, to + 1, is_plain()))
      return fail("a gap up to " + std::to_string(to));
    lost_ += to - from + 1;
    expected_ = to + 1;
  }

  void take_event(std::string_view line) {
    const auto event = boost::json::parse(line).as_object();
    const auto number = [&](const char* key) { return event.at(key).to_number<std::uint64_t>(); };
    if (event.at("event") == "hello") {
      hello_next_ = number("next");
      if (!other_epoch_ && hello_next_ < expected_) fail("hello names an earlier message");
    } else if (event.at("event") == "gap") {
      if (number("from") == 0) {
        if (!other_epoch_ || received_ > 0) return fail("a gap of unknown size");
        if (number("to") + 1 != hello_next_) fail("a gap of unknown size up to nowhere");
      } else {
        lose(number("from"), number("to"));
      }
      closed_by_gap_ = kind_ == Kind::v1_close || kind_ == Kind::lines_close;
    }
  }

  void take_line(std::string_view line) {
    if (!line.starts_with("{\"seq\":")) return take_event(line);
    const ring::Sequence sequence = number_of(line.substr(7));
    if (sequence >= sent_.next()) return fail("a line that was never sent");
    const Sent::Message& message = sent_.messages[sequence - 1];
    const auto bytes = std::as_bytes(std::span(message.payload));
    const bool text = message.opcode == websocket::Opcode::text;
    std::vector<std::byte> data;
    if (text) {
      append_json_string(data, bytes);
    } else {
      data.push_back(std::byte{'"'});
      append_base64(data, bytes);
      data.push_back(std::byte{'"'});
    }
    const std::string_view shown(reinterpret_cast<const char*>(data.data()), data.size());
    const std::string expected = std::string(text ? "\"type\":\"text\"" : "\"type\":\"binary\"") +
                                 ",\"data\":" + std::string(shown) + "}";
    if (!line.ends_with(words_of(sequence).first + expected)) return fail("another line");
    take(sequence, message.opcode, message.payload);
  }

  /// The body's chunks (RFC 9112, 7.1), and the lines that they hold.
  void take_chunks(std::string_view bytes) {
    input_ += bytes;
    if (!head_read_) {
      const std::size_t end = input_.find("\r\n\r\n");
      if (end == std::string::npos) return;
      head_read_ = true;
      input_.erase(0, end + 4);
    }
    std::size_t at = 0;
    for (;;) {
      const std::size_t line = input_.find("\r\n", at);
      if (line == std::string::npos) break;
      std::size_t size = 0;
      const char* const stop = input_.data() + line;
      if (std::from_chars(input_.data() + at, stop, size, 16).ptr != stop) return fail("no chunk");
      if (input_.size() < line + 2 + size + 2) break;
      if (size == 0) ended_ = true;
      body_.append(input_, line + 2, size);
      at = line + 2 + size + 2;
    }
    input_.erase(0, at);
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = body_.find('\n', begin)) != std::string::npos; begin = end + 1)
      take_line_in_order(std::string_view(body_).substr(begin, end - begin));
    body_.erase(0, begin);
  }

  /// The end of the body is read with its last chunk, before the lines of it are.
  void take_line_in_order(std::string_view line) {
    const bool ended = std::exchange(ended_, false);
    take_line(line);
    ended_ = ended;
  }

  const Sent& sent_;
  Kind kind_;
  int socket_ = -1;
  bool follows_ = true;
  bool other_epoch_ = false;
  bool ended_ = false;
  bool closed_by_gap_ = false;
  bool closed_by_break_ = false;
  bool in_streams_ = false;
  std::optional<std::size_t> limit_;
  ring::Sequence end_ = 0;       ///< NDJSON that does not follow: it gets what is before this
  ring::Sequence expected_ = 0;  ///< what comes next
  ring::Sequence begun_at_ = 0;
  ring::Sequence hello_next_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t lost_ = 0;
  websocket::MessageReader frames_{{.role = websocket::Role::client, .max_message = 1U << 24U}};
  bool head_read_ = false;
  std::string input_;
  std::string body_;
};

}  // namespace wskeep::ipc
