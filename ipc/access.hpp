#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace wskeep::ipc {

/// Who connected, as the kernel knew it when connect(2) was called: the socket may be in other
/// hands by now.
struct Peer {
  std::uint32_t uid = 0;
  std::vector<std::uint32_t> groups{};  ///< own and further ones, ascending; those of no name are
                                        ///< left out
};

/// Nothing where the kernel says nothing: the socket is no Unix socket.
[[nodiscard]] std::optional<Peer> peer_of(int socket);

/// A local app, and by which socket it came.
struct Client {
  Peer peer;
  std::size_t socket = 0;  ///< 0: `ipc.socket`; else that of `ipc.sockets`, from 1 on
};

enum class Right : std::uint8_t { subscribe = 1, publish = 2, control = 4 };

[[nodiscard]] std::string_view right_name(Right right) noexcept;

class Rights {
 public:
  constexpr Rights() = default;
  [[nodiscard]] static constexpr Rights all() noexcept {
    Rights rights;
    rights.bits_ = 7;
    return rights;
  }
  constexpr void add(Right right) noexcept { bits_ |= static_cast<std::uint8_t>(right); }
  [[nodiscard]] constexpr bool has(Right right) const noexcept {
    return (bits_ & static_cast<std::uint8_t>(right)) != 0;
  }
  [[nodiscard]] constexpr bool none() const noexcept { return bits_ == 0; }

  friend bool operator==(const Rights&, const Rights&) = default;

 private:
  std::uint8_t bits_ = 0;
};

/// Whether a list names the peer. `own`: the uid of the daemon.
[[nodiscard]] bool names(const config::Principals& list, const Peer& peer, std::uint32_t own);

/// Who may do what, as one configuration has it. Copies are for whoever needs it on another shard.
class AccessRules {
 public:
  AccessRules(const config::Ipc& ipc, std::uint32_t own);

  /// What a client may do with a connection: what the connection's own lists say, where it has
  /// none those for all, and in any case no more than the socket that it came by allows.
  [[nodiscard]] Rights rights(const Client& client, const config::Access& connection) const;

  /// The same clients may do the same.
  friend bool operator==(const AccessRules&, const AccessRules&) = default;

 private:
  config::Access for_all_;               ///< each list is there
  std::vector<config::Access> sockets_;  ///< by Client::socket
  std::uint32_t own_;
};

}  // namespace wskeep::ipc
