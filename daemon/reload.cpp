// A new configuration for a daemon that runs: the parts of Process that take it.

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <map>
#include <new>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/warnings.hpp"
#include "daemon/configuration_warnings.hpp"
#include "daemon/out_of_memory.hpp"
#include "daemon/process.hpp"
#include "daemon/reload_answer.hpp"
#include "ipc/run_on.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
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
  running.connections.reserve(connections_.size());
  const Look look = [&running](const Connection& connection) {
    running.connections.push_back(connection.settings());
  };
  co_await visit(Viewer(), look);
  co_return running;
}

/// From what runs to `wanted`, which outlives this. Compared on the reader's thread, for of many
/// connections that takes a while.
asio::awaitable<config::Difference> Process::difference_to(const config::Config& wanted) {
  config::Config now = co_await running();
  auto compare = [&now, &wanted] {
    const config::Config compared = std::move(now);  // freed there, too
    return config::difference(compared, wanted);
  };
  config::Difference difference = co_await ipc::call_on(reader_.get_executor(), compare);
  co_return difference;
}

asio::awaitable<ipc::ReloadAnswer> Process::foresee(std::optional<std::string> text) {
  std::vector<config::Problem> warnings;
  const Loaded loaded = co_await load(std::move(text), warnings);
  if (const auto* problems = std::get_if<std::vector<config::Problem>>(&loaded))
    co_return answer_broken(*problems);
  const config::Difference difference = co_await difference_to(std::get<config::Config>(loaded));
  co_return answer_with(difference, false, warnings);
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
  config::Config& wanted = std::get<config::Config>(loaded);
  const config::Difference difference = co_await difference_to(wanted);
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
  Deeds deeds = apply(difference, wanted, std::move(made));
  co_await carry_out(std::move(deeds));
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
  // To be freed there.
  asio::post(reader_, [read = std::move(loaded)] {});
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

/// By the shards that have least; what is changed stays where it is.
void Process::place(const std::vector<std::string>& added, Made& made) {
  std::map<Shard*, std::size_t> counts;
  for (const auto& [name, held] : connections_) ++counts[held.shard];
  for (const std::string& name : added) {
    const auto& emptiest = *std::ranges::min_element(
        shards_, {}, [&](const auto& shard) { return counts[shard.get()]; });
    ++counts[emptiest.get()];
    made.emplace(name, Held{{}, emptiest.get()});
  }
}

asio::awaitable<std::string> Process::make(const config::Config& wanted,
                                           const config::Difference& difference, Made& made) {
  // Where the old one lives, so that its end and the new one's begin are one step.
  for (const config::ConnectionChange& change : difference.changed) {
    if (change.effect == Effect::new_ring)
      made.emplace(change.name, Held{{}, connections_.at(change.name).shard});
  }
  place(difference.added, made);
  std::string want;
  for (const config::Connection& settings : wanted.connections) {
    const auto found = made.find(settings.name);
    if (found == made.end()) continue;
    Shard* const shard = found->second.shard;
    found->second.connection =
        co_await ipc::call_on(shard->context().get_executor(), [&]() -> Shard::Handle {
          const MemoryMayBeRefused refused;
          try {
            return shard->add(settings, wanted.ipc.limits, *budgets_, log_);
          } catch (const std::exception&) {
            return nullptr;
          }
        });
    if (found->second.connection) continue;
    want = "no memory for the connection " + settings.name + " and its history";
    break;
  }
  if (want.empty()) co_return want;
  for (const auto& [name, held] : made) {
    if (!held.connection) continue;
    asio::post(held.shard->context(), [held = held] { held.shard->discard(*held.connection); });
  }
  co_return want;
}

// -- the step itself: on the first shard in one go; and what each connection is to do, a few at a
// time, so that of thousands no message waits for all

Process::Deeds Process::apply(const config::Difference& difference, config::Config& wanted,
                              Made made) {
  Deeds deeds = apply_top(difference, wanted);
  for (const std::string& name : difference.removed) deeds.push_back(remove(name));
  const config::ByName settings = config::by_name(wanted);
  for (const config::ConnectionChange& change : difference.changed)
    deeds.push_back(changed(change, *settings.at(change.name), wanted.ipc.limits, made));
  for (const std::string& name : difference.added) {
    const Held& held = made.at(name);
    connections_.emplace(name, held);
    deeds.push_back({held.shard,
                     [this, held, &name] {
                       log_.write(Level::info, name, "added");
                       begin(held);
                     },
                     true});
  }
  keep_order(wanted);
  take_top(wanted);
  server_->configure(config_.ipc, {wanted.connections.size(), largest_message(wanted)});
  apply_access(wanted, deeds);
  tell_reload(difference, deeds);
  tell_watchers(&ipc::DirectoryWatcher::directory_changed);
  return deeds;
}

/// Of a daemon that stops, what is left is not begun any more; and what ends, ends with it.
asio::awaitable<void> Process::carry_out(Deeds deeds) {
  std::map<Shard*, Deeds> by_shard;
  for (Deed& deed : deeds) by_shard[deed.shard].push_back(std::move(deed));
  for (auto& [shard, all] : by_shard) {
    for (std::span<Deed> rest = all; !rest.empty() && !stopping_;) {
      const auto few = rest.first(std::min(rest.size(), in_one_go));
      rest = rest.subspan(few.size());
      running_ += static_cast<std::size_t>(std::ranges::count(few, true, &Deed::starts));
      co_await ipc::call_on(shard->context().get_executor(), [few] {
        for (const Deed& deed : few) deed.what();
        return true;
      });
      // Connections that only these held are taken apart now, and not with all others.
      for (Deed& deed : few) deed.what = nullptr;
    }
  }
}

/// By the first shard, as all that those are told who watch all connections.
void Process::tell_reload(const config::Difference& difference, Deeds& deeds) {
  const auto now = std::chrono::system_clock::now();
  const auto tell = [&](std::string_view event, const json::object& details) {
    deeds.push_back(
        {&first(), [this, event, now, details] { events_->tell(event, now, details); }});
  };
  for (const std::string& name : difference.removed) tell("removed", {{"connection", name}});
  for (const config::ConnectionChange& change : difference.changed)
    tell("changed", {{"connection", change.name}, {"effect", effect_name(change.effect)}});
  for (const std::string& name : difference.added) tell("added", {{"connection", name}});
  tell("reloaded", {{"added", difference.added.size()},
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

Process::Deeds Process::apply_top(const config::Difference& difference,
                                  const config::Config& wanted) {
  log_.configure(wanted.log);
  budgets_->configure(wanted.connects);
  forget_others(wanted);
  for (const auto& shard : shards_) {
    asio::post(shard->context(), [shard = shard.get(), limit = wanted.connects.handshakes] {
      shard->environment().handshakes().limit(limit);
    });
  }
  Deeds deeds;
  const bool concerns_connections =
      std::ranges::any_of(difference.in_place, [](const std::string& key) {
        return key.starts_with("connects.") || key == "ipc.limits.subscriber_buffer" ||
               key.starts_with("ipc.limits.publish_");
      });
  if (!concerns_connections) return deeds;
  for (const auto& [name, held] : connections_) {
    deeds.push_back({held.shard, [connection = held.connection, &limits = wanted.ipc.limits] {
                       connection->limits_changed(limits);
                     }});
  }
  return deeds;
}

/// Its connections, which have their settings with them, are left where they are.
void Process::take_top(config::Config& wanted) {
  std::vector<config::Connection> connections = std::exchange(wanted.connections, {});
  config_ = config::after_reload(config_, wanted);
  wanted.connections = std::move(connections);
}

Process::Deed Process::changed(const config::ConnectionChange& change,
                               const config::Connection& wanted, const config::IpcLimits& limits,
                               Made& made) {
  Held& held = connections_.at(change.name);
  const auto log = [this, &change] {
    log_.write(
        Level::info, change.name, "reconfigured",
        {{"effect", std::string(effect_name(change.effect))}, {"keys", joined(change.keys)}});
  };
  if (change.effect != Effect::new_ring) {
    const auto renewal = change.effect == Effect::new_session ? Connection::Renewal::new_session
                                                              : Connection::Renewal::none;
    return {held.shard, [log, connection = held.connection, &wanted, &limits, renewal] {
              log();
              connection->configure(wanted, limits, renewal);
            }};
  }
  const Held old = std::exchange(held, made.at(change.name));
  return {held.shard,
          [this, log, old, held] {
            log();
            // Upstream may take one session at a time.
            old.shard->retire(*old.connection,
                              {.error = Error::reconfigured,
                               .to_upstream = websocket::CloseCode::normal,
                               .to_readers = websocket::CloseCode::service_restart,
                               .reason = "the size of the history was changed: subscribe again"},
                              [this, held] { begin(held); });
          },
          true};
}

/// Whoever asks from now on is judged by the new rights; and so are those, on their shards, who
/// were let in before. What was let in before this step is on its way there already.
void Process::apply_access(const config::Config& wanted, Deeds& deeds) {
  const ipc::AccessRules before = std::exchange(rules_, ipc::AccessRules(config_.ipc, ::geteuid()));
  for (const config::Connection& connection : wanted.connections) {
    Held& held = connections_.at(connection.name);
    const bool same = before == rules_ && held.access == connection.settings.access;
    held.access = connection.settings.access;
    if (same) continue;
    deeds.push_back(
        {held.shard, [connection = held.connection, rules = rules_, access = held.access] {
           connection->channel().revise_rights(
               [&](const ipc::Client& client) { return rules.rights(client, access); });
         }});
  }
}

Process::Deed Process::remove(const std::string& name) {
  const auto found = connections_.find(name);
  const Held held = found->second;
  connections_.erase(found);
  return {held.shard, [this, held, &name] {
            log_.write(Level::info, name, "removed");
            held.shard->retire(*held.connection,
                               {.error = Error::stopped,
                                .to_upstream = websocket::CloseCode::normal,
                                .to_readers = websocket::CloseCode::going_away,
                                .reason = "removed from the configuration"},
                               nullptr);
          }};
}

/// Ends when all that was posted to them before has been done.
asio::awaitable<void> Process::visit_all_shards() {
  for (const auto& shard : shards_)
    co_await ipc::call_on(shard->context().get_executor(), [] { return true; });
}

}  // namespace wskeep::daemon
