#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "ipc/api.hpp"
#include "ipc/client_slot.hpp"
#include "ipc/client_view.hpp"
#include "ipc/line_stream.hpp"
#include "ipc/subscription.hpp"
#include "websocket/http.hpp"

namespace wskeep::ipc {

/// What bounds the clients of a server.
struct ServingLimits {
  config::IpcLimits ipc;
  std::size_t largest_message = 0;  ///< bytes of a message that a request may send
  std::string allow_origin{};       ///< whose pages may read; empty: nobody's
};

/// One local socket, until it is closed or becomes a subscriber's: requests, one after the other,
/// and their answers.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  /// What it may ask for. `monitoring` is that of the TCP listener.
  enum class Scope : std::uint8_t { everything, monitoring };

  HttpSession(boost::asio::posix::stream_descriptor descriptor, ClientSlot slot, Scope scope,
              std::shared_ptr<const ServingLimits> limits, Directory& directory);

  /// Ends when the client or `stop` ends it, when it is handed to a shard as a subscriber, or at a
  /// time-out.
  [[nodiscard]] boost::asio::awaitable<void> run();

  /// Ends it at once.
  void stop();

 private:
  enum class ReadOutcome : std::uint8_t { request, refused, ended };

  boost::asio::awaitable<ReadOutcome> read_request();
  /// False: the client has gone, or the time is up.
  boost::asio::awaitable<bool> receive(std::chrono::milliseconds timeout);
  boost::asio::awaitable<Answer> answer();
  boost::asio::awaitable<Answer> answer_connection(const Route& route, const Target& target);
  // http_send.cpp
  boost::asio::awaitable<bool> send(std::string text);
  boost::asio::awaitable<bool> send_rest(LongText& rest, bool chunked);
  boost::asio::awaitable<bool> write(std::string text);
  boost::asio::awaitable<Answer> metrics();
  boost::asio::awaitable<void> let_finish();
  // http_subscribe.cpp
  /// What is asked for, and the head of the answer to it.
  struct Wanted {
    Subscription subscription;
    std::string head;
    StreamAnswer stream;
  };
  [[nodiscard]] std::variant<Wanted, Answer> read_wanted(const Target& target, bool all) const;
  boost::asio::awaitable<Answer> subscribe(std::shared_ptr<Upstream> upstream, Wanted wanted,
                                           Rights rights);
  boost::asio::awaitable<Answer> subscribe_to_all(const Target& target);
  boost::asio::awaitable<Answer> subscribe_to_events(const Target& target);
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> origin_headers() const;
  boost::asio::awaitable<Answer> post_message(Upstream& upstream);
  boost::asio::awaitable<Answer> control(Upstream& upstream, Upstream::Control what);
  boost::asio::awaitable<Answer> reload(const Target& target);
  /// Whether what has come of the request, and what is to be answered, may be held for the client.
  [[nodiscard]] bool may_hold(std::size_t answer);
  void set_deadline(std::chrono::milliseconds timeout);

  boost::asio::posix::stream_descriptor descriptor_;
  ClientSlot slot_;
  Scope scope_;
  std::uint32_t uid_;  ///< who connected; without a meaning for monitoring
  std::shared_ptr<const ServingLimits> limits_;
  /// All that the client may know of. What outlives this session shares it.
  std::shared_ptr<ClientView> view_;
  Directory& directory_;  ///< the same
  websocket::HttpReader reader_;
  std::vector<std::byte> received_;
  Answer refusal_;
  boost::asio::steady_timer deadline_;
  bool timed_out_ = false;
  bool stopped_ = false;
};

}  // namespace wskeep::ipc
