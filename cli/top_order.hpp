#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace wskeep::cli {

/// What the rows of `wskeep top` are sorted by. All but the name begin with the largest.
enum class TopOrder : std::uint8_t {
  name,
  state,
  messages,
  bytes,
  sent,
  round_trip,
  ring,
  readers,
  lag
};

inline constexpr std::size_t order_count = 9;

[[nodiscard]] std::string_view order_name(TopOrder order) noexcept;
[[nodiscard]] std::optional<TopOrder> parse_order(std::string_view name) noexcept;

}  // namespace wskeep::cli
