#include "ipc/http_session.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cerrno>

#include "config/principal.hpp"
#include "ipc/channel.hpp"
#include "ipc/gather.hpp"
#include "ipc/line_stream.hpp"
#include "ipc/run_on.hpp"
#include "ipc/single_publish.hpp"
#include "ipc/subscriber.hpp"
#include "websocket/upgrade.hpp"
#include "websocket/utf8.hpp"

namespace wskeep::ipc {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using Resource = Route::Resource;

/// The body of a request that sends no message: a configuration.
constexpr std::size_t largest_other = std::size_t{1} << 20U;

Answer not_found() {
  return error_answer(404, "not_found",
                      "there is no such path or connection: GET /v1/connections lists them");
}

Answer text_answer(unsigned status, std::string text) {
  return {.status = status, .content_type = "text/plain; charset=utf-8", .body = std::move(text)};
}

Answer method_not_allowed(std::string_view allowed) {
  Answer answer =
      error_answer(405, "method_not_allowed", "this path takes " + std::string(allowed) + " only");
  answer.headers.emplace_back("Allow", allowed);
  return answer;
}

Answer reading_error(websocket::HttpReader::Error error, const std::string& text) {
  using Error = websocket::HttpReader::Error;
  switch (error) {
    case Error::head_too_large:
      return error_answer(431, "too_large",
                          "the request's headers are larger than ipc.limits.request_head");
    case Error::body_too_large:
      return error_answer(413, "too_large", "the body is larger than max_message");
    default:
      return error_answer(400, "bad_request", text.empty() ? "this is not HTTP/1.1" : text);
  }
}

Answer publish_answer(const PublishOutcome& outcome) {
  using Kind = PublishOutcome::Kind;
  const auto with_error = [&](std::string_view word) {
    return boost::json::serialize(boost::json::object{
               {"outcome", word}, {"error", outcome.error}, {"message", outcome.message}}) +
           "\n";
  };
  switch (outcome.kind) {
    case Kind::written:
      return {.status = 200, .body = "{\"outcome\":\"written\"}\n"};
    case Kind::queued:
      return {.status = 202, .body = "{\"outcome\":\"queued\"}\n"};
    case Kind::rejected:
      return {.status = outcome.error == "too_large"         ? 413U
                        : outcome.error == "invalid_payload" ? 400U
                        : outcome.error == "not_allowed"     ? 403U
                        : outcome.error == "publish_rate"    ? 429U
                                                             : 503U,
              .body = with_error("rejected")};
    case Kind::unknown:
      break;
  }
  return {.status = 502, .body = with_error("unknown")};
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += ',';
    joined += part;
  }
  return joined;
}

Answer not_allowed(std::string_view what) {
  return error_answer(
      403, "not_allowed",
      "you may not " + std::string(what) +
          ": the configuration says who may, under 'access'; where it says nothing, "
          "root may (sudo)");
}

boost::json::array rights_text(Rights rights) {
  boost::json::array names;
  for (const Right right : {Right::subscribe, Right::publish, Right::control}) {
    if (rights.has(right)) names.emplace_back(right_name(right));
  }
  return names;
}

/// What an answer was refused by, where nobody has counted it yet.
std::optional<Refusal> limit_of(unsigned status) {
  switch (status) {
    case 408:
      return Refusal::request;
    case 413:
    case 431:
      return Refusal::request_size;
    case 429:
      return Refusal::publish_rate;
    default:
      return std::nullopt;
  }
}

/// A message that came too fast.
PublishOutcome too_fast(std::string_view limit) {
  return {PublishOutcome::Kind::rejected, "publish_rate",
          "more was published than " + std::string(limit) + " allows: send it later"};
}

}  // namespace

HttpSession::HttpSession(Descriptor descriptor, ClientSlot slot, Scope scope,
                         std::shared_ptr<const ServingLimits> limits, Directory& directory)
    : descriptor_(std::move(descriptor)),
      slot_(std::move(slot)),
      scope_(scope),
      uid_(slot_.client() != nullptr ? slot_.client()->peer.uid : config::nobody),
      limits_(std::move(limits)),
      view_(std::make_shared<ClientView>(
          directory, slot_.client() != nullptr ? std::optional(*slot_.client()) : std::nullopt)),
      directory_(*view_),
      reader_(websocket::HttpReader::Kind::request,
              {.head = limits_->ipc.request_head,
               .body = std::max(limits_->largest_message, largest_other)}),
      deadline_(descriptor_.get_executor()) {}

void HttpSession::stop() {
  stopped_ = true;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  deadline_.cancel();
}

asio::awaitable<void> HttpSession::run() {
  for (;;) {
    const ReadOutcome outcome = co_await read_request();
    if (outcome == ReadOutcome::ended || stopped_) break;
    const bool keep_alive = outcome == ReadOutcome::request && reader_.head().keep_alive;
    Answer response = std::move(refusal_);
    if (outcome == ReadOutcome::request) response = co_await answer();
    if (response.handed_over || stopped_) break;
    if (outcome == ReadOutcome::request) {
      for (auto& header : origin_headers()) response.headers.push_back(std::move(header));
    }
    if (const auto limit = limit_of(response.status)) slot_.note(*limit);
    const bool head_only = outcome == ReadOutcome::request && reader_.head().method == "HEAD";
    // What came of the request is not needed any more, so that its place is the answer's.
    reader_.reset();
    if (outcome == ReadOutcome::refused) received_.clear();
    const std::size_t held = response.rest ? response.rest->held() : 0;
    if (!may_hold(response.body.size() + held)) response = refusal_answer(Refusal::in_flight);
    bool sent = co_await send(write_answer(response, keep_alive, head_only));
    if (sent && response.rest && !head_only) sent = co_await send_rest(*response.rest, keep_alive);
    response.rest.reset();
    if (sent && outcome == ReadOutcome::refused) co_await let_finish();
    if (!sent || !keep_alive) break;
    static_cast<void>(may_hold(0));
  }
  deadline_.cancel();
}

void HttpSession::set_deadline(std::chrono::milliseconds timeout) {
  timed_out_ = false;
  deadline_.expires_after(timeout);
  // Weak: that it has expired may be under way when the session ends.
  deadline_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self) return;
    self->timed_out_ = true;
    boost::system::error_code ignored;
    self->descriptor_.cancel(ignored);
  });
}

asio::awaitable<bool> HttpSession::receive(std::chrono::milliseconds timeout) {
  if (timeout.count() > 0) set_deadline(timeout);
  for (;;) {
    if (timed_out_ || stopped_) co_return false;
    std::array<std::byte, 16384> buffer;
    const ssize_t count =
        ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) {
      received_.insert(received_.end(), buffer.begin(), buffer.begin() + count);
      co_return true;
    }
    if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) co_return false;
    boost::system::error_code error;
    co_await descriptor_.async_wait(Descriptor::wait_read,
                                    asio::redirect_error(asio::use_awaitable, error));
  }
}

asio::awaitable<HttpSession::ReadOutcome> HttpSession::read_request() {
  bool begun = !received_.empty();
  if (begun) set_deadline(limits_->ipc.request);
  for (;;) {
    const auto result = reader_.read(received_);
    received_.erase(received_.begin(),
                    received_.begin() + static_cast<std::ptrdiff_t>(result.consumed));
    if (result.status == websocket::HttpReader::Status::complete) co_return ReadOutcome::request;
    if (result.status == websocket::HttpReader::Status::error) {
      refusal_ = reading_error(result.error, result.text);
      co_return ReadOutcome::refused;
    }
    // The whole request has one deadline, from its first byte on: dripping does not help.
    const auto timeout = begun ? std::chrono::milliseconds(0) : limits_->ipc.idle;
    const bool received = co_await receive(timeout);
    if (!received) {
      if (!timed_out_ || stopped_ || !begun) co_return ReadOutcome::ended;
      refusal_ = error_answer(408, "request_timeout",
                              "the request was not complete within ipc.limits.request");
      co_return ReadOutcome::refused;
    }
    if (!begun) set_deadline(limits_->ipc.request);
    begun = true;
    if (!may_hold(0)) {
      refusal_ = refusal_answer(Refusal::in_flight);
      co_return ReadOutcome::refused;
    }
  }
}

asio::awaitable<Answer> HttpSession::answer() {
  deadline_.cancel();
  const auto target = parse_target(reader_.head().target);
  if (!target)
    co_return error_answer(400, "bad_request", "the path or the query is not well-formed");
  const Route route = find_route(target->path);
  if (route.resource == Resource::none ||
      (scope_ == Scope::monitoring && !is_monitoring(route.resource))) {
    co_return not_found();
  }
  const std::string& method = reader_.head().method;
  const bool reads = method == "GET" || method == "HEAD";
  const bool takes_posts = route.resource == Resource::messages ||
                           route.resource == Resource::control ||
                           route.resource == Resource::reload;
  if (!reads && !takes_posts) co_return method_not_allowed("GET, HEAD");
  switch (route.resource) {
    case Resource::health:
      co_return text_answer(200, "ok\n");
    case Resource::readiness: {
      const auto names = co_await gather(directory_, [](Upstream& upstream) {
        return upstream.ready() ? "" : upstream.name() + "\n";
      });
      std::string waiting;
      for (const std::string& name : names) waiting += name;
      co_return waiting.empty() ? text_answer(200, "ready\n") : text_answer(503, waiting);
    }
    case Resource::connections: {
      const auto summaries = co_await gather(directory_, [](Upstream& upstream) {
        return boost::json::serialize(upstream.describe(Upstream::Detail::summary));
      });
      co_return Answer{.body = "{\"connections\":[" + join(summaries) + "]}\n"};
    }
    case Resource::status: {
      auto ask = [&](auto done) { directory_.status({}, done); };
      std::string body = co_await run_on<std::string>(descriptor_.get_executor(), ask);
      co_return Answer{.body = body + "\n"};
    }
    case Resource::metrics: {
      Answer scraped = co_await metrics();
      co_return scraped;
    }
    case Resource::events: {
      if (method != "GET") co_return method_not_allowed("GET");
      Answer subscribed = co_await subscribe_to_events(*target);
      co_return subscribed;
    }
    case Resource::reload: {
      if (method != "POST") co_return method_not_allowed("POST");
      Answer reloaded = co_await reload(*target);
      co_return reloaded;
    }
    default:
      break;
  }
  Answer answered = co_await answer_connection(route, *target);
  co_return answered;
}

asio::awaitable<Answer> HttpSession::answer_connection(const Route& route, const Target& target) {
  if (route.name == "*" && route.resource == Resource::messages) {
    if (reader_.head().method != "GET") co_return method_not_allowed("GET");
    Answer subscribed = co_await subscribe_to_all(target);
    co_return subscribed;
  }
  const std::shared_ptr<Upstream> upstream = directory_.find(route.name);
  if (upstream == nullptr) co_return not_found();
  const std::string& method = reader_.head().method;
  if (route.resource == Resource::control) {
    if (method != "POST") co_return method_not_allowed("POST");
    Answer controlled = co_await control(*upstream, route.control);
    co_return controlled;
  }
  if (route.resource == Resource::messages) {
    if (method == "POST") {
      Answer posted = co_await post_message(*upstream);
      co_return posted;
    }
    if (method != "GET") co_return method_not_allowed("GET, POST");
    const Rights rights = view_->rights(upstream->name());
    if (!rights.has(Right::subscribe)) co_return not_allowed("subscribe to this connection");
    auto wanted = read_wanted(target, false);
    if (auto* refused = std::get_if<Answer>(&wanted)) co_return std::move(*refused);
    Answer subscribed = co_await subscribe(upstream, std::get<Wanted>(std::move(wanted)), rights);
    co_return subscribed;
  }
  const bool attempts = route.resource == Resource::attempts;
  const boost::json::array rights = rights_text(view_->rights(upstream->name()));
  std::string body = co_await call_on(upstream->executor(), [&] {
    if (!attempts) {
      boost::json::object all = upstream->describe(Upstream::Detail::whole);
      all["rights"] = rights;
      return boost::json::serialize(all);
    }
    return boost::json::serialize(upstream->describe_attempts());
  });
  co_return Answer{.body = body + "\n"};
}

bool HttpSession::may_hold(std::size_t answer) {
  return slot_.hold(received_.size() + reader_.body().size() + answer);
}

asio::awaitable<Answer> HttpSession::reload(const Target& target) {
  if (!view_->rights().has(Right::control)) co_return not_allowed("reload the configuration");
  ReloadRequest request{.uid = uid_};
  for (const auto& [key, value] : target.query) {
    if (key != "dry_run" || (value != "true" && value != "false")) {
      co_return error_answer(400, "bad_request",
                             "the query may hold dry_run=true or dry_run=false, and nothing else");
    }
    request.dry_run = value == "true";
  }
  if (const std::string& body = reader_.body(); !body.empty()) {
    if (!request.dry_run) {
      co_return error_answer(400, "bad_request",
                             "the daemon reloads its own file: a body is for dry_run=true");
    }
    request.text = body;
  }
  auto start = [&](auto done) { directory_.reload(request, done); };
  ReloadAnswer reloaded = co_await run_on<ReloadAnswer>(descriptor_.get_executor(), start);
  co_return Answer{.status = reloaded.status, .body = std::move(reloaded.body)};
}

asio::awaitable<Answer> HttpSession::control(Upstream& upstream, Upstream::Control what) {
  if (!view_->rights(upstream.name()).has(Right::control))
    co_return not_allowed("reconnect, pause and resume this connection");
  std::string state = co_await call_on(upstream.executor(), [&] {
    upstream.control(what, uid_);
    return std::string(upstream.state_name());
  });
  co_return Answer{.status = 202,
                   .body = boost::json::serialize(boost::json::object{{"state", state}}) + "\n"};
}

asio::awaitable<Answer> HttpSession::post_message(Upstream& upstream) {
  if (!view_->rights(upstream.name()).has(Right::publish)) {
    co_return publish_answer(
        {PublishOutcome::Kind::rejected, "not_allowed", "you may not publish to this connection"});
  }
  if (reader_.body().size() > limits_->largest_message)
    co_return reading_error(websocket::HttpReader::Error::body_too_large, {});
  const auto opcode = is_text(reader_.head().find("content-type")) ? websocket::Opcode::text
                                                                   : websocket::Opcode::binary;
  if (opcode == websocket::Opcode::text &&
      !websocket::is_valid_utf8(std::as_bytes(std::span(reader_.body())))) {
    co_return error_answer(
        400, "invalid_payload",
        "text must be UTF-8; send other bytes with Content-Type: application/octet-stream");
  }
  const auto now = PublishGate::Clock::now();
  if (PublishGate* const gate = slot_.gate(limits_->ipc.publish)) {
    if (gate->opens() > now) co_return publish_answer(too_fast("ipc.limits"));
    gate->count(reader_.body().size(), now);
  }
  auto start = [&](auto done) {
    PublishGate& gate = upstream.channel().publish_gate();
    if (gate.opens() > now) return done(too_fast("the connection"));
    gate.count(reader_.body().size(), now);
    publish_once(upstream, opcode, std::as_bytes(std::span(reader_.body())), done);
  };
  const PublishOutcome outcome = co_await run_on<PublishOutcome>(upstream.executor(), start);
  co_return publish_answer(outcome);
}

}  // namespace wskeep::ipc
