#include "daemon/upstream/upgrade.hpp"

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "daemon/upstream/http_exchange.hpp"
#include "daemon/upstream/redirect.hpp"
#include "daemon/upstream/refusal.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;

namespace {

/// nginx lets a client without a certificate into TLS, and says so by HTTP.
void note_missing_certificate(OpenFailure& refused, std::string_view body) {
  if (refused.http_status != 400 || body.find("SSL certificate") == std::string_view::npos) return;
  refused.failure.error = Error::client_certificate_required;
  refused.failure.text +=
      "; it wants a client certificate: set tls.certificate and tls.key, or tls.pkcs12";
}

Answer judge(Environment& environment, const websocket::UpgradeRequest& request,
             const Secrets& secrets, HttpExchange& exchange, bool certificate_missing) {
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
  HttpExchange exchange(environment, transport,
                        {HttpExchange::Until::upgraded, max_answer_head, max_refusal_body});
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
