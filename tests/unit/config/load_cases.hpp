#pragma once

#include <string>

#include "config/load.hpp"

namespace wskeep::config {

/// A text, and what the loader says to it.
struct Case {
  std::string yaml;
  std::string error;
};

inline std::string error_of(const std::string& yaml) {
  try {
    static_cast<void>(load_text(yaml, "f"));
    return "";
  } catch (const LoadError& error) {
    return error.what();
  }
}

/// The error of a file in which nothing but this line, the first one, is wrong.
inline std::string error_of_top(const std::string& line) {
  return error_of(line + "\nconnections: {a: {url: wss://h/}}\n");
}

/// The error of a file in which nothing but one setting of a connection is wrong. It begins at 3:5.
inline std::string error_of_setting(const std::string& setting) {
  return error_of("connections:\n  a:\n    " + setting + "\n    url: wss://h/\n");
}

/// The settings of the only connection, which has these and a wss:// URL. Several lines of YAML,
/// each with four spaces before it but the first.
inline ConnectionSettings settings_of(const std::string& lines, const std::string& defaults = "") {
  const Config config = load_text(defaults + (defaults.empty() ? "" : "\n") +
                                      "connections:\n  a:\n    url: wss://h/\n    " + lines + "\n",
                                  "f");
  return config.connections.at(0).settings;
}

}  // namespace wskeep::config
