#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/color.hpp"

namespace wskeep::cli {

/// Labels and values in groups, the values below each other.
class Facts {
 public:
  explicit Facts(bool colors) noexcept : colors_(colors) {}

  void group(std::string title);
  /// Control characters in the value are made visible. An empty value is left out.
  void add(std::string label, std::string_view value, Color color = Color::none);

  /// Groups without facts are left out.
  [[nodiscard]] std::string text() const;

 private:
  struct Fact {
    std::string label;
    std::string value;
    Color color;
  };
  struct Group {
    std::string title;
    std::vector<Fact> facts;
  };

  bool colors_;
  std::vector<Group> groups_;
};

}  // namespace wskeep::cli
