#include "daemon/upstream/remembered_store.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/attempt_world.hpp"

namespace wskeep::upstream {
namespace {

using Values = RememberedStore::Values;

TEST(RememberedStore, GoesThroughAFile) {
  RememberedStore store;
  store.put("feed", 7, {{"id", "a\"b\n\xC3\xA9"}, {"seq", "12"}});
  store.put("trades", 0xFEDCBA9876543210U, {{"cursor", ""}});
  RememberedStore next;
  EXPECT_EQ(next.load(store.save()), "");
  EXPECT_EQ(next.find("feed", 7), (Values{{"id", "a\"b\n\xC3\xA9"}, {"seq", "12"}}));
  EXPECT_EQ(next.find("trades", 0xFEDCBA9876543210U), (Values{{"cursor", ""}}));
}

TEST(RememberedStore, RefusesWhatItDidNotWrite) {
  RememberedStore store;
  store.put("feed", 7, {{"seq", "12"}});
  for (const char* const text :
       {"", "{", "[]", R"({"version":2,"connections":{}})", R"({"version":1})",
        R"({"version":1,"connections":{"a":{"script":"x","values":{}}}})",
        R"({"version":1,"connections":{"a":{"script":"1","values":{"b":1}}}})"}) {
    EXPECT_NE(store.load(text), "") << text;
  }
  EXPECT_EQ(store.find("feed", 7), (Values{{"seq", "12"}}));
}

TEST(RememberedStore, KeepsNothingForAnotherScriptOrAConnectionThatIsGone) {
  RememberedStore store;
  int told = 0;
  store.on_change([&] { ++told; });
  store.put("feed", 7, {{"seq", "12"}});
  store.put("feed", 7, {{"seq", "12"}});
  store.put("none", 1, {});
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(store.find("feed", 8).empty());
  EXPECT_TRUE(store.find("feed", 7).empty());
  store.put("a", 1, {{"x", "1"}});
  store.put("b", 1, {{"x", "1"}});
  const auto before = store.changes();
  store.retain({"b", "c"});
  EXPECT_EQ(store.changes(), before + 1);
  EXPECT_TRUE(store.find("a", 1).empty());
  EXPECT_FALSE(store.find("b", 1).empty());
}

constexpr const char* keeping =
    "    url: 'wss://example.com/?cursor=${default(cursor, \"\")}'\n"
    "    session:\n"
    "      remember:\n"
    "        cursor: {value: /c, keep: restart}\n"
    "        other: /o\n";

/// A connection whose values are kept.
struct KeepingWorld : AttemptWorld {
  explicit KeepingWorld(RememberedStore& store, const std::string& lines = keeping)
      : AttemptWorld(lines) {
    make();
    connection->keep_remembered(store);
    connection->start([this] { ++done; });
    run_for(0ms);
  }
};

TEST(RememberedStore, IsWrittenAtOnceAndThenOnceASecondAtMost) {
  RememberedStore store;
  KeepingWorld world(store);
  world.say(R"({"o":"not kept"})");
  EXPECT_EQ(store.changes(), 0U);
  world.say(R"({"c":1})");
  EXPECT_EQ(store.changes(), 1U);
  for (int i = 2; i < 50; ++i) {
    world.say("{\"c\":" + std::to_string(i) + "}");
    world.run_for(10ms);
  }
  EXPECT_EQ(store.changes(), 1U);
  // The last value is not left behind when nothing comes any more.
  world.run_for(1s);
  EXPECT_EQ(store.changes(), 2U);
  EXPECT_NE(store.save().find(R"("cursor":"49")"), std::string::npos);
  EXPECT_EQ(store.save().find("not kept"), std::string::npos);
  world.say(R"({"c":50})");
  world.end_session();
  EXPECT_NE(store.save().find(R"("cursor":"50")"), std::string::npos);
}

TEST(RememberedStore, GivesTheNextDaemonWhatTheLastOneHad) {
  RememberedStore store;
  {
    KeepingWorld world(store);
    EXPECT_EQ(world.target(), "/?cursor=");
    world.say(R"({"c":77})");
    world.connection->stop(0ms);
    world.run_for(1s);
  }
  {
    KeepingWorld world(store);
    EXPECT_EQ(world.target(), "/?cursor=77");
  }
  // The same script, but another place.
  KeepingWorld world(store, "    url: 'wss://example.com/v2?cursor=${default(cursor, \"\")}'\n" +
                                std::string(keeping).substr(std::string(keeping).find('\n') + 1));
  EXPECT_EQ(world.target(), "/v2?cursor=");
}

TEST(RememberedStore, ForgetsWhatUpstreamRefuses) {
  RememberedStore store;
  KeepingWorld world(store);
  world.say(R"({"c":77})");
  world.refusal = [](const std::string&, const std::string& request) {
    return request.find("cursor=77") != std::string::npos ? http_answer("410 Gone", "") : "";
  };
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(store.save().find("77"), std::string::npos);
}

TEST(RememberedStore, LeavesLongValuesOut) {
  RememberedStore store;
  KeepingWorld world(store);
  world.say("{\"c\":\"" + std::string(5000, 'x') + "\"}");
  world.run_for(2s);
  EXPECT_EQ(store.changes(), 0U);
}

}  // namespace
}  // namespace wskeep::upstream
