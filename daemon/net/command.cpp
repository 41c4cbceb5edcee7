#include "daemon/net/command.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <optional>
#include <utility>

#include "daemon/net/readiness.hpp"

namespace wskeep::net {
namespace {

namespace asio = boost::asio;
using daemon::CommandEnd;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;
using namespace std::chrono_literals;

/// Of standard error: enough for a sentence.
constexpr std::size_t most_errors = 4096;
/// A program that was killed is waited for so long.
constexpr auto patience = 1s;
/// How often is looked whether a program has ended that keeps its pipes open, or gave them on.
constexpr auto soonest_look = 2ms;
constexpr auto latest_look = 50ms;

asio::awaitable<bool> cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

/// What comes by one pipe.
class Stream final : private TransportObserver {
 public:
  Stream(Environment& environment, int descriptor, Environment::Alarm& alarm)
      : alarm_(alarm), readiness_(environment.executor(), descriptor) {
    readiness_.observe(this);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() { readiness_.observe(nullptr); }

  /// All that is there now. Bytes beyond `most` are read and dropped.
  void drain(std::size_t most) {
    std::array<char, 4096> part;
    while (open_) {
      const ssize_t count = ::read(readiness_.descriptor(), part.data(), part.size());
      if (count < 0 && errno == EINTR) continue;
      open_ = count > 0 || (count < 0 && errno == EAGAIN);
      if (count <= 0) return;
      const auto size = static_cast<std::size_t>(count);
      text_.append(part.data(), std::min(size, most - std::min(most, text_.size())));
      total_ += size;
      if (total_ > most) return;  // an endless one has no end
    }
  }
  void await() {
    if (open_) readiness_.want_read(Readiness::Direction::read);
  }

  [[nodiscard]] bool is_open() const noexcept { return open_; }
  [[nodiscard]] std::size_t total() const noexcept { return total_; }
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }

 private:
  void on_readable() override { alarm_.wake(); }
  void on_writable() override {}

  Environment::Alarm& alarm_;
  Readiness readiness_;
  std::string text_;
  std::size_t total_ = 0;
  bool open_ = true;
};

/// One program on its way.
class Running {
 public:
  Running(Environment& environment, ChildProcess child, const daemon::Command& command)
      : environment_(environment),
        max_output_(command.max_output),
        deadline_(environment.now() + command.timeout),
        alarm_(environment.make_alarm()),
        child_(std::move(child)),
        output_(environment, child_.take_output(), *alarm_),
        errors_(environment, child_.take_errors(), *alarm_) {}

  asio::awaitable<daemon::CommandResult> run(LeftChildren& left) {
    const std::optional<CommandEnd::Kind> cut = co_await wait();
    const bool stopped = co_await cancelled();
    child_.kill();
    const std::optional<int> status = co_await reap();
    child_.leave_to(left);
    if (stopped) co_return Failure{Error::stopped, "stopped"};
    // What it wrote just before it ended.
    output_.drain(max_output_);
    errors_.drain(most_errors);
    co_return end_of(cut, status.value_or(0));
  }

 private:
  /// Until it has ended; what is given is why it is not waited for any longer.
  asio::awaitable<std::optional<CommandEnd::Kind>> wait() {
    std::chrono::milliseconds pace = soonest_look;
    for (;;) {
      output_.drain(max_output_);
      errors_.drain(most_errors);
      if (std::max(output_.total(), errors_.total()) > max_output_)
        co_return CommandEnd::Kind::output_too_large;
      if (child_.has_ended()) co_return std::nullopt;
      const TimePoint now = environment_.now();
      if (now >= deadline_) co_return CommandEnd::Kind::timed_out;
      output_.await();
      errors_.await();
      co_await alarm_->wait_until(std::min(deadline_, now + pace));
      pace = std::min<std::chrono::milliseconds>(2 * pace, latest_look);
      if (co_await cancelled()) co_return std::nullopt;
    }
  }

  asio::awaitable<std::optional<int>> reap() {
    const TimePoint until = environment_.now() + patience;
    for (;;) {
      if (const auto status = child_.reap()) co_return status;
      const TimePoint now = environment_.now();
      if (now >= until) co_return std::nullopt;
      co_await alarm_->wait_until(now + soonest_look);
    }
  }

  CommandEnd end_of(std::optional<CommandEnd::Kind> cut, int status) {
    CommandEnd end;
    end.output = output_.take();
    end.errors = errors_.take();
    if (cut) {
      end.kind = *cut;
    } else if (output_.total() > max_output_) {
      end.kind = CommandEnd::Kind::output_too_large;
    } else if (WIFSIGNALED(status)) {
      end.kind = CommandEnd::Kind::signalled;
      end.code = WTERMSIG(status);
    } else {
      end.code = WEXITSTATUS(status);
    }
    return end;
  }

  Environment& environment_;
  std::size_t max_output_;
  TimePoint deadline_;
  std::unique_ptr<Environment::Alarm> alarm_;
  ChildProcess child_;
  Stream output_;
  Stream errors_;
};

}  // namespace

asio::awaitable<daemon::CommandResult> run_command(Environment& environment, LeftChildren& left,
                                                   daemon::Command command) {
  // Cancelled, we still end what was started.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  left.reap();
  daemon::CommandResult result = Failure{Error::stopped, "stopped"};
  if (!co_await cancelled()) {
    auto child = ChildProcess::start(command);
    if (auto* const failure = std::get_if<Failure>(&child)) {
      result = std::move(*failure);
    } else {
      Running running(environment, std::get<ChildProcess>(std::move(child)), command);
      result = co_await running.run(left);
    }
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}

}  // namespace wskeep::net
