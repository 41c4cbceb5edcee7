#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "daemon/script/evaluate.hpp"
#include "daemon/script/scope.hpp"

namespace wskeep::script {

/// A scope in which time stands still and chance counts up from zero.
class FixedScope : public Scope {
 public:
  std::optional<std::string_view> variable(std::string_view name) const override {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string_view>(found->second);
  }

  std::chrono::system_clock::time_point wall_now() const override { return now; }

  void random(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(next_++);
    }
  }

  std::map<std::string, std::string, std::less<>> variables;
  /// 2024-02-29T12:34:56.789012Z
  std::chrono::system_clock::time_point now{std::chrono::microseconds(1'709'210'096'789'012)};

 private:
  unsigned char next_ = 0;
};

/// The value, or `error: ` and the sentence.
inline std::string value_of(std::string_view source, FixedScope& scope,
                            config::Template::Kind kind = config::Template::Kind::text) {
  Evaluated evaluated = evaluate(config::Template(source, kind), scope);
  if (const auto* const error = std::get_if<EvaluationError>(&evaluated)) {
    return "error: " + error->text;
  }
  return std::get<std::string>(evaluated);
}

}  // namespace wskeep::script
