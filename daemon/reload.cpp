// A new configuration for a daemon that runs: the parts of Process that take it.

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <iterator>
#include <new>
#include <set>
#include <span>
#include <string>
#include <utility>

#include "config/warnings.hpp"
#include "daemon/configuration_warnings.hpp"
#include "daemon/out_of_memory.hpp"
#include "daemon/process.hpp"
#include "daemon/reload_answer.hpp"
#include "ipc/run_on.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
using config::Effect;
using upstream::Connection;
using Level = Log::Level;

/// Of a broken file, the log has no more than this: who asked for the reload is told all.
constexpr std::size_t most_logged = 20;

std::string joined(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined.append(joined.empty() ? "" : ",").append(part);
  return joined;
}

const config::Connection& connection_of(const config::Config& config, const std::string& name) {
  return *std::ranges::find(config.connections, name, &config::Connection::name);
}

}  // namespace

void Process::reload(ipc::ReloadRequest request, std::function<void(ipc::ReloadAnswer)> done) {
  if (request.dry_run) {
    asio::co_spawn(
        first().context(), foresee(std::move(request.text)),
        [done = std::move(done)](const std::exception_ptr& error, const ipc::ReloadAnswer& answer) {
          if (error) std::rethrow_exception(error);
          done(answer);
        });
    return;
  }
  orders_.push_back({request.uid, std::move(done)});
  if (std::exchange(reloading_, true)) return;
  asio::co_spawn(first().context(), serve_orders(), [this](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
    reloading_ = false;
  });
}

/// All that was asked before a reload begins is answered by it.
asio::awaitable<void> Process::serve_orders() {
  while (!orders_.empty()) {
    const std::vector<Order> orders = std::exchange(orders_, {});
    const ipc::ReloadAnswer answer = co_await reload_now(orders.front().uid);
    for (const Order& order : orders) order.done(answer);
  }
  give_back_memory();
}

/// What a configuration is read into is many times its size, and would be the process' for good:
/// what lives on lies scattered in it. On the reader's thread, for it takes a while.
void Process::give_back_memory() {
  asio::post(reader_, [] { ::malloc_trim(0); });
}

/// Elsewhere, for a large file takes a while, and a file system may hang. `warnings`
/// gets what is to be said of one that can be used.
asio::awaitable<Process::Loaded> Process::load(std::optional<std::string> text,
                                               std::vector<config::Problem>& warnings) {
  ++reading_;
  Loaded loaded =
      co_await ipc::call_on(reader_.get_executor(), [this, &text, &warnings]() -> Loaded {
        const MemoryMayBeRefused refused;
        try {
          config::Places places;
          config::Config read =
              text ? config::load_text(*text, "-", &places) : config::load_file(file_, &places);
          warnings = config::placed_warnings(read, places);
          return read;
        } catch (const config::LoadError& error) {
          return error.problems();
        } catch (const std::bad_alloc&) {
          return std::vector<config::Problem>{{file_.string(), 0, 0, "", "no memory to read it"}};
        }
      });
  --reading_;
  co_return loaded;
}

/// The configuration as it runs, with its connections: these have their settings with them.
asio::awaitable<config::Config> Process::running() {
  config::Config running = config_;
  std::map<Shard*, std::vector<Shard::Handle>> handles;
  for (const auto& [name, held] : connections_) handles[held.shard].push_back(held.connection);
  for (const auto& [shard, connections] : handles) {
    std::vector<config::Connection> settings = co_await ipc::call_on(
        shard->context().get_executor(), [connections = std::span(connections)] {
          std::vector<config::Connection> copies;
          for (const Shard::Handle& connection : connections)
            copies.push_back(connection->settings());
          return copies;
        });
    std::ranges::move(settings, std::back_inserter(running.connections));
  }
  co_return running;
}

asio::awaitable<ipc::ReloadAnswer> Process::foresee(std::optional<std::string> text) {
  std::vector<config::Problem> warnings;
  const Loaded loaded = co_await load(std::move(text), warnings);
  if (const auto* problems = std::get_if<std::vector<config::Problem>>(&loaded))
    co_return answer_broken(*problems);
  const config::Config now = co_await running();
  co_return answer_with(config::difference(now, std::get<config::Config>(loaded)), false, warnings);
}

asio::awaitable<ipc::ReloadAnswer> Process::reload_now(std::uint32_t uid) {
  log_.write(Level::info, "", "reloading",
             {{"file", file_.string()}, {"uid", std::to_string(uid)}});
  manager_.reloading("reading " + file_.string());
  std::vector<config::Problem> warnings;
  Loaded loaded = co_await load(std::nullopt, warnings);
  if (const auto* problems = std::get_if<std::vector<config::Problem>>(&loaded)) {
    reload_failed(file_.string() + " has " + problem_count(problems->size()), *problems);
    co_return answer_broken(*problems);
  }
  const config::Config& wanted = std::get<config::Config>(loaded);
  const config::Difference difference = config::difference(co_await running(), wanted);
  Made made;
  const std::string want = co_await make(wanted, difference, made);
  if (!want.empty()) {
    reload_failed(want, {});
    co_return answer_failure(503, "out_of_resources", want + "; nothing was changed");
  }
  if (stopping_) {
    for (const auto& [name, held] : made)
      asio::post(held.shard->context(), [held = held] { held.shard->discard(*held.connection); });
    co_return answer_failure(503, "stopping", "wskeepd is stopping; nothing was changed");
  }
  apply(difference, wanted, std::move(made));
  co_await visit_all_shards();
  log_.write(Level::info, "", "reloaded",
             {{"added", std::to_string(difference.added.size())},
              {"removed", std::to_string(difference.removed.size())},
              {"changed", std::to_string(difference.changed.size())},
              {"unchanged", std::to_string(difference.unchanged)},
              {"in_place", joined(difference.in_place)}});
  log_warnings(warnings, log_);
  log_want_of_descriptors(wanted, log_);
  if (!difference.next_start.empty()) {
    log_.write(Level::warning, "", "restart_needed",
               {{"keys", joined(difference.next_start)},
                {"message", "these hold from the next start of wskeepd on"}});
  }
  reload_note_ = difference.next_start.empty() ? ""
                                               : "; `systemctl restart wskeepd` is needed for " +
                                                     joined(difference.next_start);
  ++reloads_.succeeded;
  reloads_.last_succeeded = true;
  reloads_.taken = std::chrono::system_clock::now();
  if (!stopping_) manager_.ready("configuration reloaded" + reload_note_);
  co_return answer_with(difference, true, warnings);
}

void Process::reload_failed(const std::string& summary,
                            const std::vector<config::Problem>& problems) {
  const bool written = log_.write(Level::error, "", "reload_failed",
                                  {{"message", summary + ": nothing was changed"}});
  for (std::size_t index = 0; written && index < std::min(problems.size(), most_logged); ++index)
    log_.add(Level::error, "configuration_problem", {{"message", problems[index].text()}});
  const std::string first_problem = problems.empty() ? "" : ": " + problems.front().text();
  events_->tell("reload_failed", std::chrono::system_clock::now(), {{"problems", problems.size()}});
  reload_note_ = "; not reloaded: " + summary + first_problem;
  ++reloads_.failed;
  reloads_.last_succeeded = false;
  if (!stopping_) manager_.ready("not reloaded: " + summary + first_problem);
}

// -- what is new

Shard& Process::emptiest_shard(const Made& made) {
  std::map<const Shard*, std::size_t> counts;
  for (const auto& [name, held] : connections_) ++counts[held.shard];
  for (const auto& [name, held] : made) ++counts[held.shard];
  return **std::ranges::min_element(
      shards_, {}, [&](const std::unique_ptr<Shard>& shard) { return counts[shard.get()]; });
}

asio::awaitable<std::string> Process::make(const config::Config& wanted,
                                           const config::Difference& difference, Made& made) {
  // Where the old one lives, so that its end and the new one's begin are one step.
  for (const config::ConnectionChange& change : difference.changed) {
    if (change.effect == Effect::new_ring)
      made.emplace(change.name, Held{{}, connections_.at(change.name).shard});
  }
  for (const std::string& name : difference.added)
    made.emplace(name, Held{{}, &emptiest_shard(made)});
  std::string want;
  for (auto& [name, held] : made) {
    const config::Connection& settings = connection_of(wanted, name);
    Shard* const shard = held.shard;
    held.connection =
        co_await ipc::call_on(shard->context().get_executor(), [&]() -> Shard::Handle {
          const MemoryMayBeRefused refused;
          try {
            return shard->add(settings, wanted.ipc.limits, *budgets_, log_);
          } catch (const std::exception&) {
            return nullptr;
          }
        });
    if (held.connection) continue;
    want = "no memory for the connection " + name + " and its history";
    break;
  }
  if (want.empty()) co_return want;
  for (const auto& [name, held] : made) {
    if (!held.connection) continue;
    asio::post(held.shard->context(), [held = held] { held.shard->discard(*held.connection); });
  }
  co_return want;
}

// -- the step itself, on the first shard and in one go

void Process::apply(const config::Difference& difference, const config::Config& wanted, Made made) {
  apply_top(difference, wanted);
  for (const std::string& name : difference.removed) remove(name);
  for (const config::ConnectionChange& change : difference.changed)
    apply_change(change, connection_of(wanted, change.name), wanted.ipc.limits, made);
  for (const std::string& name : difference.added) {
    const Held& held = made.at(name);
    connections_.emplace(name, held);
    log_.write(Level::info, name, "added");
    start(held);
  }
  keep_order(wanted);
  config_ = config::after_reload(config_, wanted);
  server_->configure(config_.ipc, {wanted.connections.size(), largest_message(config_)});
  apply_access(wanted);
  forget_connections();
  tell_reload(difference);
  tell_watchers(&ipc::DirectoryWatcher::directory_changed);
}

void Process::tell_reload(const config::Difference& difference) {
  const auto now = std::chrono::system_clock::now();
  const auto tell = [&](std::string_view event, const std::string& name) {
    events_->tell(event, now, {{"connection", name}});
  };
  for (const std::string& name : difference.removed) tell("removed", name);
  for (const config::ConnectionChange& change : difference.changed) {
    events_->tell("changed", now,
                  {{"connection", change.name}, {"effect", effect_name(change.effect)}});
  }
  for (const std::string& name : difference.added) tell("added", name);
  events_->tell("reloaded", now,
                {{"added", difference.added.size()},
                 {"removed", difference.removed.size()},
                 {"changed", difference.changed.size()},
                 {"unchanged", difference.unchanged}});
}

/// Nothing is kept for connections that are not there any more.
void Process::forget_others(const config::Config& wanted) {
  std::set<std::string> names;
  for (const config::Connection& connection : wanted.connections) names.insert(connection.name);
  remembered_->retain(names);
}

void Process::apply_top(const config::Difference& difference, const config::Config& wanted) {
  log_.configure(wanted.log);
  budgets_->configure(wanted.connects);
  forget_others(wanted);
  for (const auto& shard : shards_) {
    asio::post(shard->context(), [shard = shard.get(), limit = wanted.connects.handshakes] {
      shard->environment().handshakes().limit(limit);
    });
  }
  const bool concerns_connections =
      std::ranges::any_of(difference.in_place, [](const std::string& key) {
        return key.starts_with("connects.") || key == "ipc.limits.subscriber_buffer" ||
               key.starts_with("ipc.limits.publish_");
      });
  if (!concerns_connections) return;
  for (const auto& [name, held] : connections_) {
    asio::post(held.shard->context(), [connection = held.connection, limits = wanted.ipc.limits] {
      connection->limits_changed(limits);
    });
  }
}

void Process::apply_change(const config::ConnectionChange& change, const config::Connection& wanted,
                           const config::IpcLimits& limits, Made& made) {
  log_.write(Level::info, change.name, "reconfigured",
             {{"effect", std::string(effect_name(change.effect))}, {"keys", joined(change.keys)}});
  Held& held = connections_.at(change.name);
  if (change.effect != Effect::new_ring) {
    const auto renewal = change.effect == Effect::new_session ? Connection::Renewal::new_session
                                                              : Connection::Renewal::none;
    asio::post(held.shard->context(), [connection = held.connection, wanted, limits, renewal] {
      connection->configure(wanted, limits, renewal);
    });
    return;
  }
  const Held old = std::exchange(held, made.at(change.name));
  ++running_;
  asio::post(held.shard->context(), [this, old, held] {
    // Upstream may take one session at a time.
    const auto begin = [this, held] {
      held.shard->start(*held.connection,
                        [this] { asio::post(first().context(), [this] { connection_ended(); }); });
    };
    old.shard->retire(*old.connection,
                      {.error = Error::reconfigured,
                       .to_upstream = websocket::CloseCode::normal,
                       .to_readers = websocket::CloseCode::service_restart,
                       .reason = "the size of the history was changed: subscribe again"},
                      begin);
  });
}

/// Whoever asks from now on is judged by the new rights; and so are those, on their shards, who
/// were let in before. What was let in before this step is on its way there already.
void Process::apply_access(const config::Config& wanted) {
  rules_ = ipc::AccessRules(config_.ipc, ::geteuid());
  for (const config::Connection& connection : wanted.connections) {
    Held& held = connections_.at(connection.name);
    held.access = connection.settings.access;
    asio::post(held.shard->context(),
               [connection = held.connection, rules = rules_, access = held.access] {
                 connection->channel().revise_rights(
                     [&](const ipc::Client& client) { return rules.rights(client, access); });
               });
  }
}

void Process::remove(const std::string& name) {
  log_.write(Level::info, name, "removed");
  const auto found = connections_.find(name);
  asio::post(found->second.shard->context(), [held = found->second] {
    held.shard->retire(*held.connection,
                       {.error = Error::stopped,
                        .to_upstream = websocket::CloseCode::normal,
                        .to_readers = websocket::CloseCode::going_away,
                        .reason = "removed from the configuration"},
                       nullptr);
  });
  connections_.erase(found);
}

/// Ends when all that was posted to them before has been done.
asio::awaitable<void> Process::visit_all_shards() {
  for (const auto& shard : shards_)
    co_await ipc::call_on(shard->context().get_executor(), [] { return true; });
}

}  // namespace wskeep::daemon
