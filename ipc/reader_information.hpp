#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace wskeep::ipc {

/// One local app that reads, as it stands: for people who look. Taken anew each time; nothing of it
/// is kept but the two counts.
struct ReaderInformation {
  std::string_view kind;       ///< `plain`, `wskeep.v1`, `ndjson`
  std::optional<uid_t> uid{};  ///< of whoever called connect(2)
  std::optional<pid_t> pid{};
  std::uint64_t lag_messages = 0;      ///< received from upstream and not yet in its socket
  std::uint64_t oldest_unsent_ns = 0;  ///< when the oldest of those was received, or of those still
                                       ///< kept; since 1970, 0: there are none
  std::uint64_t unread_bytes = 0;      ///< memory of what lies in its socket unread
  std::uint64_t sent_bytes = 0;
  std::uint64_t lost_messages = 0;
  bool waits = false;  ///< its socket is full
};

}  // namespace wskeep::ipc
