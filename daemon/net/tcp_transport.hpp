#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>

#include "daemon/net/transport.hpp"

namespace wskeep::net {

/// Bare TCP. Takes over a connected, non-blocking socket.
[[nodiscard]] std::unique_ptr<Transport> make_tcp_transport(
    const boost::asio::any_io_executor& executor, int descriptor);

}  // namespace wskeep::net
