#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/attempts.hpp"
#include "cli/color.hpp"

namespace wskeep::cli {

/// What an attempt's time was spent on.
enum class Phase : std::uint8_t { prepare, name, tcp, reserve, proxy, tls, http, script };

inline constexpr std::array all_phases{Phase::prepare, Phase::name, Phase::tcp,  Phase::reserve,
                                       Phase::proxy,   Phase::tls,  Phase::http, Phase::script};

struct PhaseLook {
  std::string_view name;
  std::string_view fine;   ///< one column of UTF-8
  std::string_view plain;  ///< one of ASCII
  Color color;
};

[[nodiscard]] const PhaseLook& look_of(Phase phase) noexcept;

/// A phase from `begin` to where the next one begins, or to the row's end.
struct Segment {
  Phase phase = Phase::name;
  milliseconds begin{0};
  milliseconds end{0};
};

/// What an address spent its time on, in order and without gaps. Beside the address itself it takes
/// those that it may have waited for in reserve; what still runs goes on to `now`.
[[nodiscard]] std::vector<Segment> segments_of(const AddressAttempt& address,
                                               const std::vector<AddressAttempt>& all,
                                               milliseconds now);

/// Which phase is drawn in each column: `cells` of them span `total`. Every segment has one at
/// least, as long as there are enough.
[[nodiscard]] std::vector<std::optional<Phase>> lay_out(const std::vector<Segment>& segments,
                                                        milliseconds total, std::size_t cells);

}  // namespace wskeep::cli
