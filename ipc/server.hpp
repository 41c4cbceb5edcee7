#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "ipc/accounts.hpp"
#include "ipc/socket_file.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// One of the server's Unix sockets, as it stands.
struct SocketStatus {
  std::string path;
  bool handed_over = false;  ///< by a service manager, whose concern the file is
  SocketFile::Condition condition = SocketFile::Condition::ours;
  std::uint64_t renewed = 0;  ///< times that its file was removed, and made anew
};

/// `ours`, `removed` or `replaced`.
[[nodiscard]] std::string_view condition_name(SocketFile::Condition condition) noexcept;

/// What has become of a socket's file.
struct SocketNotice {
  enum class What : std::uint8_t {
    renewed,      ///< it was removed, and there is another now
    not_renewed,  ///< likewise, but no other can be made
    replaced,     ///< something else is in its place
    restored,     ///< it is there again
  };
  What what = What::renewed;
  std::string path;
  std::string error{};  ///< of not_renewed
};

/// The local side of the daemon: Unix sockets with all of docs/ipc.md, and the TCP listener with
/// what monitoring needs. Lives on one shard; subscribers are handed to the shard of their
/// connection.
class Server {
 public:
  /// What there is to serve.
  struct Extent {
    std::size_t connections = 0;
    std::size_t largest_message = 0;  ///< bytes; bounds the body of a request
  };

  /// Nothing is listened to yet. `directory` outlives the server.
  Server(boost::asio::any_io_executor executor, const config::Ipc& ipc,
         const config::Metrics& metrics, Extent extent, Directory& directory);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Begins to accept. Throws std::runtime_error that says which address cannot be had, and why:
  /// another daemon uses the socket, the directory is missing, there is no such group.
  ///
  /// `handed_over`: sockets that already listen at paths of the configuration, as a service manager
  /// makes them; they are closed at the end, and their files, modes and groups are that manager's
  /// concern.
  void listen(const std::vector<int>& handed_over = {});

  /// Is told when a socket's file is not there any more, or not ours; looked at each second.
  void on_notice(std::function<void(const SocketNotice&)> notice);

  /// From now on these limits hold; who has more than they allow keeps it. The size of a request is
  /// bounded by those that held when its client came.
  void configure(const config::Ipc& ipc, Extent extent);

  /// No new clients, and no new requests of those that are there. Removes the socket files.
  void stop();

  /// Before `listen`: see Accounts.
  void on_refusal(Accounts::Told told);
  /// What local apps have of the daemon, over all shards. Any thread.
  [[nodiscard]] const Accounts& accounts() const noexcept;

  /// File descriptors that the process may have, and those that local apps leave to upstreams.
  struct Descriptors {
    std::uint64_t limit = 0;
    std::uint64_t reserved = 0;
  };
  [[nodiscard]] Descriptors descriptors() const;

  [[nodiscard]] std::vector<SocketStatus> sockets() const;

  /// ADDRESS:PORT of the TCP listener, with the port that the kernel chose for 0; empty: there is
  /// none.
  [[nodiscard]] std::string metrics_address() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace wskeep::ipc
