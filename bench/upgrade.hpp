#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// The opening handshake, as little of it as is correct between well-behaved peers.
namespace wskeep::bench {

std::string upgrade_request(std::string_view path, std::string_view subprotocol);

/// The 101 for a request's head; empty when it is no upgrade.
std::string upgrade_response(std::string_view request);

/// Whether the head is a 101 that accepts the key of `upgrade_request`, with this subprotocol.
bool upgrade_accepted(std::string_view response, std::string_view subprotocol);

/// The size of the head with its empty line; nothing while that is not there.
std::optional<std::size_t> head_size(std::string_view bytes);

}  // namespace wskeep::bench
