#include "daemon/upstream/fetch.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include "daemon/upstream/cancelled.hpp"
#include "daemon/upstream/http_exchange.hpp"
#include "daemon/upstream/leg.hpp"
#include "daemon/upstream/proxy_choice.hpp"
#include "daemon/upstream/redirect.hpp"
#include "daemon/upstream/refusal.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;

namespace {

/// Budgets are of sessions: who may begin one may ask for what it takes.
class OpenGate final : public ConnectGate {
 public:
  [[nodiscard]] bool may_connect(std::string_view /*host*/) override { return true; }
};

/// The request and its redirections. Lives in the frame of `fetch`.
class Fetch {
 public:
  Fetch(Environment& environment, const config::ConnectionSettings& settings, OpeningMemory& memory,
        Target target, const FetchRequest& request, TimePoint deadline)
      : environment_(environment),
        settings_(settings),
        request_(request),
        deadline_(deadline),
        with_{environment, settings_, memory, gate_, cycle_, environment.now()} {
    target_.emplace(std::move(target));
  }

  asio::awaitable<FetchResult> run();

 private:
  asio::awaitable<LegEnd> go(std::uint32_t followed);
  asio::awaitable<Answer> talk(std::unique_ptr<net::Transport> transport);
  [[nodiscard]] std::string written() const;
  Answer judge(HttpExchange& exchange);
  [[nodiscard]] FetchResult result_of(LegEnd end, bool stopped);

  Environment& environment_;
  const config::ConnectionSettings& settings_;
  const FetchRequest& request_;
  TimePoint deadline_;
  OpenGate gate_;
  Cycle cycle_;  ///< of nobody's interest: what is asked for has a record of its own
  LegRun::Surroundings with_;
  std::optional<Target> target_;
  Fetched fetched_;
};

FetchResult failed(Error error, std::string text) {
  FetchFailure failure;
  failure.failure.failure = {error, std::move(text)};
  return failure;
}

asio::awaitable<FetchResult> Fetch::run() {
  for (std::uint32_t followed = 0;; ++followed) {
    LegEnd end = co_await go(followed);
    const bool stopped = co_await cancelled();
    if (stopped || !end.redirected) co_return result_of(std::move(end), stopped);
    if (request_.method != "GET")
      co_return failed(Error::http_redirect,
                       "the server redirects, and only GET is asked for elsewhere: give the "
                       "address where it leads");
    Target next = redirected_target(*target_, std::move(*end.redirected));
    target_.emplace(std::move(next));
  }
}

asio::awaitable<LegEnd> Fetch::go(std::uint32_t followed) {
  ProxyChoice choice = choose_proxy(settings_, target_->url, process_variables());
  if (auto* failure = std::get_if<Failure>(&choice)) {
    LegEnd end;
    end.setback = Setback{{std::move(*failure), 0, std::nullopt}, std::nullopt};
    co_return end;
  }
  const auto& chosen = std::get<std::optional<ChosenProxy>>(choice);
  cycle_.legs.emplace_back();
  LegRun run(with_, *target_, chosen ? &chosen->proxy : nullptr, followed, deadline_);
  const LegRun::Talk say = [this](std::unique_ptr<net::Transport> transport) {
    return talk(std::move(transport));
  };
  run.say(say);
  co_return co_await run.run();
}

asio::awaitable<Answer> Fetch::talk(std::unique_ptr<net::Transport> transport) {
  HttpExchange exchange(environment_, *transport,
                        {HttpExchange::Until::complete, max_fetched_head, max_fetched});
  std::string request = written();
  Failure failure = co_await exchange.send(request);
  wipe(request);
  if (failure.error == Error::none) failure = co_await exchange.receive();
  failure.text = target_->secrets.hidden(failure.text);
  if (failure.error != Error::none) co_return OpenFailure{std::move(failure), 0, std::nullopt};
  co_return judge(exchange);
}

/// What can break a request was looked at before: see `fetch`.
std::string Fetch::written() const {
  websocket::HttpHead head;
  head.method = request_.method;
  head.target = target_->request.target;
  head.fields = {{"Host", target_->request.host}, {"Connection", "close"}};
  bool typed = false;
  bool accepts = false;
  for (const auto& [name, value] : target_->request.headers) {
    typed = typed || websocket::equal_ignoring_case(name, "content-type");
    accepts = accepts || websocket::equal_ignoring_case(name, "accept");
    head.fields.emplace_back(name, value);
  }
  if (!accepts) head.fields.emplace_back("Accept", "*/*");
  if (!typed && !request_.content_type.empty() && !request_.body.empty())
    head.fields.emplace_back("Content-Type", request_.content_type);
  if (request_.body.empty() && request_.method != "GET")
    head.fields.emplace_back("Content-Length", "0");
  std::string text = websocket::write_request(head, request_.body);
  for (auto& [name, value] : head.fields) wipe(value);
  return text;
}

Answer Fetch::judge(HttpExchange& exchange) {
  const websocket::HttpHead& head = exchange.reader().head();
  const bool good = std::ranges::any_of(request_.status, [&](const config::CodeRange& range) {
    return range.first <= head.status && head.status <= range.last;
  });
  if (good) {
    fetched_.status = head.status;
    fetched_.body = exchange.reader().body();
    return Opened{};
  }
  if (is_redirection(head)) return Redirection{head};
  return refusal(head, exchange.reader().body(), target_->secrets, environment_.wall_now());
}

FetchResult Fetch::result_of(LegEnd end, bool stopped) {
  if (stopped) return failed(Error::stopped, "stopped");
  if (end.opened) return std::move(fetched_);
  if (end.late) {
    FetchFailure late{.failure = {{Error::prepare_timeout, ""}, 0, std::nullopt}, .late = true};
    if (end.setback)
      late.failure.failure.text = end.setback->failure.failure.text;
    else
      late.failure.failure.text = "it hung at " + std::string(stage_name(end.reached));
    return late;
  }
  if (end.setback) return FetchFailure{.failure = std::move(end.setback->failure), .late = false};
  return failed(Error::resolve_failed, "no address to try");
}

}  // namespace

asio::awaitable<FetchResult> fetch(Environment& environment,
                                   const config::ConnectionSettings& settings,
                                   OpeningMemory& memory, Target target,
                                   const FetchRequest& request, TimePoint deadline) {
  Fetch fetching(environment, settings, memory, std::move(target), request, deadline);
  co_return co_await fetching.run();
}

}  // namespace wskeep::upstream
