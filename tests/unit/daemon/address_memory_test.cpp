#include "daemon/upstream/address_memory.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

constexpr daemon::TimePoint start{1000h};

daemon::Endpoint at(const std::string& address) {
  return {boost::asio::ip::make_address(address), 443};
}

std::vector<daemon::Endpoint> all(const std::vector<std::string>& addresses) {
  std::vector<daemon::Endpoint> endpoints;
  for (const std::string& address : addresses) endpoints.push_back(at(address));
  return endpoints;
}

std::string text(const std::vector<daemon::Endpoint>& endpoints) {
  std::string result;
  for (const auto& endpoint : endpoints)
    result += (result.empty() ? "" : " ") + endpoint.address().to_string();
  return result;
}

TEST(AddressMemory, FamiliesAlternateAndIpv6Begins) {
  const AddressMemory memory;
  EXPECT_EQ(text(memory.order(all({"10.0.0.1", "10.0.0.2", "10.0.0.3", "::1", "::2"}), 9, start)),
            "::1 10.0.0.1 ::2 10.0.0.2 10.0.0.3");
}

TEST(AddressMemory, RepeatsAreTriedOnceAndTheLimitHolds) {
  const AddressMemory memory;
  EXPECT_EQ(text(memory.order(all({"10.0.0.2", "10.0.0.2", "10.0.0.1", "10.0.0.3"}), 2, start)),
            "10.0.0.2 10.0.0.1");
  EXPECT_TRUE(memory.order({}, 5, start).empty());
}

TEST(AddressMemory, TheLastGoodOneGoesFirst) {
  AddressMemory memory;
  memory.succeeded(at("10.0.0.3"));
  const auto answers = all({"10.0.0.1", "10.0.0.2", "10.0.0.3", "::1"});
  EXPECT_EQ(text(memory.order(answers, 9, start)), "10.0.0.3 ::1 10.0.0.1 10.0.0.2");
  memory.succeeded(at("10.0.0.9"));  // not among the answers: of no use
  EXPECT_EQ(text(memory.order(answers, 9, start)), "::1 10.0.0.1 10.0.0.2 10.0.0.3");
}

TEST(AddressMemory, ThoseThatFailedGoLastOldestFirst) {
  AddressMemory memory;
  memory.failed(at("10.0.0.2"), start);
  memory.failed(at("10.0.0.1"), start + 1s);
  const auto answers = all({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  EXPECT_EQ(text(memory.order(answers, 9, start + 2s)), "10.0.0.3 10.0.0.2 10.0.0.1");
  memory.failed(at("10.0.0.2"), start + 3s);
  EXPECT_EQ(text(memory.order(answers, 9, start + 4s)), "10.0.0.3 10.0.0.1 10.0.0.2");
}

TEST(AddressMemory, SoTheNextCycleTriesOthers) {
  AddressMemory memory;
  const auto answers = all({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
  for (const auto& endpoint : memory.order(answers, 2, start)) memory.failed(endpoint, start);
  EXPECT_EQ(text(memory.order(answers, 2, start)), "10.0.0.3 10.0.0.4");
}

TEST(AddressMemory, AFailureIsForgottenInTimeAndBySuccess) {
  AddressMemory memory;
  memory.failed(at("10.0.0.1"), start);
  const auto answers = all({"10.0.0.1", "10.0.0.2"});
  EXPECT_EQ(text(memory.order(answers, 9, start + AddressMemory::lately + 1s)),
            "10.0.0.1 10.0.0.2");
  EXPECT_EQ(text(memory.order(answers, 9, start + 1s)), "10.0.0.2 10.0.0.1");
  memory.succeeded(at("10.0.0.1"));
  EXPECT_EQ(text(memory.order(answers, 9, start + 1s)), "10.0.0.1 10.0.0.2");
}

TEST(AddressMemory, AGoodOneThatFailedSinceGoesLast) {
  AddressMemory memory;
  memory.succeeded(at("10.0.0.1"));
  memory.failed(at("10.0.0.1"), start);
  EXPECT_EQ(text(memory.order(all({"10.0.0.1", "10.0.0.2"}), 9, start)), "10.0.0.2 10.0.0.1");
}

TEST(AddressMemory, IsBounded) {
  AddressMemory memory;
  for (unsigned i = 0; i < 1000; ++i)
    memory.failed({boost::asio::ip::address_v4(0x0A000000U + i), 443}, start);
  EXPECT_EQ(memory.size(), AddressMemory::capacity);
}

}  // namespace
}  // namespace wskeep::upstream
