#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace wskeep::config {

/// What the kernel says of users and groups that it cannot name (of another user namespace, for
/// one). It is nobody, and nobody has rights by it.
inline constexpr std::uint32_t nobody = 65534;

/// Says in `what()` what is wrong with an entry, so that it can follow the entry in quotes.
class PrincipalError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `user:NAME`, `group:NAME`, `uid:N`, `gid:N`, `root`, `daemon` or `anyone`. Asks the system for
/// the number of a name, which may take a while. Throws PrincipalError.
[[nodiscard]] Principal parse_principal(std::string_view text);

/// What is wrong with the path of a Unix socket, and with the name of a group, after it in quotes;
/// empty: nothing.
[[nodiscard]] std::string socket_error(std::string_view path);
[[nodiscard]] std::string group_error(std::string_view name);

/// Whether there is anybody who is meant by a principal: a group may have no members.
[[nodiscard]] bool has_members(const Principal& principal);

/// Whether a user is in a group, as far as the system knows; true where it knows one of them not.
[[nodiscard]] bool is_member(std::uint32_t uid, const std::string& group);

}  // namespace wskeep::config
