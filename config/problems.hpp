#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace wskeep::config {

/// Where something stands in a file, counted from 1; 0: nowhere.
struct Place {
  std::size_t line = 0;
  std::size_t column = 0;

  friend bool operator==(const Place&, const Place&) = default;
};

/// Collects what is wrong with one file.
class Problems {
 public:
  /// `yaml` is what the file holds, which outlives this.
  explicit Problems(std::string file, std::string_view yaml = {})
      : file_(std::move(file)), yaml_(yaml) {}

  [[nodiscard]] std::string_view yaml() const noexcept { return yaml_; }

  /// A problem that is already there is not added again. Those over a limit are only counted.
  void add(Place place, std::string key, std::string message);

  [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }

  /// Throws LoadError with all of them in the order of the file, if there are any.
  void throw_if_any() const;

 private:
  std::string file_;
  std::string_view yaml_;
  std::vector<Problem> problems_;
  std::size_t not_listed_ = 0;
};

/// `'TEXT'`, shortened, and with control characters and bytes beyond ASCII made visible.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `PARENT.NAME`, with NAME made presentable as `in_quotes` does.
[[nodiscard]] std::string joined_key(std::string_view parent, std::string_view name);

}  // namespace wskeep::config
