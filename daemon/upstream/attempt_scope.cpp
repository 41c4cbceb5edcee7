#include "daemon/upstream/attempt_scope.hpp"

#include <cstdint>

namespace wskeep::upstream {

std::optional<std::string_view> AttemptScope::variable(std::string_view name) const {
  return variables_ == nullptr ? std::nullopt : variables_->find(name);
}

std::chrono::system_clock::time_point AttemptScope::wall_now() const {
  return environment_.wall_now();
}

void AttemptScope::random(std::span<std::byte> bytes) {
  fill_unpredictably(environment_, bytes);
}

void fill_unpredictably(daemon::Environment& environment, std::span<std::byte> bytes) {
  std::uint32_t drawn = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % sizeof drawn == 0) drawn = environment.unpredictable();
    bytes[i] = static_cast<std::byte>(drawn & 0xFFU);
    drawn >>= 8U;
  }
}

}  // namespace wskeep::upstream
