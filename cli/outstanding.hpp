#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/framing.hpp"

namespace wskeep::cli {

/// The messages that `send` has handed to the daemon, by the number that is their ID.
class Outstanding {
 public:
  /// What goes in front of the next message's payload.
  [[nodiscard]] std::string next_id() { return std::to_string(++queued_) + "\n"; }

  /// Takes `sent` and `failed`; every other event, and an ID that is not ours, is passed over.
  void take(const Event& event);

  [[nodiscard]] std::uint64_t queued() const noexcept { return queued_; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t waiting() const noexcept { return queued_ - sent_ - failed_; }

  struct Failure {
    std::uint64_t number = 0;
    std::string error;
    std::string message;
  };
  [[nodiscard]] const std::optional<Failure>& first_failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }

 private:
  std::uint64_t queued_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t failed_ = 0;
  std::optional<Failure> failure_;
};

}  // namespace wskeep::cli
