#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/upstream/session.hpp"
#include "ipc/channel.hpp"
#include "ipc/plain_feed.hpp"
#include "ipc/reader.hpp"
#include "tests/unit/daemon/simulated_environment.hpp"
#include "websocket/close.hpp"
#include "websocket/frame_writer.hpp"
#include "websocket/message_reader.hpp"

/// What the tests of a session and its parts share: a server's mouth and ears, a local app, and an
/// open session between them.
namespace wskeep::upstream {

using simulated::Peer;
using websocket::Opcode;
using Texts = std::vector<std::string>;
using namespace std::chrono_literals;

inline std::span<const std::byte> as_payload(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline std::string as_text(std::span<const std::byte> payload) {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

/// A server's frame: not masked.
inline std::string frame(Opcode opcode, std::string_view payload, bool fin = true,
                         bool rsv1 = false) {
  std::vector<std::byte> bytes;
  websocket::append_frame(bytes, opcode, as_payload(payload), std::nullopt, rsv1, fin);
  return as_text(bytes);
}

inline std::string text_frame(std::string_view payload) {
  return frame(Opcode::text, payload);
}

/// `code` as it is, be it one that nobody may send.
inline std::string close_frame(unsigned code, std::string_view reason = "") {
  std::string payload{static_cast<char>(code >> 8U), static_cast<char>(code & 0xFFU)};
  return frame(Opcode::close, payload.append(reason));
}

/// What one side hears of the other, as words: "text:...", "binary:...", "ping:...", "pong:...",
/// "close:CODE REASON" and "close" for an empty one.
class Ears {
 public:
  explicit Ears(websocket::Role role,
                const std::optional<websocket::DeflateParameters>& compression = {})
      : frames_({.role = role, .max_message = 1U << 24U}, compression ? &inflater_ : nullptr) {}
  Ears(const Ears&) = delete;
  Ears& operator=(const Ears&) = delete;

  void hear(std::string bytes) {
    const auto result = frames_.read(std::as_writable_bytes(std::span(bytes)), *this);
    EXPECT_FALSE(result.violation) << result.violation->reason;
  }
  void on_message(Opcode opcode, std::span<std::byte> payload) {
    heard.push_back((opcode == Opcode::text ? "text:" : "binary:") + as_text(payload));
  }
  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    if (opcode != Opcode::close) {
      heard.push_back((opcode == Opcode::ping ? "ping:" : "pong:") + as_text(payload));
    } else if (payload.empty()) {
      heard.emplace_back("close");
    } else {
      const auto close = websocket::parse_close(payload).payload;
      heard.push_back("close:" + std::to_string(static_cast<int>(close.code)) + " " +
                      std::string(close.reason));
    }
  }
  [[nodiscard]] std::size_t count(std::string_view prefix) const {
    return static_cast<std::size_t>(std::count_if(
        heard.begin(), heard.end(), [&](const auto& one) { return one.starts_with(prefix); }));
  }
  [[nodiscard]] bool in_message() const { return frames_.in_message(); }

  Texts heard;

 private:
  websocket::Inflater inflater_{15, false};
  websocket::MessageReader frames_;
};

/// A local app with a socket of its own, which reads when it is told to.
class LocalApp {
 public:
  /// Attached to the channel without a protocol of its own: gets the frames as they are.
  LocalApp(simulated::Environment& environment, ipc::Channel& channel, int send_buffer) {
    const int theirs = connect(send_buffer);
    channel.attach(std::make_shared<PlainReader>(
        channel, ipc::Reader::Descriptor(environment.executor(), theirs)));
  }
  /// `attach` is given the daemon's end.
  explicit LocalApp(const std::function<void(int)>& attach) { attach(connect(0)); }
  LocalApp(const LocalApp&) = delete;
  LocalApp& operator=(const LocalApp&) = delete;
  ~LocalApp() { leave(); }

  /// False: there is nothing to read now.
  bool read(std::size_t most = std::size_t{1} << 20U) {
    std::string buffer(most, '\0');
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    buffer.resize(static_cast<std::size_t>(count));
    ears.hear(std::move(buffer));
    return true;
  }
  /// A text message of its own, to be published.
  void send(std::string_view text) {
    std::vector<std::byte> bytes;
    websocket::append_frame(bytes, Opcode::text, as_payload(text), websocket::MaskingKey{});
    ASSERT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  void leave() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }

  Ears ears{websocket::Role::client};

 private:
  class PlainReader final : public ipc::Reader {
   public:
    PlainReader(ipc::Channel& channel, Descriptor descriptor)
        : Reader(channel, std::move(descriptor), ipc::ClientSlot(),
                 std::make_unique<ipc::PlainFeed>(channel.ring(), channel.ring().next()),
                 config::Gap::skip) {}
    void close(std::uint16_t /*code*/, const std::string& /*reason*/) override { finish(); }
    [[nodiscard]] std::string_view kind() const noexcept override { return "plain"; }

   private:
    void on_gap(ring::Sequence /*from*/, ring::Sequence /*to*/) override {}
  };

  int connect(int send_buffer) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    if (send_buffer > 0)
      ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    socket_ = pair[0];
    return pair[1];
  }

  int socket_ = -1;
};

/// Keeps what it is told of published messages: "written 1", "unknown 2 receive_timeout".
class Publisher final : public ipc::PublishObserver {
 public:
  void on_written(std::uint64_t token) override {
    told.push_back("written " + std::to_string(token));
  }
  void on_unknown(std::uint64_t token, const ipc::Rejection& reason) override {
    told.push_back("unknown " + std::to_string(token) + " " + std::string(reason.error));
  }
  void on_queued(std::uint64_t token) override {
    told.push_back("queued " + std::to_string(token));
  }
  void on_failed(std::uint64_t token, const ipc::Rejection& reason) override {
    told.push_back("failed " + std::to_string(token) + " " + std::string(reason.error));
  }
  Texts told;
};

/// The whole messages in the ring, oldest first.
inline Texts messages_in(const ring::Ring& ring) {
  Texts messages;
  for (auto sequence = ring.first(); sequence < ring.next(); ++sequence)
    messages.push_back(as_text(ring.payload(ring.entry(sequence))));
  return messages;
}

/// Patience is real time: none, or more than a test takes.
inline ipc::Channel::Options channel_options(std::chrono::milliseconds patience = 0ms,
                                             std::size_t max_message = 4096) {
  return {.shape = {.history = 1024, .max_message = max_message}, .patience = patience};
}

/// One open session. `begin` runs it; time goes on by `run_for`.
struct SessionWorld {
  explicit SessionWorld(ipc::Channel::Options options = channel_options(0ms, 1U << 20U))
      : channel(environment.executor(), options, 7) {
    environment.keep_log = false;
    settings.max_message = options.shape.max_message;
    channel.on_resume([this] {
      if (session) session->resume_reading();
    });
  }
  SessionWorld(const SessionWorld&) = delete;
  SessionWorld& operator=(const SessionWorld&) = delete;
  ~SessionWorld() {
    if (!session) return;
    session->close(websocket::CloseCode::normal, "", daemon::Error::stopped);
    environment.run_for(settings.timeouts.close);
    EXPECT_TRUE(end.has_value());
  }

  void begin(std::string_view early = "",
             std::optional<websocket::DeflateParameters> compression = std::nullopt) {
    pipe = std::make_shared<simulated::Pipe>(environment.executor());
    Opened opened;
    opened.transport = std::make_unique<simulated::Transport>(pipe);
    opened.compression = compression;
    const auto bytes = as_payload(early);
    opened.early_bytes.assign(bytes.begin(), bytes.end());
    ears.emplace(websocket::Role::server, compression);
    session.emplace(environment, settings, channel, statistics, std::move(opened));
    boost::asio::co_spawn(environment.executor(), session->run(),
                          [this](std::exception_ptr thrown, SessionEnd ended) {
                            if (thrown) std::rethrow_exception(thrown);
                            end = std::move(ended);
                            ended_at = environment.elapsed();
                          });
    settle();
  }
  /// All that can be done without time going on.
  void settle() { environment.run_for(0ms); }
  void run_for(std::chrono::milliseconds duration) { environment.run_for(duration); }

  void say(std::string_view bytes) {
    peer().send(bytes);
    settle();
  }
  /// What the server has been sent since the last time.
  Texts hear() {
    settle();
    ears->hear(peer().take());
    return std::exchange(ears->heard, {});
  }
  Peer peer() { return Peer(pipe); }

  std::string publish(std::string_view payload, std::uint64_t token = 0) {
    const auto rejection = session->publish(Opcode::text, as_payload(payload), publisher, token);
    return rejection ? std::string(rejection->error) : "";
  }
  [[nodiscard]] Texts messages() const { return messages_in(channel.ring()); }
  [[nodiscard]] daemon::Error error() const {
    return end ? end->failure.error : daemon::Error::none;
  }

  config::ConnectionSettings settings;
  Statistics statistics;
  std::shared_ptr<Publisher> publisher = std::make_shared<Publisher>();
  simulated::Environment environment;
  ipc::Channel channel;
  std::shared_ptr<simulated::Pipe> pipe;
  std::optional<Ears> ears;
  std::optional<Session> session;
  std::optional<SessionEnd> end;
  std::chrono::milliseconds ended_at{-1};
};

}  // namespace wskeep::upstream
