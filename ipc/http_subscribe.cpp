// The parts of HttpSession that make readers of clients.

#include <unistd.h>

#include <algorithm>
#include <boost/asio/use_awaitable.hpp>

#include "ipc/channel.hpp"
#include "ipc/event_stream.hpp"
#include "ipc/gather.hpp"
#include "ipc/http_session.hpp"
#include "ipc/merged_stream.hpp"
#include "ipc/run_on.hpp"
#include "ipc/subscriber.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::ipc {
namespace {

namespace asio = boost::asio;

constexpr std::string_view v1_subprotocol = "wskeep.v1";

Answer bad_request(std::string_view sentence) {
  return error_answer(400, "bad_request", sentence);
}

Answer refused_upgrade(websocket::UpgradeCheck check) {
  const std::string_view error = check.status == 426   ? "upgrade_required"
                                 : check.status == 405 ? "method_not_allowed"
                                                       : "bad_request";
  Answer answer = error_answer(check.status, error, check.text);
  answer.headers = std::move(check.headers);
  return answer;
}

/// Why a subscription could not begin on its shard.
enum class Hindrance : std::uint8_t { none, ahead, filters };

Answer hindered(Hindrance hindrance) {
  if (hindrance == Hindrance::ahead)
    return bad_request("the cursor is ahead of the newest message");
  return error_answer(503, "too_many_filters",
                      "the connection's readers have ipc.limits.filters different filters already: "
                      "use one of theirs, or raise it");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> HttpSession::origin_headers() const {
  const std::string& allowed = limits_->allow_origin;
  if (allowed.empty()) return {};
  if (allowed == "*") return {{"Access-Control-Allow-Origin", "*"}};
  const std::string* const origin = reader_.head().find("origin");
  if (origin == nullptr || *origin != allowed) return {{"Vary", "Origin"}};
  return {{"Access-Control-Allow-Origin", allowed}, {"Vary", "Origin"}};
}

std::variant<HttpSession::Wanted, Answer> HttpSession::read_wanted(const Target& target,
                                                                   bool all) const {
  const websocket::HttpHead& head = reader_.head();
  const bool upgrade = head.has_token("connection", "upgrade") && head.find("upgrade") != nullptr;
  const auto form = upgrade ? Form::websocket : accepted_form(head.find("accept"));
  if (!form) {
    return error_answer(406, "not_acceptable",
                        "messages come as application/x-ndjson, as text/event-stream, or by "
                        "WebSocket");
  }
  auto parsed = parse_subscription(target, {.form = *form,
                                            .all = all,
                                            .last_event_id = head.find("last-event-id"),
                                            .longest_filter = limits_->ipc.filter});
  if (const auto* problem = std::get_if<std::string>(&parsed)) return bad_request(*problem);
  Wanted wanted{
      .subscription = std::get<Subscription>(std::move(parsed)), .head = {}, .stream = {}};
  wanted.stream.comments = limits_->ipc.comments;
  for (const auto& [name, value] : origin_headers())
    wanted.stream.headers += name + ": " + value + "\r\n";
  if (!upgrade) {
    wanted.head = stream_head(*form, wanted.stream);
    return wanted;
  }
  auto check = websocket::check_upgrade_request(head);
  if (!check.ok) return refused_upgrade(std::move(check));
  wanted.subscription.v1 = std::find(check.subprotocols.begin(), check.subprotocols.end(),
                                     v1_subprotocol) != check.subprotocols.end();
  wanted.head =
      websocket::write_upgrade_response(check.key, wanted.subscription.v1 ? v1_subprotocol : "");
  return wanted;
}

asio::awaitable<Answer> HttpSession::subscribe(std::shared_ptr<Upstream> upstream, Wanted wanted,
                                               Rights rights) {
  if (const auto refused = slot_.subscribe()) co_return refusal_answer(*refused);
  // To this shard's order of things: a reload that takes the right away comes behind it.
  slot_.rights(rights);
  const int socket = descriptor_.release();
  const std::size_t most_filters = limits_->ipc.filters;
  const Hindrance hindrance = co_await call_on(upstream->executor(), [&] {
    Channel& channel = upstream->channel();
    const Subscription& subscription = wanted.subscription;
    if (!find_start(channel.ring(), subscription)) return Hindrance::ahead;
    auto batches = channel.batches({}, subscription.filter, most_filters, subscription.visible);
    if (!batches) return Hindrance::filters;
    try {
      if (subscription.form == Form::websocket) {
        Subscriber::start(*upstream, socket, std::move(slot_), subscription, std::move(batches),
                          wanted.head, received_);
      } else {
        LineStream::start(*upstream, socket, std::move(slot_), subscription, std::move(batches),
                          wanted.stream);
      }
    } catch (const boost::system::system_error&) {
      ::close(socket);  // it cannot be watched, so nothing can be said to the app either
    }
    return Hindrance::none;
  });
  if (hindrance == Hindrance::none) co_return Answer{.handed_over = true};
  descriptor_.assign(socket);
  slot_.unsubscribe();
  co_return hindered(hindrance);
}

asio::awaitable<Answer> HttpSession::subscribe_to_events(const Target& target) {
  auto wanted = read_wanted(target, false);
  if (auto* refused = std::get_if<Answer>(&wanted)) co_return std::move(*refused);
  const std::shared_ptr<EventStream> events = directory_.events();
  Wanted& known = std::get<Wanted>(wanted);
  known.subscription.visible = events->visible_to(view_);
  // Whoever tries to publish is told that nobody can.
  Answer subscribed = co_await subscribe(events, std::move(known), Rights::all());
  co_return subscribed;
}

/// Whoever asks may find nothing there: connections may come.
asio::awaitable<Answer> HttpSession::subscribe_to_all(const Target& target) {
  auto read = read_wanted(target, true);
  if (auto* refused = std::get_if<Answer>(&read)) co_return std::move(*refused);
  Wanted& wanted = std::get<Wanted>(read);
  const Subscription& subscription = wanted.subscription;
  if (subscription.form == Form::websocket && !subscription.v1) {
    co_return bad_request(
        "messages of all connections need the subprotocol wskeep.v1, which names them");
  }
  const auto ahead = co_await gather(directory_, [&](Upstream& upstream) -> std::string {
    const ring::Ring& ring = upstream.channel().ring();
    return find_start(ring, subscription_of(subscription, upstream.name(), ring)) ? ""
                                                                                  : upstream.name();
  });
  for (const std::string& name : ahead) {
    if (!name.empty())
      co_return bad_request("the cursor of " + name + " is ahead of the newest message");
  }
  if (const auto refused = slot_.subscribe()) co_return refusal_answer(*refused);
  MergedStream::start(std::move(descriptor_), std::move(slot_), view_,
                      {.subscription = subscription,
                       .head = wanted.head,
                       .most_filters = limits_->ipc.filters,
                       .buffer = limits_->ipc.subscriber_buffer,
                       .comments = limits_->ipc.comments},
                      received_);
  co_return Answer{.handed_over = true};
}

}  // namespace wskeep::ipc
