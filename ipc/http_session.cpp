#include "ipc/http_session.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <cerrno>

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

/// What is still read behind a request that was refused.
constexpr std::chrono::milliseconds lingering{1'000};
constexpr std::size_t most_ignored = std::size_t{4} << 20U;

/// The body of a request that sends no message: a configuration.
constexpr std::size_t largest_other = std::size_t{1} << 20U;

constexpr std::string_view v1_subprotocol = "wskeep.v1";
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

Answer refused_upgrade(websocket::UpgradeCheck check) {
  const std::string_view error = check.status == 426   ? "upgrade_required"
                                 : check.status == 405 ? "method_not_allowed"
                                                       : "bad_request";
  Answer answer = error_answer(check.status, error, check.text);
  answer.headers = std::move(check.headers);
  return answer;
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

/// Of whoever called connect(2), be the socket in whosever hands by now.
std::optional<std::uint32_t> peer_uid(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0) {
    return std::nullopt;
  }
  return credentials.uid;
}

}  // namespace

HttpSession::HttpSession(Descriptor descriptor, ClientSlot slot, Scope scope,
                         const config::IpcLimits& limits, std::size_t largest_message,
                         Directory& directory)
    : descriptor_(std::move(descriptor)),
      slot_(std::move(slot)),
      scope_(scope),
      uid_(peer_uid(descriptor_.native_handle())),
      limits_(limits),
      largest_message_(largest_message),
      directory_(directory),
      reader_(websocket::HttpReader::Kind::request,
              {.head = limits.request_head, .body = std::max(largest_message, largest_other)}),
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
    const bool head_only = outcome == ReadOutcome::request && reader_.head().method == "HEAD";
    const bool sent = co_await send(write_answer(response, keep_alive, head_only));
    if (sent && outcome == ReadOutcome::refused) co_await let_finish();
    if (!sent || !keep_alive) break;
    reader_.reset();
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

asio::awaitable<HttpSession::ReadOutcome> HttpSession::read_request() {
  bool begun = !received_.empty();
  if (begun) set_deadline(limits_.request);
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
    const auto timeout = begun ? std::chrono::milliseconds(0) : limits_.idle;
    const bool received = co_await receive(timeout);
    if (!received) {
      if (!timed_out_ || stopped_ || !begun) co_return ReadOutcome::ended;
      refusal_ = error_answer(408, "request_timeout",
                              "the request was not complete within ipc.limits.request");
      co_return ReadOutcome::refused;
    }
    if (!begun) set_deadline(limits_.request);
    begun = true;
  }
}

asio::awaitable<bool> HttpSession::send(std::string text) {
  set_deadline(limits_.request);
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
    case Resource::status:
    case Resource::metrics: {
      const bool metrics = route.resource == Resource::metrics;
      auto ask = [&](auto done) { metrics ? directory_.metrics(done) : directory_.status(done); };
      std::string body = co_await run_on<std::string>(descriptor_.get_executor(), ask);
      if (metrics)
        co_return Answer{.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = body};
      co_return Answer{.body = body + "\n"};
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
    if (method == "GET") {
      Answer subscribed = co_await subscribe(*upstream, target);
      co_return subscribed;
    }
    co_return method_not_allowed("GET, POST");
  }
  const bool attempts = route.resource == Resource::attempts;
  std::string body = co_await call_on(upstream->executor(), [&] {
    if (!attempts) return boost::json::serialize(upstream->describe(Upstream::Detail::whole));
    return boost::json::serialize(upstream->describe_attempts());
  });
  co_return Answer{.body = body + "\n"};
}

asio::awaitable<Answer> HttpSession::subscribe(Upstream& upstream, const Target& target) {
  const websocket::HttpHead& head = reader_.head();
  const bool upgrade = head.has_token("connection", "upgrade") && head.find("upgrade") != nullptr;
  auto parsed = parse_subscription(target, !upgrade);
  if (const auto* problem = std::get_if<std::string>(&parsed))
    co_return error_answer(400, "bad_request", *problem);
  Subscription subscription = std::get<Subscription>(parsed);
  std::string response;
  if (upgrade) {
    auto check = websocket::check_upgrade_request(head);
    if (!check.ok) co_return refused_upgrade(std::move(check));
    subscription.v1 = std::find(check.subprotocols.begin(), check.subprotocols.end(),
                                v1_subprotocol) != check.subprotocols.end();
    response = websocket::write_upgrade_response(check.key, subscription.v1 ? v1_subprotocol : "");
  }
  const int socket = descriptor_.release();
  const bool started = co_await call_on(upstream.executor(), [&] {
    if (!find_start(upstream.channel().ring(), subscription)) return false;
    try {
      if (upgrade) {
        Subscriber::start(upstream, socket, std::move(slot_), subscription, response, received_);
      } else {
        LineStream::start(upstream, socket, std::move(slot_), subscription);
      }
    } catch (const boost::system::system_error&) {
      ::close(socket);  // it cannot be watched, so nothing can be said to the app either
    }
    return true;
  });
  if (started) co_return Answer{.handed_over = true};
  descriptor_.assign(socket);
  co_return error_answer(400, "bad_request", "the cursor is ahead of the newest message");
}

/// Whoever may open the socket may read and publish; what others depend on takes more.
bool HttpSession::may_control() const {
  return uid_ && (*uid_ == 0 || *uid_ == ::geteuid());
}

asio::awaitable<Answer> HttpSession::reload(const Target& target) {
  if (!may_control()) {
    co_return error_answer(403, "not_allowed",
                           "only root and the user that wskeepd runs as may reload the "
                           "configuration");
  }
  ReloadRequest request{.uid = *uid_};
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
  if (!may_control()) {
    co_return error_answer(403, "not_allowed",
                           "only root and the user that wskeepd runs as may reconnect, pause and "
                           "resume connections");
  }
  std::string state = co_await call_on(upstream.executor(), [&] {
    upstream.control(what, *uid_);
    return std::string(upstream.state_name());
  });
  co_return Answer{.status = 202,
                   .body = boost::json::serialize(boost::json::object{{"state", state}}) + "\n"};
}

asio::awaitable<Answer> HttpSession::post_message(Upstream& upstream) {
  if (reader_.body().size() > largest_message_)
    co_return reading_error(websocket::HttpReader::Error::body_too_large, {});
  const auto opcode = is_text(reader_.head().find("content-type")) ? websocket::Opcode::text
                                                                   : websocket::Opcode::binary;
  if (opcode == websocket::Opcode::text &&
      !websocket::is_valid_utf8(std::as_bytes(std::span(reader_.body())))) {
    co_return error_answer(
        400, "invalid_payload",
        "text must be UTF-8; send other bytes with Content-Type: application/octet-stream");
  }
  auto start = [&](auto done) {
    publish_once(upstream, opcode, std::as_bytes(std::span(reader_.body())), done);
  };
  const PublishOutcome outcome = co_await run_on<PublishOutcome>(upstream.executor(), start);
  co_return publish_answer(outcome);
}

}  // namespace wskeep::ipc
