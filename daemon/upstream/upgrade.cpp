#include "daemon/upstream/upgrade.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "daemon/upstream/cancelled.hpp"
#include "daemon/upstream/redirect.hpp"
#include "daemon/upstream/refusal.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using net::IoResult;
using Status = net::IoResult::Status;

namespace {

/// Wakes a coroutine when its transport is ready.
class Waker final : public net::TransportObserver {
 public:
  Waker(net::Transport& transport, Environment::Alarm& alarm)
      : transport_(transport), alarm_(alarm) {
    transport_.observe(this);
  }
  ~Waker() { transport_.observe(nullptr); }
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  void on_readable() override { alarm_.wake(); }
  void on_writable() override { alarm_.wake(); }

 private:
  net::Transport& transport_;
  Environment::Alarm& alarm_;
};

Failure io_failure(const IoResult& result) {
  if (result.status == Status::end)
    return {Error::connection_closed, "the server closed the connection instead of answering"};
  if (result.error == Error::client_certificate_required)
    return {result.error, "the server requires a client certificate"};
  return {result.error, "the connection failed during the upgrade"};
}

/// Everything about one exchange of request and answer.
class Exchange {
 public:
  Exchange(Environment& environment, net::Transport& transport)
      : environment_(environment),
        transport_(transport),
        alarm_(environment.make_alarm()),
        waker_(transport, *alarm_) {}

  asio::awaitable<Failure> send(const std::string& request);

  /// Reads until the head is there, and of a refusal also the body, as far as it comes.
  asio::awaitable<Failure> receive();

  [[nodiscard]] const websocket::HttpReader& reader() const noexcept { return reader_; }
  [[nodiscard]] std::vector<std::byte> take_rest() noexcept { return std::move(rest_); }

 private:
  asio::awaitable<bool> wait();
  /// True when nothing more is to be read.
  bool on_read(const IoResult& result, std::span<const std::byte> bytes, Failure& failure);
  bool on_bytes(std::span<const std::byte> bytes, Failure& failure);
  [[nodiscard]] bool refused() const noexcept {
    return reader_.head_complete() && reader_.head().status != 101;
  }
  [[nodiscard]] bool redirected() const noexcept {
    return reader_.head_complete() && is_redirection(reader_.head());
  }

  Environment& environment_;
  net::Transport& transport_;
  std::unique_ptr<Environment::Alarm> alarm_;
  Waker waker_;
  websocket::HttpReader reader_{websocket::HttpReader::Kind::response,
                                {max_answer_head, max_refusal_body}};
  daemon::TimePoint deadline_ = daemon::TimePoint::max();
  std::optional<Failure> write_failure_;  ///< of the request, which was not written whole
  std::vector<std::byte> rest_;
};

/// Until the transport is ready or the time for a refusal's body is over; false when cancelled.
asio::awaitable<bool> Exchange::wait() {
  co_await alarm_->wait_until(deadline_);
  co_return !co_await cancelled();
}

asio::awaitable<Failure> Exchange::send(const std::string& request) {
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

asio::awaitable<Failure> Exchange::receive() {
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

bool Exchange::on_read(const IoResult& result, std::span<const std::byte> bytes, Failure& failure) {
  if (result.status == Status::done) return on_bytes(bytes, failure);
  // A refusal is known by its head; how its body ends does not matter.
  if (refused()) return true;
  const bool explained = result.error == Error::client_certificate_required;
  failure = write_failure_ && !explained ? *write_failure_ : io_failure(result);
  return true;
}

bool Exchange::on_bytes(std::span<const std::byte> bytes, Failure& failure) {
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
  const auto rest = bytes.subspan(result.consumed);
  rest_.assign(rest.begin(), rest.end());
  return true;
}

/// nginx lets a client without a certificate into TLS, and says so by HTTP.
void note_missing_certificate(OpenFailure& refused, std::string_view body) {
  if (refused.http_status != 400 || body.find("SSL certificate") == std::string_view::npos) return;
  refused.failure.error = Error::client_certificate_required;
  refused.failure.text +=
      "; it wants a client certificate: set tls.certificate and tls.key, or tls.pkcs12";
}

Answer judge(Environment& environment, const websocket::UpgradeRequest& request,
             const Secrets& secrets, Exchange& exchange, bool certificate_missing) {
  websocket::HttpHead response = exchange.reader().head();
  if (is_redirection(response)) return Redirection{std::move(response)};
  if (response.status != 101) {
    const auto body = exchange.reader().body();
    OpenFailure refused = refusal(response, body, secrets, environment.wall_now());
    if (certificate_missing) note_missing_certificate(refused, body);
    return refused;
  }
  const websocket::UpgradeResult result = websocket::check_upgrade_response(request, response);
  if (!result.accepted)
    return OpenFailure{
        {Error::upgrade_invalid, secrets.hidden(result.text)}, response.status, std::nullopt};
  std::erase_if(response.fields, [](const auto& field) {
    return websocket::equal_ignoring_case(field.first, "set-cookie");
  });
  return Opened{nullptr, std::move(response), result.subprotocol, result.compression,
                exchange.take_rest()};
}

/// All but the transport of what was opened; observes it no longer when it ends.
asio::awaitable<Answer> exchange_over(Environment& environment, net::Transport& transport,
                                      const websocket::UpgradeRequest& request,
                                      const Secrets& secrets) {
  Exchange exchange(environment, transport);
  std::string written = websocket::write_upgrade_request(request);
  Failure failure = co_await exchange.send(written);
  wipe(written);
  if (failure.error == Error::none) failure = co_await exchange.receive();
  failure.text = secrets.hidden(failure.text);
  if (failure.error != Error::none) co_return OpenFailure{std::move(failure), 0, std::nullopt};
  co_return judge(environment, request, secrets, exchange,
                  transport.information().client_certificate_missing);
}

}  // namespace

asio::awaitable<Answer> upgrade(Environment& environment, std::unique_ptr<net::Transport> transport,
                                const websocket::UpgradeRequest& request, const Secrets& secrets) {
  Answer answer = co_await exchange_over(environment, *transport, request, secrets);
  if (auto* opened = std::get_if<Opened>(&answer)) opened->transport = std::move(transport);
  co_return answer;
}

}  // namespace wskeep::upstream
