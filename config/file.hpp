#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace wskeep::config {

/// Says in `what()` why a file cannot be read, without its path.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The content of a regular file of at most `limit` bytes. Never waits: devices, sockets and named
/// pipes are refused before they are opened. Throws FileError.
[[nodiscard]] std::string read_regular_file(const std::string& path, std::size_t limit);

/// Throws FileError where `read_regular_file` would before its first byte.
void check_readable(const std::string& path);

/// The same, but a folder that can be listed will do too.
void check_readable_file_or_folder(const std::string& path);

}  // namespace wskeep::config
