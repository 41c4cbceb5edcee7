#pragma once

#include <boost/asio/awaitable.hpp>

namespace wskeep::upstream {

/// Whether the coroutine that asks, or one that awaits it, has been cancelled. For those that are
/// not left by an exception then (this_coro::throw_if_cancelled).
[[nodiscard]] boost::asio::awaitable<bool> cancelled();

}  // namespace wskeep::upstream
