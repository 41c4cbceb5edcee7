#include "daemon/net/child_process.hpp"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <chrono>
#include <string>
#include <thread>
#include <variant>

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;

/// What process 1 of a container is: programs whose parent has ended become its children.
class Adopting : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }
  void TearDown() override { EXPECT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0), 0); }

  static ChildProcess start(const std::string& script) {
    daemon::Command command;
    command.arguments = {"/bin/sh", "-c", script};
    return std::get<ChildProcess>(ChildProcess::start(command));
  }
  template <typename Condition>
  static bool comes_true(Condition condition) {
    for (int i = 0; i < 6000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
};

TEST_F(Adopting, WhatAProgramHasStartedIsReapedToo) {
  LeftChildren left;
  ChildProcess child = start("sleep 600 & sleep 600 & exit 0");
  ASSERT_TRUE(comes_true([&] { return child.has_ended(); }));
  child.kill();
  ASSERT_EQ(child.reap(), 0);
  child.leave_to(left);
  EXPECT_TRUE(comes_true([&] {
    left.reap();
    return left.count() == 0;
  }));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child that nobody waits for";
}

TEST_F(Adopting, OneThatIsKilledIsReapedWithAllThatItHasStarted) {
  LeftChildren left;
  ChildProcess child = start("sleep 600 & sleep 600; true");
  child.kill();
  child.leave_to(left);
  EXPECT_TRUE(comes_true([&] {
    left.reap();
    return left.count() == 0;
  }));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child that nobody waits for";
}

TEST(LeftChildren, NothingIsKeptOfAProgramThatLeftNothing) {
  LeftChildren left;
  daemon::Command command;
  command.arguments = {"/bin/true"};
  ChildProcess child = std::get<ChildProcess>(ChildProcess::start(command));
  while (!child.reap()) std::this_thread::sleep_for(1ms);
  child.leave_to(left);
  EXPECT_EQ(left.count(), 0U);
}

}  // namespace
}  // namespace wskeep::net
