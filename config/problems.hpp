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
  std::size_t file = 0;  ///< as Problems::enter numbers it; 0: the one that was entered last

  friend bool operator==(const Place&, const Place&) = default;
};

/// Collects what is wrong with a configuration of one file or several.
class Problems {
 public:
  /// `places` gets where values stand; nullptr: nobody wants to know.
  explicit Problems(std::string file, Places* places = nullptr) : places_(places) {
    enter(std::move(file));
  }

  /// From now on another file is read. Its number, from 1 on.
  std::size_t enter(std::string file);
  [[nodiscard]] const std::string& file(std::size_t number) const {
    return files_.at(number - 1).name;
  }

  /// What the file holds, so that a place can be found within what was read of it.
  void keep_text(std::size_t number, std::string yaml) {
    files_.at(number - 1).text = std::move(yaml);
  }
  [[nodiscard]] std::string_view text(std::size_t number) const {
    return files_.at(number - 1).text;
  }

  /// A problem that is already there is not added again. Those over a limit are only counted.
  void add(Place place, std::string key, std::string message);

  /// There is a value under that key.
  void found(const std::string& key, Place place);

  [[nodiscard]] bool empty() const noexcept { return problems_.empty(); }

  /// Throws LoadError with all of them in the order of the files, if there are any.
  void throw_if_any() const;

 private:
  struct File {
    std::string name;
    std::string text;
  };
  struct Listed {
    std::size_t file;
    Problem problem;
  };

  Places* places_ = nullptr;
  std::vector<File> files_;
  std::vector<Listed> problems_;
  std::size_t not_listed_ = 0;
};

/// `'TEXT'`, shortened, and with control characters and bytes beyond ASCII made visible.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `PARENT.NAME`, with NAME made presentable as `in_quotes` does.
[[nodiscard]] std::string joined_key(std::string_view parent, std::string_view name);

}  // namespace wskeep::config
