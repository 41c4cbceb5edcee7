#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "cli/attempts.hpp"
#include "cli/bar.hpp"

namespace wskeep::cli {

/// What became of a look-up or an address.
enum class AttemptOutcome : std::uint8_t { none, good, bad, running, not_needed };

/// A line of a cycle's picture, not yet fitted to a width. Its texts are visible characters alone.
struct AttemptRow {
  AttemptOutcome outcome = AttemptOutcome::none;
  std::string label;
  std::vector<Segment> segments;
  std::array<std::string, 3> figures;  ///< the longest first, for where room is short
};

[[nodiscard]] AttemptRow make_row(const LookUp& look_up);

/// `now` counts from the start of the cycle, as all its times do.
[[nodiscard]] AttemptRow make_row(const AddressAttempt& address, const UrlAttempt& leg,
                                  milliseconds now);

/// `now` likewise; for a step that was not done it is when that was given up, and `running` says
/// that it was not.
[[nodiscard]] AttemptRow make_row(const StepAttempt& step, Phase phase, milliseconds now,
                                  bool running);

[[nodiscard]] AttemptOutcome outcome_of(const AddressAttempt& address);

/// The URL has an address where others have a name: there was nothing to look up.
[[nodiscard]] bool is_literal(const LookUp& look_up);

/// The answers, and where they are from if no name server was asked.
[[nodiscard]] std::string answers_text(const LookUp& look_up);

/// `<1 ms`, and longer ones as format_duration has them.
[[nodiscard]] std::string span_text(milliseconds duration);

}  // namespace wskeep::cli
