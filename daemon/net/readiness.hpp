#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>

#include "daemon/net/transport.hpp"

namespace wskeep::net {

/// Owns a non-blocking socket and tells an observer when it is ready. What every transport over a
/// descriptor has in common. Handlers that are still pending when it is destroyed touch nothing.
class Readiness {
 public:
  /// Takes the descriptor over; closes it at the end.
  Readiness(const boost::asio::any_io_executor& executor, int descriptor);
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  void observe(TransportObserver* observer) noexcept;

  /// What the socket must be ready for; TLS may have to write in order to read, and to read in
  /// order to write.
  enum class Direction : std::uint8_t { read, write };

  /// Each asks for one on_readable (on_writable), unless one is asked for already.
  void want_read(Direction direction);
  void want_write(Direction direction);

  /// One on_readable at once, from the executor: there is something that the socket does not know
  /// of.
  void post_readable();

  [[nodiscard]] int descriptor() const noexcept { return number_; }

  /// For those who wait with coroutines, as the TLS handshake does.
  [[nodiscard]] boost::asio::posix::stream_descriptor& waiting() noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
  int number_;
};

/// Waits until a socket is ready; false when cancelled.
[[nodiscard]] boost::asio::awaitable<bool> ready(boost::asio::posix::stream_descriptor& descriptor,
                                                 Readiness::Direction direction);

}  // namespace wskeep::net
