#include "daemon/net/readiness.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace wskeep::net {

namespace asio = boost::asio;

/// Shared with the pending handlers, which find the observer gone and leave.
struct Readiness::State {
  State(const asio::any_io_executor& executor, int number) : descriptor(executor, number) {}

  void readable() {
    read_asked = false;
    if (observer != nullptr) observer->on_readable();
  }
  void writable() {
    write_asked = false;
    if (observer != nullptr) observer->on_writable();
  }

  asio::posix::stream_descriptor descriptor;
  TransportObserver* observer = nullptr;
  bool read_asked = false;
  bool write_asked = false;
  bool closed = false;
};

namespace {

asio::posix::stream_descriptor::wait_type wait_type(Readiness::Direction direction) {
  return direction == Readiness::Direction::read ? asio::posix::stream_descriptor::wait_read
                                                 : asio::posix::stream_descriptor::wait_write;
}

}  // namespace

Readiness::Readiness(const asio::any_io_executor& executor, int descriptor)
    : state_(std::make_shared<State>(executor, descriptor)), number_(descriptor) {}

Readiness::~Readiness() {
  state_->observer = nullptr;
  state_->closed = true;
  boost::system::error_code ignored;
  state_->descriptor.close(ignored);
}

void Readiness::observe(TransportObserver* observer) noexcept {
  state_->observer = observer;
}

asio::posix::stream_descriptor& Readiness::waiting() noexcept {
  return state_->descriptor;
}

void Readiness::want_read(Direction direction) {
  if (std::exchange(state_->read_asked, true)) return;
  // An error of the wait is no reason to be silent: the read that follows tells what it is.
  state_->descriptor.async_wait(wait_type(direction), [state = state_](boost::system::error_code) {
    if (!state->closed) state->readable();
  });
}

void Readiness::want_write(Direction direction) {
  if (std::exchange(state_->write_asked, true)) return;
  state_->descriptor.async_wait(wait_type(direction), [state = state_](boost::system::error_code) {
    if (!state->closed) state->writable();
  });
}

void Readiness::post_readable() {
  if (std::exchange(state_->read_asked, true)) return;
  asio::post(state_->descriptor.get_executor(), [state = state_] {
    if (!state->closed) state->readable();
  });
}

asio::awaitable<bool> ready(asio::posix::stream_descriptor& descriptor,
                            Readiness::Direction direction) {
  co_await descriptor.async_wait(wait_type(direction), asio::as_tuple(asio::use_awaitable));
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() == asio::cancellation_type::none;
}

}  // namespace wskeep::net
