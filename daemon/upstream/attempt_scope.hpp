#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "daemon/environment.hpp"
#include "daemon/script/scope.hpp"
#include "daemon/script/variables.hpp"

namespace wskeep::upstream {

/// What the templates of an attempt draw on: URL, headers, `prepare`.
class AttemptScope final : public script::Scope {
 public:
  /// Both outlive it. `variables`: nullptr where there is no script.
  AttemptScope(daemon::Environment& environment, const script::Variables* variables) noexcept
      : environment_(environment), variables_(variables) {}

  [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const override;
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override;
  void random(std::span<std::byte> bytes) override;

 private:
  daemon::Environment& environment_;
  const script::Variables* variables_;
};

/// Fills `bytes`, unpredictably.
void fill_unpredictably(daemon::Environment& environment, std::span<std::byte> bytes);

}  // namespace wskeep::upstream
