#include "daemon/log.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;
using Level = Log::Level;

constexpr config::Rate no_limit{};

config::Log settings(Level level = Level::info, config::Rate rate = no_limit,
                     std::uint64_t queue = 1U << 20U) {
  return {.level = level, .format = config::LogFormat::text, .rate = rate, .queue = queue};
}

/// What a log writes into, and somebody reads or does not.
class Pipe {
 public:
  Pipe() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_reader();
    if (ends_[1] >= 0) ::close(ends_[1]);
  }

  [[nodiscard]] int writer() const { return ends_[1]; }

  void close_reader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }

  /// Somebody is in the middle of a write, and will be for as long as there is a reader.
  void leave_writer_open() { ends_[1] = -1; }

  /// Until nothing more goes in.
  void fill() const {
    const int flags = ::fcntl(ends_[1], F_GETFL);
    ::fcntl(ends_[1], F_SETFL, flags | O_NONBLOCK);
    const std::string line(4095, '#');
    while (::write(ends_[1], (line + "\n").data(), line.size() + 1) > 0) {
    }
    while (::write(ends_[1], "\n", 1) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, flags);
  }

  /// Lines of the log, without their times, until one has these words.
  std::vector<std::string> lines_until(const std::string& words) {
    std::vector<std::string> lines;
    while (lines.empty() || lines.back().find(words) == std::string::npos) {
      const std::string line = next_line();
      if (line.empty() && ended_) {
        ADD_FAILURE() << "no line has: " << words;
        break;
      }
      if (line.empty() || line.front() == '#') continue;
      lines.push_back(line.substr(std::min<std::size_t>(line.size(), 25)));
    }
    return lines;
  }

 private:
  std::string next_line() {
    for (;;) {
      if (const std::size_t end = pending_.find('\n'); end != std::string::npos) {
        std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return line;
      }
      char bytes[65536];
      pollfd readable{ends_[0], POLLIN, 0};
      const ssize_t count =
          ::poll(&readable, 1, 60'000) == 1 ? ::read(ends_[0], bytes, sizeof(bytes)) : 0;
      if (count <= 0) {
        ended_ = true;
        return "";
      }
      pending_.append(bytes, static_cast<std::size_t>(count));
    }
  }

  int ends_[2]{-1, -1};
  std::string pending_;
  bool ended_ = false;
};

void wait_until(const std::function<bool()>& condition) {
  for (int tries = 0; tries < 60'000 && !condition(); ++tries) std::this_thread::sleep_for(1ms);
  EXPECT_TRUE(condition());
}

std::size_t number_behind(const std::string& line, const std::string& key) {
  const std::size_t at = line.find(key);
  EXPECT_NE(at, std::string::npos) << line;
  return at == std::string::npos ? 0 : std::stoul(line.substr(at + key.size()));
}

TEST(Log, OneLinePerEvent) {
  Pipe pipe;
  Log log(settings(), pipe.writer());
  EXPECT_TRUE(log.write(Level::info, "", "listening", {{"socket", "/run/s"}}));
  EXPECT_FALSE(log.write(Level::debug, "a", "state"));
  EXPECT_TRUE(log.write(Level::warning, "a", "disconnected", {{"message", "it is gone"}}));
  EXPECT_EQ(pipe.lines_until("gone"),
            (std::vector<std::string>{"info    - listening socket=/run/s",
                                      R"(warning a disconnected message="it is gone")"}));
}

TEST(Log, AConnectionsOwnLevel) {
  Pipe pipe;
  Log log(settings(Level::warning), pipe.writer());
  EXPECT_FALSE(log.write(Level::debug, "a", "x"));
  EXPECT_TRUE(log.write(Level::debug, "b", "x", {}, Level::debug));
  EXPECT_FALSE(log.write(Level::warning, "c", "x", {}, Level::error));
  EXPECT_TRUE(log.writes(Level::warning));
  EXPECT_FALSE(log.writes(Level::warning, Level::error));
  EXPECT_TRUE(log.write(Level::error, "", "last"));
  EXPECT_EQ(pipe.lines_until("last"), (std::vector<std::string>{"debug   b x", "error   - last"}));
}

TEST(Log, OtherSettingsHoldAtOnce) {
  Pipe pipe;
  Log log(settings(Level::error), pipe.writer());
  log.write(Level::info, "a", "before");
  config::Log other = settings(Level::debug, {1, 1h}, 64U << 10U);
  other.format = config::LogFormat::json;
  log.configure(other);
  EXPECT_EQ(log.statistics().queue_limit, 64U << 10U);
  EXPECT_TRUE(log.write(Level::debug, "a", "after"));
  EXPECT_FALSE(log.write(Level::debug, "a", "after"));
  const auto lines = pipe.lines_until("after");
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines.front().find(R"("level":"debug","event":"after","connection":"a"})"),
            std::string::npos)
      << lines.front();
}

TEST(Log, WhatIsTooMuchIsLeftOutAndCounted) {
  Pipe pipe;
  auto log = std::make_unique<Log>(settings(Level::info, {2, 1h}), pipe.writer());
  for (int line = 0; line < 10; ++line)
    EXPECT_EQ(log->write(Level::info, "a", "flaps", {{"n", std::to_string(line)}}), line < 2);
  EXPECT_TRUE(log->write(Level::info, "", "reload_failed"));
  for (int line = 0; line < 5; ++line) log->add(Level::info, "configuration_problem", {});
  EXPECT_EQ(log->statistics().left_out, 8U);
  EXPECT_EQ(log->statistics().dropped, 0U);
  log.reset();
  const auto lines = pipe.lines_until("log_left_out");
  ASSERT_EQ(lines.size(), 9U) << "what belongs to another line is not left out";
  EXPECT_EQ(lines[1], "info    a flaps n=1");
  EXPECT_EQ(lines[8], "info    a log_left_out kind=flaps lines=8 within=1h");
}

TEST(Log, WhatWasLeftOutIsToldWithoutAnotherLine) {
  Pipe pipe;
  Log log(settings(Level::info, {1, 1s}), pipe.writer());
  while (log.statistics().left_out == 0) log.write(Level::info, "a", "flaps");
  EXPECT_NE(pipe.lines_until("log_left_out").back().find("kind=flaps lines="), std::string::npos);
}

/// Nobody who writes waits; the oldest are lost, and their number stands where they would.
TEST(Log, APipeThatNobodyReads) {
  Pipe pipe;
  pipe.fill();
  Log log(settings(Level::info, no_limit, 64U << 10U), pipe.writer());
  constexpr std::size_t written = 5'000;
  log.write(Level::info, "a", "line", {{"n", "0"}});
  wait_until([&] { return log.statistics().queue_bytes == 0; });  // it is stuck with that one
  for (std::size_t line = 1; line < written; ++line)
    log.write(Level::info, "a", "line", {{"n", std::to_string(line)}});
  const auto statistics = log.statistics();
  EXPECT_GT(statistics.dropped, 1'000U);
  EXPECT_LE(statistics.queue_bytes, statistics.queue_limit);
  EXPECT_EQ(statistics.write_failures, 0U);
  const auto lines = pipe.lines_until("n=4999");
  const auto loss = std::ranges::find_if(
      lines, [](const std::string& line) { return line.find("log_dropped") != std::string::npos; });
  ASSERT_NE(loss, lines.end());
  EXPECT_EQ(number_behind(*loss, "lines="), statistics.dropped);
  EXPECT_EQ(lines.size() - 1 + statistics.dropped, written);
  // What was lost is what its place says.
  const std::size_t next = number_behind(*std::next(loss), "n=");
  EXPECT_EQ(next, static_cast<std::size_t>(loss - lines.begin()) + statistics.dropped);
  EXPECT_TRUE(log.write(Level::info, "a", "on"));
  EXPECT_EQ(pipe.lines_until("on"), (std::vector<std::string>{"info    a on"}));
}

TEST(Log, ItsEndDoesNotWaitForWhoNeverReads) {
  Pipe pipe;
  pipe.fill();
  auto log = std::make_unique<Log>(settings(), pipe.writer());
  for (int line = 0; line < 10; ++line) log->write(Level::info, "a", "line");
  log.reset();  // or the test hangs
  pipe.leave_writer_open();
}

TEST(Log, AllIsWrittenAtTheEnd) {
  Pipe pipe;
  auto log = std::make_unique<Log>(settings(), pipe.writer());
  for (int line = 0; line < 500; ++line)
    log->write(Level::info, "a", "line", {{"n", std::to_string(line)}});
  log.reset();
  EXPECT_EQ(pipe.lines_until("n=499").size(), 500U);
}

TEST(Log, AFullDiskIsCountedAndTold) {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) GTEST_SKIP() << "there is no /dev/full";
  Pipe pipe;
  const int disk = ::dup(full);
  Log log(settings(), disk);
  for (int line = 0; line < 10; ++line) log.write(Level::info, "a", "line");
  wait_until([&] { return log.statistics().write_failures == 10; });
  EXPECT_EQ(log.statistics().dropped, 10U);
  // The disk has room again.
  ASSERT_GE(::dup2(pipe.writer(), disk), 0);
  log.write(Level::info, "a", "again");
  EXPECT_EQ(pipe.lines_until("again"),
            (std::vector<std::string>{"warning - log_dropped lines=10", "info    a again"}));
  ::close(full);
}

TEST(Log, AReaderThatIsGoneIsNoSignal) {
  Pipe pipe;
  Log log(settings(), pipe.writer());
  pipe.close_reader();
  std::signal(SIGPIPE, SIG_DFL);
  log.write(Level::info, "a", "line");
  wait_until([&] { return log.statistics().write_failures == 1; });
  std::signal(SIGPIPE, SIG_IGN);
}

/// Somebody who shares the descriptor may have made it so.
TEST(Log, ADescriptorThatDoesNotBlockIsWaitedFor) {
  Pipe pipe;
  pipe.fill();
  ::fcntl(pipe.writer(), F_SETFL, ::fcntl(pipe.writer(), F_GETFL) | O_NONBLOCK);
  Log log(settings(), pipe.writer());
  log.write(Level::info, "a", "line");
  EXPECT_EQ(pipe.lines_until("line").size(), 1U);
  EXPECT_EQ(log.statistics().write_failures, 0U);
}

TEST(Log, ManyThreadsMayWrite) {
  Pipe pipe;
  Log log(settings(Level::info, {50, 1h}, 64U << 10U), pipe.writer());
  constexpr int each = 500;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&log, name = "c" + std::to_string(number)] {
      for (int line = 0; line < each; ++line) log.write(Level::info, name, "line");
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.statistics().left_out, 4U * (each - 50));
  log.write(Level::info, "", "last");
  EXPECT_EQ(pipe.lines_until("last").size(), 201U);
}

}  // namespace
}  // namespace wskeep::daemon
