// The parts of HttpSession that send its answers.

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "ipc/http_session.hpp"
#include "ipc/run_on.hpp"

namespace wskeep::ipc {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

/// What is still read behind a request that was refused.
constexpr std::chrono::milliseconds lingering{1'000};
constexpr std::size_t most_ignored = std::size_t{4} << 20U;

}  // namespace

/// A client that is still sending what was refused must not be cut off before it has read why.
asio::awaitable<void> HttpSession::let_finish() {
  ::shutdown(descriptor_.native_handle(), SHUT_WR);
  std::size_t ignored = 0;
  bool more = co_await receive(lingering);
  while (more && ignored < most_ignored) {
    ignored += received_.size();
    received_.clear();
    more = co_await receive(std::chrono::milliseconds(0));
  }
}

asio::awaitable<bool> HttpSession::send(std::string text) {
  set_deadline(limits_->ipc.request);
  bool sent = co_await write(std::move(text));
  co_return sent;
}

/// The deadline is that of the whole answer.
asio::awaitable<bool> HttpSession::send_rest(LongText& rest, bool chunked) {
  for (bool last = false; !last;) {
    if (timed_out_ || stopped_) co_return false;
    auto make = [&](auto done) { rest.next(done); };
    LongText::Piece piece = co_await run_on<LongText::Piece>(descriptor_.get_executor(), make);
    last = piece.last;
    std::string text = chunked ? chunk(piece.text) : std::move(piece.text);
    if (last && chunked) text += chunk({});
    const bool sent = co_await write(std::move(text));
    if (!sent) co_return false;
  }
  co_return true;
}

asio::awaitable<Answer> HttpSession::metrics() {
  auto ask = [&](auto done) { directory_.metrics({}, done); };
  std::shared_ptr<LongText> text =
      co_await run_on<std::shared_ptr<LongText>>(descriptor_.get_executor(), ask);
  auto make = [&](auto done) { text->next(done); };
  LongText::Piece first = co_await run_on<LongText::Piece>(descriptor_.get_executor(), make);
  Answer answer{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                .body = std::move(first.text)};
  if (!first.last) answer.rest = std::move(text);
  co_return answer;
}

asio::awaitable<bool> HttpSession::write(std::string text) {
  std::string_view rest = text;
  while (!rest.empty() && !timed_out_ && !stopped_) {
    const ssize_t count =
        ::send(descriptor_.native_handle(), rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      rest.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      boost::system::error_code error;
      co_await descriptor_.async_wait(Descriptor::wait_write,
                                      asio::redirect_error(asio::use_awaitable, error));
    } else if (errno != EINTR) {
      co_return false;
    }
  }
  co_return rest.empty();
}

}  // namespace wskeep::ipc
