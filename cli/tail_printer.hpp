#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/framing.hpp"
#include "websocket/frame.hpp"

namespace wskeep::cli {

/// How `tail` writes messages down.
struct TailStyle {
  bool json = false;        ///< an object a line
  bool terminal = false;    ///< what could garble a terminal is made visible
  bool timestamps = false;  ///< not with json, which has the time anyway
  bool colors = false;
};

/// Collects a batch of lines, to be written at once.
class TailPrinter {
 public:
  explicit TailPrinter(TailStyle style) noexcept : style_(style) {}

  void message(websocket::Opcode type, const ReceivedMessage& message);
  /// An event of the daemon: for people, or as it came.
  void happening(std::string_view json);
  /// An event as it came.
  void event(std::string_view text);

  [[nodiscard]] const std::string& batch() const noexcept { return batch_; }
  void clear() noexcept { batch_.clear(); }

 private:
  void message_as_json(websocket::Opcode type, const ReceivedMessage& message);

  TailStyle style_;
  std::string batch_;
  bool inside_ = false;  ///< a message that comes in parts
};

}  // namespace wskeep::cli
