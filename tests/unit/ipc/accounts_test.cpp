#include "ipc/accounts.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

#include "ipc/client_slot.hpp"

namespace wskeep::ipc {
namespace {

Accounts::Limits limits() {
  return {.clients = 4,
          .clients_per_user = 3,
          .subscriptions = 3,
          .subscriptions_per_user = 2,
          .in_flight = 1000};
}

std::uint64_t refused(const Accounts& accounts, Refusal refusal) {
  return accounts.refusals()[static_cast<std::size_t>(refusal)];
}

TEST(Accounts, CountsClientsInAllAndByUser) {
  Accounts accounts(limits());
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(accounts.add_client(1));
  EXPECT_EQ(accounts.add_client(1), Refusal::user_clients);
  EXPECT_FALSE(accounts.add_client(2));
  EXPECT_EQ(accounts.add_client(2), Refusal::clients);
  EXPECT_EQ(accounts.add_client(3), Refusal::clients);
  EXPECT_EQ(accounts.total().clients, 4U);
  EXPECT_EQ(accounts.users().size(), 2U);
  EXPECT_EQ(refused(accounts, Refusal::clients), 2U);
  EXPECT_EQ(refused(accounts, Refusal::user_clients), 1U);
  accounts.remove_client(1);
  EXPECT_FALSE(accounts.add_client(3));
}

TEST(Accounts, CountsSubscriptionsInAllAndByUser) {
  Accounts accounts(limits());
  EXPECT_FALSE(accounts.add_subscription(1));
  EXPECT_FALSE(accounts.add_subscription(1));
  EXPECT_EQ(accounts.add_subscription(1), Refusal::user_subscriptions);
  EXPECT_FALSE(accounts.add_subscription(2));
  EXPECT_EQ(accounts.add_subscription(2), Refusal::subscriptions);
  accounts.remove_subscription(1);
  EXPECT_FALSE(accounts.add_subscription(2));
}

TEST(Accounts, NobodyHoldsMoreThanIsLeft) {
  Accounts accounts(limits());
  EXPECT_TRUE(accounts.charge(1, 0, 500));
  EXPECT_FALSE(accounts.charge(1, 0, 1));
  EXPECT_TRUE(accounts.charge(2, 0, 250));
  EXPECT_FALSE(accounts.charge(2, 250, 251));
  EXPECT_TRUE(accounts.charge(3, 0, 125));
  EXPECT_FALSE(accounts.charge(1, 500, 501));
  EXPECT_EQ(accounts.total().in_flight, 875U);
  // What is less is always granted.
  EXPECT_TRUE(accounts.charge(1, 500, 400));
  EXPECT_TRUE(accounts.charge(1, 400, 0));
  EXPECT_EQ(accounts.users().size(), 2U);
  EXPECT_TRUE(accounts.charge(2, 250, 437));
  EXPECT_EQ(refused(accounts, Refusal::in_flight), 3U);
}

TEST(Accounts, ALowerLimitIsForWhatComes) {
  Accounts accounts(limits());
  EXPECT_TRUE(accounts.charge(1, 0, 400));
  EXPECT_FALSE(accounts.add_client(1));
  accounts.limit({.clients = 1, .clients_per_user = 1, .in_flight = 100});
  EXPECT_EQ(accounts.add_client(2), Refusal::clients);
  EXPECT_FALSE(accounts.charge(2, 0, 1));
  EXPECT_FALSE(accounts.charge(1, 400, 401));
  EXPECT_TRUE(accounts.charge(1, 400, 399));
  EXPECT_TRUE(accounts.charge(1, 399, 0));
  EXPECT_TRUE(accounts.charge(2, 0, 50));
}

// Whatever was granted before, whoever comes new gets something, down to a byte.
TEST(Accounts, ThereIsAlwaysSomethingLeftForANewUser) {
  std::mt19937 random(7);
  Accounts accounts({.in_flight = std::uint64_t{1} << 30U});
  std::map<std::uint32_t, std::uint64_t> held;
  for (int step = 0; step < 20'000; ++step) {
    const auto uid = static_cast<std::uint32_t>(1 + random() % 12);
    const std::uint64_t wanted = random() % (std::uint64_t{1} << (random() % 31U));
    if (accounts.charge(uid, held[uid], wanted)) held[uid] = wanted;
    std::uint64_t sum = 0;
    for (const auto& [user, bytes] : held) sum += bytes;
    ASSERT_EQ(accounts.total().in_flight, sum);
    ASSERT_TRUE(accounts.charge(99, 0, 1));
    ASSERT_TRUE(accounts.charge(99, 1, 0));
  }
}

TEST(ClientSlot, GivesEverythingBack) {
  const auto accounts = std::make_shared<Accounts>(Accounts::Limits{.clients = 1,
                                                                    .clients_per_user = 1,
                                                                    .subscriptions = 1,
                                                                    .subscriptions_per_user = 1,
                                                                    .in_flight = 1U << 20U});
  {
    ClientSlot slot(accounts, {{7, {}}, 0});
    ASSERT_FALSE(slot.refusal());
    EXPECT_FALSE(slot.subscribe());
    EXPECT_TRUE(slot.hold(10'000));
    EXPECT_EQ(accounts->total().in_flight, 0U);
    EXPECT_TRUE(slot.hold(100'000));
    EXPECT_GE(accounts->total().in_flight, 90'000U);
    EXPECT_FALSE(slot.hold(800'000));
    EXPECT_LT(accounts->total().in_flight, 200'000U);
    ClientSlot moved(std::move(slot));
    EXPECT_EQ(moved.client()->peer.uid, 7U);
    const ClientSlot second(accounts, {{7, {}}, 0});
    EXPECT_EQ(second.refusal(), Refusal::clients);
  }
  EXPECT_TRUE(accounts->users().empty());
  EXPECT_EQ(accounts->total().clients + accounts->total().subscriptions, 0U);
  EXPECT_EQ(accounts->total().in_flight, 0U);
}

using std::chrono::milliseconds;

TEST(PublishGate, LetsAsManyThroughAsItsLimitSaysAndThenOneAfterTheOther) {
  PublishGate gate(config::PublishLimits{.rate = {10, milliseconds(1000)}, .bytes = {}});
  auto now = PublishGate::Clock::now();
  int sent = 0;
  while (gate.opens() <= now) {
    gate.count(1, now);
    ++sent;
  }
  EXPECT_EQ(sent, 10);
  EXPECT_EQ(gate.opens() - now, milliseconds(100));
  now += milliseconds(100);
  EXPECT_LE(gate.opens(), now);
  gate.count(1, now);
  EXPECT_EQ(gate.opens() - now, milliseconds(100));
  now += std::chrono::hours(1);
  for (sent = 0; gate.opens() <= now; ++sent) gate.count(1, now);
  EXPECT_EQ(sent, 10);
}

TEST(PublishGate, AMessageLargerThanTheAllowanceIsPaidForAfterwards) {
  PublishGate gate(config::PublishLimits{.rate = {}, .bytes = {1000, milliseconds(1000)}});
  const auto now = PublishGate::Clock::now();
  ASSERT_LE(gate.opens(), now);
  gate.count(10'000, now);
  EXPECT_GE(gate.opens() - now, milliseconds(9'000));
  EXPECT_LE(gate.opens() - now, milliseconds(9'002));
}

TEST(PublishGate, ThatIsOffIsAlwaysOpen) {
  PublishGate gate;
  const auto now = PublishGate::Clock::now();
  for (int i = 0; i < 1000; ++i) gate.count(1U << 20U, now);
  EXPECT_TRUE(gate.off());
  EXPECT_LE(gate.opens(), now);
}

}  // namespace
}  // namespace wskeep::ipc
