#include "daemon/dry_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "config/json.hpp"
#include "config/session.hpp"
#include "config/session_text.hpp"
#include "daemon/log.hpp"
#include "daemon/net/real_environment.hpp"
#include "daemon/script/encoding.hpp"
#include "daemon/upstream/connection.hpp"
#include "ipc/event.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

/// Bytes of a message that are told.
constexpr std::size_t most_told = 4096;

json::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

/// Not cut within a character of UTF-8.
std::string_view front_of(std::string_view text) {
  if (text.size() <= most_told) return text;
  std::size_t end = most_told;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

json::object describe(std::string_view payload, bool binary) {
  json::object object{{"type", binary ? "binary" : "text"}, {"size", payload.size()}};
  if (binary) {
    object["hex"] = script::to_hex(payload.substr(0, most_told));
  } else {
    object["text"] = view(front_of(payload));
  }
  return object;
}

/// What is said, with stars for all that may be secret: whatever is not written in the file.
class Masking {
 public:
  explicit Masking(const config::SessionScript& script) : script_(script) {}

  /// The step whose `repeat` has a variable, while it is done.
  void step(const config::ScriptStep* step) {
    const auto* const send = step == nullptr ? nullptr : std::get_if<config::SendStep>(step);
    each_ = send == nullptr ? std::string_view() : std::string_view(send->each);
  }

  [[nodiscard]] std::string text(const config::Template& what,
                                 const script::Variables& variables) const {
    std::string text;
    for (const config::Template::Part& part : what.parts()) {
      if (const auto* const literal = std::get_if<std::string>(&part)) {
        text += *literal;
      } else {
        append(text, std::get<config::Template::Placeholder>(part), variables);
      }
    }
    return text;
  }

 private:
  void append(std::string& text, const config::Template::Placeholder& placeholder,
              const script::Variables& variables) const {
    const config::Expression& expression = placeholder.expression;
    const bool open =
        expression.kind == config::Expression::Kind::variable && is_written(expression.text);
    const auto value = open ? variables.find(expression.text) : std::nullopt;
    if (value && placeholder.place == config::Template::Place::json_string) {
      config::append_json_escaped(text, *value);
    } else {
      text += value.value_or("***");
    }
  }

  [[nodiscard]] bool is_written(std::string_view variable) const {
    return (!each_.empty() && variable == each_) ||
           std::ranges::find(script_.variables, variable, &config::Constant::name) !=
               script_.variables.end();
  }

  const config::SessionScript& script_;
  std::string_view each_;
};

/// The part of the script without the word that all begin with.
std::string_view part_of(std::string_view where) {
  constexpr std::string_view prefix = "session.";
  return where.starts_with(prefix) ? where.substr(prefix.size()) : where;
}

class Runner final : private upstream::Observer {
 public:
  Runner(const config::Config& config, const config::Connection& settings, const DryRun& what,
         int output)
      : what_(what),
        output_(output),
        settings_(settings),
        masking_(settings.settings.session ? std::make_unique<Masking>(*settings.settings.session)
                                           : nullptr),
        log_(quiet()),
        environment_(context_, contexts_, {}, config.connects.handshakes),
        budgets_(config.connects),
        connection_(environment_, settings, config.ipc.limits, budgets_, log_),
        signals_(context_, SIGINT, SIGTERM),
        timer_(context_) {}

  DryRunResult run() {
    std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone is seen as an error of the write
    begun_ = Clock::now();
    const json::object described = connection_.describe(ipc::Upstream::Detail::whole);
    tell("connecting", {{"name", settings_.name}, {"url", described.at("url")}});
    connection_.observe(*this);
    connection_.start([this] { context_.stop(); });
    wait_for_signal();
    timer_.expires_after(what_.at_most);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) stop("time");
    });
    context_.run();
    const auto& statistics = connection_.statistics();
    tell("finished", {{"reason", stop_reason_.value_or("session")},
                      {"ready", was_ready_},
                      {"messages_in", statistics.messages_in},
                      {"bytes_in", statistics.bytes_in},
                      {"messages_out", statistics.messages_out},
                      {"bytes_out", statistics.bytes_out}});
    const DryRunResult result = was_ready_ ? DryRunResult::ready : DryRunResult::not_ready;
    // What still runs then refers to the rest, and is not taken apart.
    if (forced_) std::_Exit(static_cast<int>(result));
    return result;
  }

 private:
  static config::Log quiet() {
    config::Log settings;
    settings.level = config::LogLevel::error;
    return settings;
  }

  /// `reason`: why it is ended from here.
  void stop(const char* reason) {
    if (stop_reason_) return;
    stop_reason_ = reason;
    // Whoever calls may be in the middle of the connection.
    asio::post(context_, [this] { connection_.stop(2 * settings_.settings.timeouts.close); });
  }

  /// A second one ends it at once, even while upstream does not answer the Close frame.
  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      if (std::exchange(interrupted_, true)) {
        forced_ = true;
        return context_.stop();
      }
      stop("interrupted");
      wait_for_signal();
    });
  }

  void tell(std::string_view event, json::object details = {}) {
    const auto since = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun_);
    json::object object{{"event", view(event)},
                        {"time", ipc::time_text(environment_.wall_now())},
                        {"elapsed_us", since.count()}};
    for (auto& [key, value] : details) object[key] = std::move(value);
    const std::string line = json::serialize(object) + "\n";
    std::string_view rest = line;
    while (!rest.empty() && !output_gone_) {
      const ssize_t written = ::write(output_, rest.data(), rest.size());
      if (written > 0) {
        rest.remove_prefix(static_cast<std::size_t>(written));
      } else if (written == 0 || errno != EINTR) {
        output_gone_ = true;
        stop("output_closed");
      }
    }
  }

  [[nodiscard]] json::value last_attempt() const {
    json::object attempts = connection_.describe_attempts();
    json::array& cycles = attempts.at("cycles").as_array();
    return cycles.empty() ? json::value(nullptr) : std::move(cycles.back());
  }

  // script::Observer

  void step_begun(std::string_view where, const config::ScriptStep& step) override {
    masking_->step(&step);
    tell("step", {{"part", view(part_of(where))},
                  {"kind", view(config::step_name(step))},
                  {"text", config::describe_step(step, *settings_.settings.session)}});
  }

  void step_done(std::string_view where) override {
    masking_->step(nullptr);
    tell("done", {{"part", view(part_of(where))}});
  }

  void condition_met(std::string_view where, std::size_t condition) override {
    tell("met", {{"part", view(part_of(where))}, {"condition", condition + 1}});
  }

  void variable_set(std::string_view where, std::string_view name,
                    std::string_view value) override {
    json::object details{{"part", view(part_of(where))}, {"name", view(name)}};
    if (what_.show_values) details["value"] = view(front_of(value));
    tell("set", std::move(details));
  }

  void said(std::string_view where, const config::ScriptMessage& message, std::string_view text,
            const script::Variables& variables) override {
    json::object details;
    if (what_.show_values) {
      details = describe(text, message.binary);
    } else {
      const std::string masked = masking_->text(message.text, variables);
      details = describe(masked, false);
      details["type"] = message.binary ? "binary" : "text";
      details["size"] = text.size();
    }
    details["part"] = view(part_of(where));
    tell("sent", std::move(details));
  }

  void beat_answered() override { tell("answered", {{"part", "heartbeat"}}); }

  // upstream::Observer

  void attempt_failed(const Failure& failure) override {
    tell("failed", {{"error", view(error_name(failure.error))},
                    {"message", failure.text},
                    {"attempt", last_attempt()}});
    end();
  }

  void opened() override {
    const json::object described = connection_.describe(ipc::Upstream::Detail::whole);
    json::object details{{"attempt", last_attempt()}};
    for (const char* const key : {"remote_address", "http_status", "subprotocol"}) {
      if (const json::value* const value = described.if_contains(key)) details[key] = *value;
    }
    tell("opened", std::move(details));
  }

  void received(const ring::Ring& ring) override {
    for (next_ = std::max(next_, ring.first()); next_ < ring.next(); ++next_) {
      const ring::Entry& entry = ring.entry(next_);
      const auto payload = ring.payload(entry);
      constexpr std::uint8_t binary = 2;  // RFC 6455, 5.2
      tell("received", describe({reinterpret_cast<const char*>(payload.data()), payload.size()},
                                entry.opcode == binary));
      if (what_.messages != 0 && ++received_ == what_.messages) stop("messages");
      if (what_.messages != 0 && received_ >= what_.messages) break;
    }
    next_ = ring.next();
  }

  void ready() override {
    was_ready_ = true;
    tell("ready");
  }

  void ended(const upstream::SessionEnd& end_of_it, std::chrono::milliseconds lived) override {
    json::object details{{"error", view(error_name(end_of_it.failure.error))},
                         {"message", end_of_it.failure.text},
                         {"close_code", nullptr},
                         {"closed_by", view(upstream::closed_by_name(end_of_it.closed_by))},
                         {"lived_ms", lived.count()},
                         {"attempt", last_attempt()}};
    if (end_of_it.close_code != 0) details["close_code"] = end_of_it.close_code;
    tell("ended", std::move(details));
    end();
  }

  /// There is to be no second session.
  void end() {
    asio::post(context_, [this] { connection_.stop(settings_.settings.timeouts.close); });
  }

  const DryRun& what_;
  int output_;
  bool output_gone_ = false;
  const config::Connection& settings_;
  std::unique_ptr<Masking> masking_;  ///< nullptr: there is no script
  asio::io_context context_;
  net::TlsContexts contexts_;
  Log log_;
  net::RealEnvironment environment_;
  upstream::ConnectBudgets budgets_;
  upstream::Connection connection_;
  asio::signal_set signals_;
  asio::steady_timer timer_;
  TimePoint begun_;
  ring::Sequence next_ = 0;
  std::uint64_t received_ = 0;
  bool was_ready_ = false;
  bool interrupted_ = false;
  bool forced_ = false;
  std::optional<std::string> stop_reason_;
};

}  // namespace

DryRunResult dry_run(const config::Config& config, const DryRun& what, int output) {
  const auto settings = std::ranges::find(config.connections, what.name, &config::Connection::name);
  if (settings == config.connections.end()) return DryRunResult::no_connection;
  return std::make_unique<Runner>(config, *settings, what, output)->run();
}

}  // namespace wskeep::daemon
