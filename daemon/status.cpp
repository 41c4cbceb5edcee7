// What the daemon says of itself: the parts of Process that tell it. With many connections that is
// much, so that no shard is kept from its data for it: they are visited a few at a time, and long
// texts are written on a thread of their own.

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <exception>
#include <utility>

#include "daemon/process.hpp"
#include "daemon/version.hpp"
#include "ipc/event.hpp"
#include "ipc/merged_stream.hpp"
#include "ipc/run_on.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

/// How old the line of `systemctl status` may be.
constexpr std::chrono::seconds report_interval{5};
/// Who scrapes everything while others do is given what they are given, if it is no older.
constexpr std::chrono::seconds shared_for{1};
/// Of a long text, what is made and sent in one go.
constexpr std::size_t piece_size = std::size_t{256} << 10U;

/// The text of /metrics, which is written by `writer` and sent by `home`.
class ScrapedText final : public ipc::LongText, public std::enable_shared_from_this<ScrapedText> {
 public:
  ScrapedText(std::shared_ptr<const MetricsSample> sample, asio::any_io_executor writer,
              asio::any_io_executor home)
      : held_(sample->count() * sizeof(ConnectionSample)),
        text_(std::move(sample)),
        writer_(std::move(writer)),
        home_(std::move(home)) {}

  void next(std::function<void(Piece)> done) override {
    asio::post(writer_, [self = shared_from_this(), done = std::move(done)]() mutable {
      asio::post(self->home_, [done = std::move(done), piece = self->make_piece()]() mutable {
        done(std::move(piece));
      });
    });
  }

  [[nodiscard]] std::size_t held() const noexcept override { return held_; }

 private:
  Piece make_piece() {
    while (made_.size() - sent_ <= piece_size && !text_.at_end()) {
      made_.erase(0, std::exchange(sent_, 0));
      made_ = made_.empty() ? text_.next() : std::move(made_) + text_.next();
    }
    const std::size_t begin = sent_;
    sent_ = std::min(made_.size(), begin + piece_size);
    return {.text = made_.substr(begin, piece_size), .last = sent_ == made_.size()};
  }

  std::size_t held_;
  MetricsText text_;  ///< of the writer's thread, as the next two
  std::string made_;
  std::size_t sent_ = 0;  ///< of it
  asio::any_io_executor writer_;
  asio::any_io_executor home_;
};

void rethrow(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}

}  // namespace

/// By their names, which rise: so none is shown twice, whatever a reload does meanwhile. What is
/// removed meanwhile is held, so that it can be looked at.
asio::awaitable<void> Process::visit(Viewer viewer, Look look) {
  std::string last;
  for (auto each = connections_.begin(); each != connections_.end();
       each = connections_.upper_bound(last)) {
    std::map<Shard*, std::vector<Shard::Handle>> few;
    for (std::size_t count = 0; count < in_one_go && each != connections_.end(); ++count, ++each) {
      last = each->first;
      if (!viewer || !rights(*viewer, last).none())
        few[each->second.shard].push_back(each->second.connection);
    }
    if (few.empty()) co_await asio::post(first().context(), asio::use_awaitable);
    for (const auto& [shard, connections] : few) {
      const std::vector<Shard::Handle>& shown = connections;
      co_await ipc::call_on(shard->context().get_executor(), [&look, &shown] {
        for (const Shard::Handle& connection : shown) look(*connection);
        return true;
      });
    }
  }
}

// -- /metrics

void Process::metrics(const std::optional<ipc::Client>& viewer,
                      std::function<void(std::shared_ptr<ipc::LongText>)> done) {
  scrapes_.push_back({viewer, std::move(done)});
  if (std::exchange(sampling_, true)) return;
  asio::co_spawn(first().context(), serve_scrapes(), [this](const std::exception_ptr& error) {
    rethrow(error);
    sampling_ = false;
  });
}

/// One after the other, so that no more samples are held than texts are being sent, for which their
/// readers have a deadline and a limit.
asio::awaitable<void> Process::serve_scrapes() {
  while (!scrapes_.empty()) {
    const Scrape scrape = std::move(scrapes_.front());
    scrapes_.erase(scrapes_.begin());
    std::shared_ptr<const MetricsSample> sample = scrape.viewer ? nullptr : newest_sample_.lock();
    if (!sample || Clock::now() - sampled_at_ > shared_for)
      sample = co_await take_sample(scrape.viewer);
    if (!scrape.viewer) newest_sample_ = sample;
    scrape.done(std::make_shared<ScrapedText>(std::move(sample), writer_.get_executor(),
                                              first().context().get_executor()));
  }
}

asio::awaitable<std::shared_ptr<const MetricsSample>> Process::take_sample(Viewer viewer) {
  const auto sample = std::make_shared<MetricsSample>();
  if (!viewer) sampled_at_ = Clock::now();
  ConnectionSamples& parts = sample->connections;
  const Look look = [&parts](const upstream::Connection& connection) {
    // Parts, for a whole that grows would be moved again and again.
    if (parts.empty() || parts.back().size() == in_one_go) parts.emplace_back().reserve(in_one_go);
    parts.back().push_back(sample_connection(connection));
  };
  co_await visit(viewer, look);
  sample->process = sample_process();
  for (const auto& shard : shards_) {
    const HandshakeSample handshakes =
        co_await ipc::call_on(shard->context().get_executor(), [&shard] {
          const net::HandshakeLimit& limit = shard->environment().handshakes();
          return HandshakeSample{limit.under_way(), limit.waiting()};
        });
    sample->process.handshakes.under_way += handshakes.under_way;
    sample->process.handshakes.waiting += handshakes.waiting;
  }
  co_return sample;
}

ProcessSample Process::sample_process() const {
  const ipc::Accounts& accounts = server_->accounts();
  ProcessSample sample{.started = started_, .reloads = reloads_};
  sample.local = {.use = accounts.total(),
                  .limits = accounts.limits(),
                  .users = accounts.users(),
                  .refusals = accounts.refusals(),
                  .descriptors = server_->descriptors(),
                  .sockets = server_->sockets()};
  sample.handshakes_limit = config_.connects.handshakes * shards_.size();
  sample.merged_readers = ipc::MergedStream::count();
  sample.event_readers = events_->channel().readers();
  sample.events = events_->channel().ring().next() - 1;
  sample.log = log_.statistics();
  sample.state_write_failures = state_keeper_.failures();
  for (const std::string& host : budgets_->named_hosts())
    sample.host_budgets.emplace_back(host, budgets_->use_of_host(host, Clock::now()));
  return sample;
}

// -- /v1/status and `systemctl status`

void Process::report() {
  if (!manager_.listens()) return;
  asio::co_spawn(first().context(), report_now(), rethrow);
  report_timer_->expires_after(report_interval);
  report_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) report();
  });
}

asio::awaitable<void> Process::report_now() {
  std::size_t ready = 0;
  std::size_t all = 0;
  const Look look = [&](const upstream::Connection& connection) {
    ++all;
    if (connection.ready()) ++ready;
  };
  const Viewer everyone;
  co_await visit(everyone, look);
  if (stopping_) co_return;
  manager_.status(std::to_string(ready) + " of " + std::to_string(all) + " connections ready, " +
                  std::to_string(server_->accounts().total().clients) + " local clients" +
                  reload_note_);
}

void Process::status(const std::optional<ipc::Client>& viewer,
                     std::function<void(std::string)> done) {
  asio::co_spawn(first().context(), describe_status(viewer),
                 [done = std::move(done)](const std::exception_ptr& error, std::string text) {
                   rethrow(error);
                   done(std::move(text));
                 });
}

asio::awaitable<std::string> Process::describe_status(Viewer viewer) {
  StateCounts counts;
  const Look look = [&counts](const upstream::Connection& connection) {
    ++counts[connection.state()];
  };
  co_await visit(viewer, look);
  co_return status_text(viewer, counts);
}

std::string Process::status_text(const Viewer& viewer, const StateCounts& counts) const {
  json::object states;
  std::size_t all = 0;
  for (const upstream::State state : upstream::all_states) {
    const auto found = counts.find(state);
    const std::size_t count = found == counts.end() ? 0 : found->second;
    states[upstream::state_name(state)] = count;
    all += count;
  }
  return json::serialize(json::object{{"version", version},
                                      {"pid", ::getpid()},
                                      {"started", ipc::time_text(started_)},
                                      {"shards", shards_.size()},
                                      {"clients", server_->accounts().total().clients},
                                      {"clients_limit", config_.ipc.limits.clients},
                                      {"local", describe_local(viewer)},
                                      {"metrics_listen", server_->metrics_address()},
                                      {"connections", all},
                                      {"states", std::move(states)}});
}

json::object Process::describe_local(const Viewer& viewer) const {
  const ipc::Accounts& accounts = server_->accounts();
  const auto use_of = [](const ipc::Accounts::Use& use) {
    return json::object{{"clients", use.clients},
                        {"subscriptions", use.subscriptions},
                        {"in_flight_bytes", use.in_flight}};
  };
  const ipc::Accounts::Limits limits = accounts.limits();
  const ipc::Server::Descriptors descriptors = server_->descriptors();
  json::object local = use_of(accounts.total());
  local["limits"] = json::object{{"clients", limits.clients},
                                 {"clients_per_user", limits.clients_per_user},
                                 {"subscriptions", limits.subscriptions},
                                 {"subscriptions_per_user", limits.subscriptions_per_user},
                                 {"in_flight_bytes", limits.in_flight},
                                 {"descriptors", descriptors.limit},
                                 {"descriptors_reserved", descriptors.reserved}};
  json::object refused;
  const auto refusals = accounts.refusals();
  for (const ipc::Refusal refusal : ipc::all_refusals)
    refused[ipc::refusal_name(refusal)] = refusals[static_cast<std::size_t>(refusal)];
  local["refused"] = std::move(refused);
  // Of others, only those are told who could see them anyway.
  const bool all = !viewer || rules_.rights(*viewer, {}).has(ipc::Right::control);
  json::array users;
  for (const auto& [uid, use] : accounts.users()) {
    if (!all && uid != viewer->peer.uid) continue;
    json::object user = use_of(use);
    user["uid"] = uid;
    users.push_back(std::move(user));
  }
  local["users"] = std::move(users);
  json::array sockets;
  for (const ipc::SocketStatus& socket : server_->sockets()) {
    sockets.push_back(json::object{{"path", socket.path},
                                   {"file", ipc::condition_name(socket.condition)},
                                   {"handed_over", socket.handed_over},
                                   {"renewed", socket.renewed}});
  }
  local["sockets"] = std::move(sockets);
  return local;
}

}  // namespace wskeep::daemon
