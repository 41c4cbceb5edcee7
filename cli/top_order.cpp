#include "cli/top_order.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wskeep::cli {
namespace {

constexpr std::array<std::pair<TopOrder, std::string_view>, order_count> orders{{
    {TopOrder::name, "name"},
    {TopOrder::state, "state"},
    {TopOrder::messages, "messages"},
    {TopOrder::bytes, "bytes"},
    {TopOrder::sent, "sent"},
    {TopOrder::round_trip, "rtt"},
    {TopOrder::ring, "ring"},
    {TopOrder::readers, "readers"},
    {TopOrder::lag, "lag"},
}};

}  // namespace

std::string_view order_name(TopOrder order) noexcept {
  return std::ranges::find(orders, order, [](const auto& entry) { return entry.first; })->second;
}

std::optional<TopOrder> parse_order(std::string_view name) noexcept {
  for (const auto& [order, word] : orders) {
    if (word == name) return order;
  }
  return std::nullopt;
}

}  // namespace wskeep::cli
