#include "config/source.hpp"

#include <cstdlib>

#include "config/characters.hpp"
#include "config/file.hpp"
#include "config/text.hpp"

namespace wskeep::config {

bool is_variable_name(std::string_view name) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view digits = "0123456789";
  if (name.empty() || digits.find(name.front()) != std::string_view::npos) {
    return false;
  }
  for (const char c : name) {
    if (letters.find(c) == std::string_view::npos && digits.find(c) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

std::string read_environment(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  if (value == nullptr) {
    throw TextError("environment variable '" + name + "' is not set");
  }
  return value;
}

bool is_credential_name(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && !has_control(name);
}

std::string credential_path(std::string_view name) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  return std::string(folder == nullptr ? "/run/credentials/wskeepd.service" : folder) + "/" +
         std::string(name);
}

std::string read_credential(const std::string& name) {
  try {
    return read_value_file(credential_path(name));
  } catch (const TextError& error) {
    throw TextError("credential '" + name + "': " + error.what() +
                    "; systemd gives it to the service that has LoadCredential=" + name + ":PATH");
  }
}

std::string read_value_file(const std::string& path) {
  try {
    std::string value = read_regular_file(path, value_file_limit);
    if (value.ends_with('\n')) {
      value.pop_back();
      if (value.ends_with('\r')) {
        value.pop_back();
      }
    }
    return value;
  } catch (const FileError& error) {
    throw TextError("file '" + path + "': " + error.what());
  }
}

}  // namespace wskeep::config
