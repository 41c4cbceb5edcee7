#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "ipc/api.hpp"
#include "ipc/client_slot.hpp"
#include "websocket/http.hpp"

namespace wskeep::ipc {

/// One local socket, until it is closed or becomes a subscriber's: requests, one after the other,
/// and their answers.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  /// What it may ask for. `monitoring` is that of the TCP listener.
  enum class Scope : std::uint8_t { everything, monitoring };

  HttpSession(boost::asio::posix::stream_descriptor descriptor, ClientSlot slot, Scope scope,
              const config::IpcLimits& limits, std::size_t largest_message, Directory& directory);

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
  boost::asio::awaitable<bool> send(std::string text);
  boost::asio::awaitable<void> let_finish();
  boost::asio::awaitable<Answer> answer();
  boost::asio::awaitable<Answer> answer_connection(const Route& route, const Target& target);
  boost::asio::awaitable<Answer> subscribe(Upstream& upstream, const Target& target);
  boost::asio::awaitable<Answer> post_message(Upstream& upstream);
  boost::asio::awaitable<Answer> control(Upstream& upstream, Upstream::Control what);
  boost::asio::awaitable<Answer> reload(const Target& target);
  [[nodiscard]] bool may_control() const;
  void set_deadline(std::chrono::milliseconds timeout);

  boost::asio::posix::stream_descriptor descriptor_;
  ClientSlot slot_;
  Scope scope_;
  std::optional<std::uint32_t> uid_;  ///< who connected; nullopt: not over a Unix socket
  config::IpcLimits limits_;
  std::size_t largest_message_;
  Directory& directory_;
  websocket::HttpReader reader_;
  std::vector<std::byte> received_;
  Answer refusal_;
  boost::asio::steady_timer deadline_;
  bool timed_out_ = false;
  bool stopped_ = false;
};

}  // namespace wskeep::ipc
