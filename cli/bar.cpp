#include "cli/bar.hpp"

#include <algorithm>
#include <cmath>

namespace wskeep::cli {

namespace {

/// An address that waits in reserve goes on when those that had TCP before it have ended.
milliseconds end_of_reserve(const AddressAttempt& address, const std::vector<AddressAttempt>& all,
                            milliseconds at_most) {
  milliseconds end = *address.tcp;
  for (const AddressAttempt& other : all) {
    if (&other == &address || !other.tcp || *other.tcp > *address.tcp || !other.ended) continue;
    if (*other.ended <= at_most) end = std::max(end, *other.ended);
  }
  return end;
}

struct Mark {
  Phase phase;
  std::optional<milliseconds> end;
};

std::optional<Phase> phase_named(std::string_view stage) {
  for (const Phase phase : all_phases) {
    if (look_of(phase).name == stage) return phase;
  }
  if (stage == "reserve") return Phase::reserve;
  return std::nullopt;
}

}  // namespace

const PhaseLook& look_of(Phase phase) noexcept {
  // The shades differ without colours as well.
  static constexpr std::array<PhaseLook, all_phases.size()> looks{
      {{"prepare", "▚", "%", Color::magenta},
       {"name", "░", ".", Color::blue},
       {"tcp", "▒", "-", Color::cyan},
       {"waits", "·", ":", Color::dim},
       {"proxy", "▞", "~", Color::magenta},
       {"tls", "▓", "=", Color::yellow},
       {"http", "█", "#", Color::green},
       {"script", "▄", "+", Color::cyan}}};
  return looks.at(static_cast<std::size_t>(phase));
}

std::vector<Segment> segments_of(const AddressAttempt& address,
                                 const std::vector<AddressAttempt>& all, milliseconds now) {
  const milliseconds end = std::max(address.ended.value_or(now), address.started);
  std::vector<Mark> marks{{Phase::tcp, address.tcp}};
  if (address.tcp && address.stage != "reserve") {
    const milliseconds later =
        address.proxy.value_or(address.tls.value_or(address.http.value_or(end)));
    const milliseconds waited = end_of_reserve(address, all, later);
    if (waited > *address.tcp) marks.push_back({Phase::reserve, waited});
  }
  if (address.proxy) marks.push_back({Phase::proxy, address.proxy});
  if (address.tls) marks.push_back({Phase::tls, address.tls});
  if (address.http) marks.push_back({Phase::http, address.http});

  std::vector<Segment> segments;
  milliseconds at = address.started;
  for (const Mark& mark : marks) {
    if (!mark.end) break;
    const milliseconds until = std::clamp(*mark.end, at, end);
    segments.push_back({mark.phase, at, until});
    at = until;
  }
  // What it was in when it ended, or is in.
  const auto last = phase_named(address.stage);
  const bool in_it = last && std::ranges::find(segments, *last, &Segment::phase) == segments.end();
  if (in_it) segments.push_back({*last, at, end});
  return segments;
}

std::vector<std::optional<Phase>> lay_out(const std::vector<Segment>& segments, milliseconds total,
                                          std::size_t cells) {
  std::vector<std::optional<Phase>> row(cells);
  if (segments.empty() || cells == 0) return row;
  const auto cell_of = [&](milliseconds time) {
    const auto length = static_cast<double>(std::max<std::int64_t>(total.count(), 1));
    const double share = static_cast<double>(time.count()) / length;
    const double cell = std::clamp(share, 0.0, 1.0) * static_cast<double>(cells);
    return static_cast<std::size_t>(std::lround(cell));
  };
  std::vector<std::size_t> starts;
  for (const Segment& segment : segments) {
    const std::size_t least = starts.empty() ? 0 : starts.back() + 1;
    starts.push_back(std::max(cell_of(segment.begin), least));
  }
  // What was pushed over the right end makes room to its left.
  for (std::size_t index = segments.size(); index-- > 0;) {
    const std::size_t behind = segments.size() - index;
    starts[index] = std::min(starts[index], cells > behind ? cells - behind : 0);
  }
  for (std::size_t index = 0; index < segments.size(); ++index) {
    const bool is_last = index + 1 == segments.size();
    const std::size_t end = is_last ? std::max(cell_of(segments[index].end), starts[index] + 1)
                                    : std::max(starts[index + 1], starts[index] + 1);
    for (std::size_t cell = starts[index]; cell < std::min(end, cells); ++cell) {
      row[cell] = segments[index].phase;
    }
  }
  return row;
}

}  // namespace wskeep::cli
