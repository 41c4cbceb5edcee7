#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace wskeep::script {

/// What a template draws its values from, beside files and the environment.
class Scope {
 public:
  /// The value of a variable, which outlives the evaluation; nothing while it has none.
  [[nodiscard]] virtual std::optional<std::string_view> variable(std::string_view name) const = 0;

  [[nodiscard]] virtual std::chrono::system_clock::time_point wall_now() const = 0;

  /// Fills `bytes`, unpredictably: nonces are made of them.
  virtual void random(std::span<std::byte> bytes) = 0;

 protected:
  ~Scope() = default;
};

}  // namespace wskeep::script
