#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/fwd.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/access.hpp"
#include "websocket/frame.hpp"

namespace wskeep::ipc {

class Channel;
class DirectoryWatcher;
class EventStream;

/// Why a message was not sent.
struct Rejection {
  std::string_view error;  ///< a stable name
  std::string message;     ///< a sentence
};

/// Who is told what became of a message that was accepted.
class PublishObserver {
 public:
  virtual ~PublishObserver() = default;
  /// The kernel has taken all of it.
  virtual void on_written(std::uint64_t token) = 0;
  /// The session ended before; nobody knows how much of it arrived.
  virtual void on_unknown(std::uint64_t token, const Rejection& reason) = 0;
  /// It waits for the connection to be ready; `on_written`, `on_unknown` or `on_failed` follows.
  virtual void on_queued(std::uint64_t /*token*/) {}
  /// It waited, and nothing of it was or will be sent.
  virtual void on_failed(std::uint64_t token, const Rejection& reason) = 0;
};

/// A piece of a message that is sent as it comes.
struct MessagePart {
  websocket::Opcode opcode = websocket::Opcode::text;  ///< of the message
  bool first = false;
  bool last = false;
};

/// A connection, as the local side sees it. Implemented by the daemon; the local side knows nothing
/// else of it. `name` and `executor` may be called on any thread, all else on the executor's.
class Upstream {
 public:
  virtual ~Upstream() = default;

  [[nodiscard]] virtual const std::string& name() const noexcept = 0;
  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;

  [[nodiscard]] virtual Channel& channel() noexcept = 0;
  [[nodiscard]] virtual std::string_view state_name() const noexcept = 0;
  [[nodiscard]] virtual bool ready() const noexcept = 0;

  enum class Detail : std::uint8_t { summary, whole };
  [[nodiscard]] virtual boost::json::object describe(Detail detail) const = 0;
  [[nodiscard]] virtual boost::json::object describe_attempts() const = 0;

  /// Takes a message to be sent, whole, when `flush` is called. `payload` is masked while it is
  /// copied. The observer, when there is one, is told later what became of it, never from within
  /// this call but that it is queued. Token 0: it is told only when nothing was sent of what was
  /// queued.
  [[nodiscard]] virtual std::optional<Rejection> publish(websocket::Opcode opcode,
                                                         std::span<const std::byte> payload,
                                                         std::weak_ptr<PublishObserver> observer,
                                                         std::uint64_t token) = 0;
  virtual void flush() = 0;

  /// The same for a message that comes in parts. From the first to the last no other message is
  /// sent; what others publish waits. The publisher is told of the message as a whole, and also
  /// when the session ends in the middle of it; then, and when a part was rejected, the rest is not
  /// wanted any more.
  [[nodiscard]] virtual std::optional<Rejection> publish_part(
      MessagePart part, std::span<const std::byte> payload,
      const std::shared_ptr<PublishObserver>& publisher, std::uint64_t token) = 0;

  /// There will be no more parts of the message that it has begun, and so nothing more can be sent
  /// in this session: it is ended. Nothing happens when it has begun none.
  virtual void abandon_message(const PublishObserver& publisher) = 0;

  /// What a person can ask of it. Any of them may be asked at any time: pausing what is paused
  /// changes nothing.
  enum class Control : std::uint8_t {
    reconnect,  ///< end the session, if there is one, and get a new one at once
    pause,      ///< end the session and get none until `resume` or `reconnect`
    resume,
  };
  /// `uid`: who asks.
  virtual void control(Control what, std::uint32_t uid) = 0;

  /// False while so much waits to be sent that publishers are not to be read from, or the message
  /// of one of them is sent in parts.
  [[nodiscard]] virtual bool accepts_more() const noexcept = 0;

  /// The same for the publisher whose message that is.
  [[nodiscard]] virtual bool accepts_parts() const noexcept = 0;
};

/// What a client asks of a new configuration.
struct ReloadRequest {
  std::uint32_t uid = 0;              ///< who asks
  bool dry_run = false;               ///< only to know what it would do
  std::optional<std::string> text{};  ///< in a dry run: this, instead of what is in the file
};

/// JSON, as docs/ipc.md has it, with its HTTP status.
struct ReloadAnswer {
  unsigned status = 200;
  std::string body;
};

/// A text that may be long: it is made piece by piece, elsewhere, while what came before is sent.
/// Used on the server's executor.
class LongText {
 public:
  struct Piece {
    std::string text;
    bool last = false;
  };

  virtual ~LongText() = default;

  /// Makes the next piece; `done` is called once with it, on the server's executor. Not before the
  /// last call's `done`, nor behind the last piece.
  virtual void next(std::function<void(Piece)> done) = 0;

  /// Bytes that it holds until it is no more.
  [[nodiscard]] virtual std::size_t held() const noexcept = 0;
};

/// All connections, and what the daemon says of itself. Used on the server's executor alone.
class Directory {
 public:
  virtual ~Directory() = default;

  /// nullptr: there is none of that name. What is held is not destroyed, be it in the configuration
  /// any more or not.
  [[nodiscard]] virtual std::shared_ptr<Upstream> find(std::string_view name) = 0;
  [[nodiscard]] virtual std::vector<std::shared_ptr<Upstream>> all() = 0;

  /// What a client may do with the connection of that name, in it or not; with "", what it may do
  /// with all that do not say it themselves, and with the daemon.
  [[nodiscard]] virtual Rights rights(const Client& client, std::string_view name) = 0;

  /// What happens to all of them, and to the daemon. Lives as long as the directory.
  [[nodiscard]] virtual std::shared_ptr<EventStream> events() = 0;

  /// From now on, as long as it lives, it is told of what becomes of them.
  virtual void watch(std::weak_ptr<DirectoryWatcher> watcher) = 0;

  /// Reads the configuration anew; `done` is called once, on the server's executor.
  virtual void reload(ReloadRequest request, std::function<void(ReloadAnswer)> done) = 0;

  /// JSON and Prometheus text, of what `viewer` has any right to; nullopt: of everything. `done` is
  /// called on the caller's executor.
  virtual void status(const std::optional<Client>& viewer,
                      std::function<void(std::string)> done) = 0;
  virtual void metrics(const std::optional<Client>& viewer,
                       std::function<void(std::shared_ptr<LongText>)> done) = 0;
};

}  // namespace wskeep::ipc
