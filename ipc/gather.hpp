#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// Asks every connection on its own shard, a few in one go. The answers are in the order of
/// `Directory::all`.
[[nodiscard]] boost::asio::awaitable<std::vector<std::string>> gather(
    Directory& directory, std::function<std::string(Upstream&)> question);

}  // namespace wskeep::ipc
