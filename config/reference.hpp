#pragma once

#include <string>
#include <vector>

namespace wskeep::config {

/// One key as the documents name it.
struct ReferenceEntry {
  std::string path;           ///< `ipc.mode`, `defaults.timeouts.connect`, `connections.NAME.url`
  std::string type;           ///< `duration, 1ms to 1d`
  std::string default_value;  ///< as a file would write it; `none`, or `required`
  std::string description;    ///< Markdown, one line, no full stop at the end
};

/// Every key there is, once, in the order of the documents. What stands under `defaults` can stand
/// in each connection too.
[[nodiscard]] std::vector<ReferenceEntry> reference();

}  // namespace wskeep::config
