#include "cli/key.hpp"

#include <gtest/gtest.h>

namespace wskeep::cli {
namespace {

using Name = Key::Name;
using Keys = std::vector<Key>;

Key named(Name name) {
  return {.name = name};
}
Key letter(char character) {
  return {.name = Name::character, .character = character};
}

TEST(Keys, AreLettersAndNames) {
  EXPECT_EQ(parse_keys("q/"), (Keys{letter('q'), letter('/')}));
  EXPECT_EQ(parse_keys("\r\n\x7f\b\x04"),
            (Keys{named(Name::enter), named(Name::enter), named(Name::backspace),
                  named(Name::backspace), named(Name::end_of_input)}));
}

TEST(Keys, ComeAsSequencesInBothModesOfTheCursor) {
  EXPECT_EQ(parse_keys("\x1b[A\x1bOB"), (Keys{named(Name::up), named(Name::down)}));
  EXPECT_EQ(parse_keys("\x1b[5~\x1b[6~"), (Keys{named(Name::page_up), named(Name::page_down)}));
  EXPECT_EQ(parse_keys("\x1b[Hx\x1b[4~"), (Keys{named(Name::home), letter('x'), named(Name::end)}));
}

TEST(Keys, EscapeAloneIsAKey) {
  EXPECT_EQ(parse_keys("\x1b"), (Keys{named(Name::escape)}));
  EXPECT_EQ(parse_keys("\x1b\x1b[B"), (Keys{named(Name::escape), named(Name::down)}));
}

TEST(Keys, SequencesThatAreNotKnownAreNoLetters) {
  EXPECT_EQ(parse_keys("\x1b[1;5Aq"), (Keys{letter('q')})) << "a modified arrow";
  EXPECT_EQ(parse_keys("\x1b[200~"), Keys{});
  EXPECT_EQ(parse_keys("\x1b["), Keys{}) << "cut off";
  EXPECT_EQ(parse_keys("\x1bO"), Keys{});
  EXPECT_EQ(parse_keys(""), Keys{});
}

}  // namespace
}  // namespace wskeep::cli
