#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>

#include "daemon/environment.hpp"
#include "daemon/upstream/statistics.hpp"

namespace wskeep::upstream {

/// Bytes and messages a second, smoothed over about ten seconds. Costs nothing until it is asked
/// for: then the counters are compared with those of the last time.
class Bandwidth {
 public:
  struct Rates {
    double bytes_in = 0;
    double bytes_out = 0;
    double messages_in = 0;
    double messages_out = 0;
  };

  /// `begin` is when the counters began: the first answer is the mean since then.
  explicit Bandwidth(daemon::TimePoint begin) : last_(begin) {}

  [[nodiscard]] Rates measure(const Statistics& now_counts, daemon::TimePoint now) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    if (seconds < shortest) return rates_;
    const double weight = 1 - std::exp(-seconds / smoothing);
    const auto blend = [&](double& rate, std::uint64_t before, std::uint64_t after) {
      rate += weight * (static_cast<double>(after - before) / seconds - rate);
    };
    blend(rates_.bytes_in, counts_.wire_bytes_in, now_counts.wire_bytes_in);
    blend(rates_.bytes_out, counts_.wire_bytes_out, now_counts.wire_bytes_out);
    blend(rates_.messages_in, counts_.messages_in, now_counts.messages_in);
    blend(rates_.messages_out, counts_.messages_out, now_counts.messages_out);
    last_ = now;
    counts_ = {now_counts.wire_bytes_in, now_counts.wire_bytes_out, now_counts.messages_in,
               now_counts.messages_out};
    return rates_;
  }

 private:
  struct Counts {
    std::uint64_t wire_bytes_in = 0;
    std::uint64_t wire_bytes_out = 0;
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
  };

  static constexpr double shortest = 0.2;
  static constexpr double smoothing = 10;

  daemon::TimePoint last_;
  Counts counts_;
  Rates rates_;
};

}  // namespace wskeep::upstream
