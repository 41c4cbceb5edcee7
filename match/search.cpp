#include "match/search.hpp"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace wskeep::match {

namespace {

#ifdef __SSE2__
constexpr std::size_t width = sizeof(__m128i);

/// Two bytes of a needle, at their distances from its first.
struct Probes {
  __m128i first;
  __m128i last;
  std::size_t first_distance;
  std::size_t last_distance;

  /// Where both stand, of the sixteen places from `at` on: one bit each.
  [[nodiscard]] std::uint64_t places(const char* at) const noexcept {
    const __m128i left = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + first_distance));
    const __m128i right = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + last_distance));
    return static_cast<unsigned>(
        _mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(left, first), _mm_cmpeq_epi8(right, last))));
  }

  /// The same for sixty-four.
  [[nodiscard]] std::uint64_t many_places(const char* at) const noexcept {
    return places(at) | places(at + width) << 16U | places(at + 2 * width) << 32U |
           places(at + 3 * width) << 48U;
  }
};
#endif

}  // namespace

// The ends of what is looked for in JSON are quotes, which are everywhere: what is next to them is
// rarer.
Needle::Needle(std::string text)
    : text_(std::move(text)),
      first_probe_(text_.size() >= 3 ? 1 : 0),
      last_probe_(text_.size() >= 4 ? text_.size() - 2 : text_.size() - 1) {}

// Many places at a time are asked whether two of the needle's bytes stand there; the rest is
// compared where they do. memmem() of the C library is several times slower on texts this short.
std::size_t Needle::find(std::string_view text, std::size_t from) const noexcept {
#ifdef __SSE2__
  const std::size_t size = text_.size();
  if (from < text.size() && text.size() - from >= width + size - 1) {
    const Probes probes{_mm_set1_epi8(text_[first_probe_]), _mm_set1_epi8(text_[last_probe_]),
                        first_probe_, last_probe_};
    const std::size_t end = text.size() - size + 1;  // of the places where it can stand
    for (;;) {
      const char* const at = text.data() + from;
      const bool many = end - from >= 4 * width;
      std::uint64_t places = many ? probes.many_places(at) : probes.places(at);
      for (; places != 0; places &= places - 1) {
        const auto place = static_cast<std::size_t>(std::countr_zero(places));
        if (std::memcmp(at + place, text_.data(), size) == 0) {
          return from + place;
        }
      }
      from += many ? 4 * width : width;
      if (from >= end) {
        return npos;
      }
      // The last sixteen may hold some that were asked before.
      from = std::min(from, end - width);
    }
  }
#endif
  return text.find(text_, from);
}

}  // namespace wskeep::match
