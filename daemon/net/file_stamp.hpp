#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace wskeep::net {

/// A file as it is now, to see later whether it has changed. One that cannot be seen is all zeros.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t changed = 0;  ///< nanoseconds; also when only its owner or mode did
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

/// Of what the path names, links followed.
[[nodiscard]] FileStamp stamp_of(const std::string& path);

[[nodiscard]] bool is_directory(const std::string& path);

/// Files of a directory of authorities that are looked at; more are an error for who reads them.
inline constexpr std::size_t most_authority_files = 4096;

/// The files of a directory that may hold authorities: NAME.pem, NAME.crt, NAME.cer, and the names
/// that c_rehash gives (an eight-digit hash, a dot, a number). In order of their paths; at most
/// `most_authority_files` + 1. Empty when it cannot be read.
[[nodiscard]] std::vector<std::string> authority_files_in(const std::string& directory);

}  // namespace wskeep::net
