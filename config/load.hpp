#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace wskeep::config {

/// One thing wrong with a file. `line` and `column` count from 1; 0 where there is no place to
/// name.
struct Problem {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
  std::string key;      ///< with its parents: `connections.trades.timeouts.connect`; may be empty
  std::string message;  ///< what is wrong, and what is allowed

  /// `FILE:LINE:COLUMN: KEY: MESSAGE`
  [[nodiscard]] std::string text() const;
};

/// All that is wrong with a file; `what()` has one problem a line.
class LoadError : public std::runtime_error {
 public:
  explicit LoadError(std::vector<Problem> problems);
  [[nodiscard]] const std::vector<Problem>& problems() const noexcept { return problems_; }

 private:
  std::vector<Problem> problems_;
};

/// Where a value stands in a file.
struct Whereabouts {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
};

/// Of each value that was given, by its key with its parents: `defaults.tls.key`,
/// `connections.trades.session.prepare[0].command`.
using Places = std::map<std::string, Whereabouts, std::less<>>;

/// Reads and checks a whole file, and with it `conf.d/*.yaml` beside it, in the order of their
/// names: more connections, to which the file's defaults apply. Throws LoadError with every problem
/// they have, in the order of the files. `places`, where it is given, gets where all that stands.
[[nodiscard]] Config load_file(const std::filesystem::path& file, Places* places = nullptr);

/// The same for text that is in memory; `file` is the name that problems carry.
[[nodiscard]] Config load_text(std::string_view yaml, const std::string& file,
                               Places* places = nullptr);

}  // namespace wskeep::config
