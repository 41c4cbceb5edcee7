#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/problems.hpp"

namespace wskeep::config {

/// YAML as this project takes it: maps, lists and text, each with its place. No anchors, aliases or
/// tags.
struct Element {
  enum class Kind { null, scalar, sequence, map, refused };

  Kind kind = Kind::null;  ///< refused: its problem is already reported
  Place place;
  std::string value;           ///< of a scalar
  bool quoted = false;         ///< a scalar in quotes or a block
  std::vector<Element> keys;   ///< of a map, one for each of `items`
  std::vector<Element> items;  ///< of a map or a sequence
};

/// Deeper than any configuration needs, and shallow enough for every function that recurses.
inline constexpr std::size_t deepest = 16;

/// Bytes of a file.
inline constexpr std::size_t largest_file = std::size_t{1} << 20U;

/// Reads one document. What is wrong is added to `problems`; without a value there is no tree to go
/// on with.
[[nodiscard]] std::optional<Element> parse_document(std::string_view yaml, Problems& problems);

/// Calls `visit` for each entry of a map in the order of the file, after reporting (and leaving
/// out) keys that are not text, merge keys and keys given twice. `parent` is the map's key path.
void for_each_entry(const Element& map, const std::string& parent, Problems& problems,
                    const std::function<void(const Element& key, const Element& value)>& visit);

/// `a map`, `a list`, `text`: for messages.
[[nodiscard]] std::string_view kind_text(Element::Kind kind);

}  // namespace wskeep::config
