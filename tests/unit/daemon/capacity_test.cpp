// What `wskeep check` reckons with is decided in the daemon's parts: here the two meet.

#include "config/capacity.hpp"

#include <gtest/gtest.h>

#include "config/session.hpp"
#include "daemon/script/evaluate.hpp"
#include "daemon/script/variables.hpp"
#include "daemon/upstream/fetch.hpp"
#include "daemon/upstream/prepare.hpp"
#include "ipc/encoding.hpp"
#include "ring/ring.hpp"

namespace wskeep::config {
namespace {

TEST(Costs, OfARingAreItsMemory) {
  for (const std::uint64_t history : {4096U, 65'536U, 1'000'000U, 1U << 20U, 3U << 20U}) {
    for (const std::uint64_t max_message : {1U, 4096U, 100'000U, 1U << 20U, 5U << 20U}) {
      const ring::Memory memory(ring::Ring({history, max_message}, 1).capacity(),
                                ring::Ring({history, max_message}, 1).slots());
      EXPECT_EQ(ring_bytes(history, max_message),
                memory.header().data_offset + memory.header().data_bytes)
          << history << " " << max_message;
    }
  }
  EXPECT_EQ(Costs::ring_headroom, ring::Ring::headroom);
  EXPECT_EQ(Costs::ring_entry, sizeof(ring::Entry));
}

TEST(Costs, OfScriptsHoldTheirLimits) {
  EXPECT_EQ(Costs::variable, script::Variables::max_value);
  // The answer, its head, and what a template makes of it.
  EXPECT_GE(Costs::prepare, upstream::max_fetched + upstream::max_fetched_head + script::max_value);
  EXPECT_GE(Costs::prepare, upstream::max_command_output + script::max_value);
}

/// Frames as they lie in the ring are only encoded for readers with a filter.
TEST(Costs, OfReadersKnowAllEncodings) {
  EXPECT_EQ(Costs::encodings, ipc::encoding_count - 1);
}

}  // namespace
}  // namespace wskeep::config
