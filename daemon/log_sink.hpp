#pragma once

#include <string>

#include "daemon/log_entry.hpp"

namespace wskeep::daemon {

/// Whether it leads to systemd's journal, as systemd.exec(5) says of $JOURNAL_STREAM. Reads the
/// environment: before there are other threads.
[[nodiscard]] bool is_journal(int descriptor);

/// Where lines of the log go: a descriptor, or systemd's journal. Used by the log's thread alone,
/// which may be stuck in it for as long as nobody takes the line.
class LogSink {
 public:
  /// Reads the environment: before there are other threads.
  explicit LogSink(int descriptor);

  /// False: the line is lost. What the journal does not take goes to the descriptor.
  [[nodiscard]] bool write(const LogEntry& entry, config::LogFormat format);

 private:
  [[nodiscard]] bool to_journal(const LogEntry& entry);
  [[nodiscard]] bool to_descriptor(std::string line);

  int descriptor_;
  bool descriptor_is_journal_;
  bool torn_ = false;       ///< the last thing written is a piece of a line
  bool unreached_ = false;  ///< it was said that the journal is not to be reached
};

}  // namespace wskeep::daemon
