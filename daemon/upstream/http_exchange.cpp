#include "daemon/upstream/http_exchange.hpp"

#include <array>

#include "daemon/upstream/cancelled.hpp"
#include "daemon/upstream/redirect.hpp"
#include "daemon/upstream/upgrade.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using net::IoResult;
using Status = net::IoResult::Status;

namespace {

Failure io_failure(const IoResult& result) {
  if (result.status == Status::end)
    return {Error::connection_closed, "the server closed the connection instead of answering"};
  if (result.error == Error::client_certificate_required)
    return {result.error, "the server requires a client certificate"};
  return {result.error, "the connection failed during the request"};
}

}  // namespace

HttpExchange::HttpExchange(Environment& environment, net::Transport& transport, Reading reading)
    : environment_(environment),
      transport_(transport),
      until_(reading.until),
      alarm_(environment.make_alarm()),
      reader_(websocket::HttpReader::Kind::response, {reading.head, reading.body}) {
  transport_.observe(this);
}

HttpExchange::~HttpExchange() {
  transport_.observe(nullptr);
}

bool HttpExchange::refused() const noexcept {
  return until_ == Until::upgraded && reader_.head_complete() && reader_.head().status != 101;
}

bool HttpExchange::redirected() const noexcept {
  return reader_.head_complete() && is_redirection(reader_.head());
}

/// Until the transport is ready or the time for a refusal's body is over; false when cancelled.
asio::awaitable<bool> HttpExchange::wait() {
  co_await alarm_->wait_until(deadline_);
  co_return !co_await cancelled();
}

asio::awaitable<Failure> HttpExchange::send(const std::string& request) {
  std::span<const std::byte> data = std::as_bytes(std::span(request));
  while (!data.empty()) {
    const IoResult result = transport_.write(data);
    if (result.status == Status::done) {
      data = data.subspan(result.bytes);
    } else if (result.status == Status::would_block) {
      transport_.want_write();
      if (!co_await wait()) co_return Failure{Error::stopped, "stopped"};
    } else {
      // What the server said before it went can still be read: an alert, or an answer.
      write_failure_ = io_failure(result);
      break;
    }
  }
  co_return Failure{};
}

asio::awaitable<Failure> HttpExchange::receive() {
  std::array<std::byte, 4096> buffer;
  Failure failure;
  for (;;) {
    const IoResult result = transport_.read(buffer);
    if (result.status != Status::would_block) {
      if (on_read(result, std::span(buffer).first(result.bytes), failure)) co_return failure;
      continue;
    }
    if (write_failure_) co_return *write_failure_;
    transport_.want_read();
    if (!co_await wait()) co_return Failure{Error::stopped, "stopped"};
    if (environment_.now() >= deadline_) co_return failure;
  }
}

bool HttpExchange::on_read(const IoResult& result, std::span<const std::byte> bytes,
                           Failure& failure) {
  if (result.status == Status::done) return on_bytes(bytes, failure);
  // A refusal is known by its head; how its body ends does not matter.
  if (refused()) return true;
  if (result.status == Status::end && until_ == Until::complete && reader_.head_complete())
    return on_end(failure);
  const bool explained = result.error == Error::client_certificate_required;
  failure = write_failure_ && !explained ? *write_failure_ : io_failure(result);
  return true;
}

/// Of an answer that says no length.
bool HttpExchange::on_end(Failure& failure) {
  const websocket::HttpReader::Result result = reader_.finish();
  if (result.status != websocket::HttpReader::Status::complete)
    failure = {Error::connection_closed, "the server closed the connection within its answer"};
  return true;
}

bool HttpExchange::on_bytes(std::span<const std::byte> bytes, Failure& failure) {
  const websocket::HttpReader::Result result = reader_.read(bytes);
  if (redirected()) return true;  // where to is all there is to know
  if (refused()) {
    if (deadline_ == daemon::TimePoint::max()) deadline_ = environment_.now() + refusal_body_time;
    return result.status != websocket::HttpReader::Status::incomplete;
  }
  if (result.status == websocket::HttpReader::Status::error) {
    failure = {Error::http_invalid, "the answer is no HTTP answer: " + result.text};
    return true;
  }
  if (result.status == websocket::HttpReader::Status::incomplete) return false;
  if (until_ == Until::complete) return true;
  const auto rest = bytes.subspan(result.consumed);
  rest_.assign(rest.begin(), rest.end());
  return true;
}

}  // namespace wskeep::upstream
