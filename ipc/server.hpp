#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// The local side of the daemon: the Unix socket with all of docs/ipc.md, and the TCP listener with
/// what monitoring needs. Lives on one shard; subscribers are handed to the shard of their
/// connection.
class Server {
 public:
  /// Nothing is listened to yet. `largest_message` bounds the body of a request; `directory`
  /// outlives the server.
  Server(boost::asio::any_io_executor executor, const config::Ipc& ipc,
         const config::Metrics& metrics, std::size_t largest_message, Directory& directory);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Begins to accept. Throws std::runtime_error that says which address cannot be had, and why:
  /// another daemon uses the socket, the directory is missing, there is no such group.
  ///
  /// `handed_over`: a socket that already listens at `ipc.socket`, as a service manager makes it;
  /// it is closed at the end, and its file, mode and group are that manager's concern.
  void listen(std::optional<int> handed_over = std::nullopt);

  /// From now on these limits hold; for clients that are there, the number of clients alone.
  void configure(const config::IpcLimits& limits, std::size_t largest_message);

  /// No new clients, and no new requests of those that are there. Removes the socket file.
  void stop();

  /// Local sockets that are open, over all shards. Any thread.
  [[nodiscard]] std::uint32_t clients() const noexcept;

  /// ADDRESS:PORT of the TCP listener, with the port that the kernel chose for 0; empty: there is
  /// none.
  [[nodiscard]] std::string metrics_address() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace wskeep::ipc
