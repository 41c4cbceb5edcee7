#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "match/search.hpp"

namespace wskeep::match {

/// Texts that are looked for in many others, all of them in one pass, so that many cost hardly more
/// than one.
class NeedleSet {
 public:
  /// Bytes that each of them has at least.
  static constexpr std::size_t shortest = 3;

  explicit NeedleSet(const std::vector<std::string>& texts);

  /// Sets `found[i]` for each of the texts that stands in `text`; the others are left as they are.
  /// `found` has as many elements as there are texts. False: none stands in it.
  [[nodiscard]] bool find(std::string_view text, std::vector<char>& found) const;

 private:
  static constexpr std::size_t buckets = 8;  ///< one bit each in a byte

  /// Three bytes of a needle stand for it. By the halves of such a byte, the buckets of the needles
  /// that have it.
  struct Nibbles {
    std::array<std::uint8_t, 16> low{};
    std::array<std::uint8_t, 16> high{};
  };

  [[nodiscard]] bool find_many(std::string_view text, std::vector<char>& found) const;
  [[nodiscard]] bool check(std::string_view text, std::size_t place, unsigned in_buckets,
                           std::vector<char>& found) const;

  std::vector<Needle> needles_;
  std::array<std::vector<std::uint32_t>, buckets> numbers_;  ///< of the needles in each
  std::array<Nibbles, shortest> nibbles_;
};

}  // namespace wskeep::match
