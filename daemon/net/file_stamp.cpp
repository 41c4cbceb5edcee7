#include "daemon/net/file_stamp.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace wskeep::net {
namespace {

bool has_hashed_name(std::string_view name) {
  constexpr std::size_t hash_size = 8;
  constexpr std::string_view digits = "0123456789";
  constexpr std::string_view hexadecimal = "0123456789abcdef";
  return name.size() > hash_size + 1 && name[hash_size] == '.' &&
         name.substr(0, hash_size).find_first_not_of(hexadecimal) == std::string_view::npos &&
         name.substr(hash_size + 1).find_first_not_of(digits) == std::string_view::npos;
}

bool may_hold_authorities(std::string_view name) {
  return name.ends_with(".pem") || name.ends_with(".crt") || name.ends_with(".cer") ||
         has_hashed_name(name);
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size,
          status.st_ctim.tv_sec * 1'000'000'000LL + status.st_ctim.tv_nsec};
}

bool is_directory(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error);
}

std::vector<std::string> authority_files_in(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    if (!may_hold_authorities(at->path().filename().string())) continue;
    files.push_back(at->path().string());
    if (files.size() > most_authority_files) break;
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace wskeep::net
