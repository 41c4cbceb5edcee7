#include "daemon/net/handshake_limit.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wskeep::net {

namespace asio = boost::asio;

bool HandshakeLimit::has_place(daemon::TimePoint now) {
  while (!holders_.empty() && now - holders_.front().since >= longest) holders_.pop_front();
  return holders_.size() < limit_;
}

asio::awaitable<std::optional<HandshakeLimit::Place>> HandshakeLimit::enter() {
  const auto waiter = waiters_.emplace(waiters_.end(), executor_);
  bool cancelled = false;
  while (!cancelled && (waiter != waiters_.begin() || !has_place(daemon::Clock::now()))) {
    // Only the first looks at the clock; whoever leaves or goes in wakes it.
    waiter->expires_at(waiter == waiters_.begin() ? holders_.front().since + longest
                                                  : daemon::TimePoint::max());
    co_await waiter->async_wait(asio::as_tuple(asio::use_awaitable));
    const auto state = co_await asio::this_coro::cancellation_state;
    cancelled = state.cancelled() != asio::cancellation_type::none;
  }
  waiters_.erase(waiter);
  if (cancelled) {
    wake_first();
    co_return std::nullopt;
  }
  const std::uint64_t number = next_number_++;
  holders_.push_back({number, daemon::Clock::now()});
  wake_first();
  co_return std::optional<Place>(std::in_place, *this, number);
}

void HandshakeLimit::limit(std::size_t limit) noexcept {
  limit_ = limit;
  wake_first();
}

void HandshakeLimit::leave(std::uint64_t number) noexcept {
  holders_.remove_if([&](const Holder& holder) { return holder.number == number; });
  wake_first();
}

void HandshakeLimit::wake_first() noexcept {
  if (!waiters_.empty()) waiters_.front().cancel();
}

}  // namespace wskeep::net
