// Each key of the table: that a change of it is seen, and what follows from it.

#include <gtest/gtest.h>

#include <algorithm>

#include "another_value.hpp"
#include "config/difference.hpp"

namespace wskeep::config {
namespace {

using Names = std::vector<std::string>;

Config config_of(Draft draft) {
  draft.connection.name = "a";
  draft.config.connections.push_back(std::move(draft.connection));
  return std::move(draft.config);
}

Config with_other(const Key& key) {
  Draft draft;
  AnotherValue::of(key, draft);
  return config_of(std::move(draft));
}

TEST(Effects, AChangeOfEachKeyIsSeen) {
  const Config before = config_of({});
  for (const Key& key : all_keys()) {
    const Names self{std::string(key.path)};
    const Difference found = difference(before, with_other(key));
    if (key.scope == Scope::top) {
      const bool now = effect_of(key) == Effect::in_place;
      EXPECT_EQ(found.in_place, now ? self : Names{}) << key.path;
      EXPECT_EQ(found.next_start, now ? Names{} : self) << key.path;
      EXPECT_EQ(found.unchanged, 1U) << key.path;
    } else {
      ASSERT_EQ(found.changed.size(), 1U) << key.path;
      EXPECT_EQ(found.changed.front(), (ConnectionChange{"a", effect_of(key), self}));
    }
  }
}

/// What was said to wait for the next start is not taken over, and all else is.
TEST(Effects, WhatRunsThenIsWhatWasSaid) {
  const Config before = config_of({});
  for (const Key& key : all_keys()) {
    if (key.scope != Scope::top) continue;
    const Config wanted = with_other(key);
    const Difference left = difference(after_reload(before, wanted), wanted);
    const bool waits = effect_of(key) == Effect::next_start;
    EXPECT_EQ(left.next_start, waits ? Names{std::string(key.path)} : Names{}) << key.path;
    EXPECT_TRUE(left.in_place.empty()) << key.path;
  }
}

}  // namespace
}  // namespace wskeep::config
