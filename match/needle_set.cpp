#include "match/needle_set.hpp"

#include <algorithm>
#include <bit>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace wskeep::match {
namespace {

/// Where the three bytes begin that stand for a needle. Its ends are quotes mostly, which are
/// everywhere.
std::size_t fingerprint_at(const Needle& needle) {
  return needle.text().size() > NeedleSet::shortest ? 1 : 0;
}

/// Places that are looked at at once.
constexpr std::size_t width = 32;

bool has_wide_registers() {
#ifdef __x86_64__
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
#else
  return false;
#endif
}

}  // namespace

NeedleSet::NeedleSet(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const std::size_t bucket = needles_.size() % buckets;
    const auto bit = static_cast<std::uint8_t>(1U << bucket);
    numbers_[bucket].push_back(static_cast<std::uint32_t>(needles_.size()));
    const Needle& needle = needles_.emplace_back(text);
    for (std::size_t i = 0; i < shortest; ++i) {
      const auto byte = static_cast<unsigned char>(text[fingerprint_at(needle) + i]);
      std::uint8_t& low = nibbles_[i].low[byte & 0x0FU];
      std::uint8_t& high = nibbles_[i].high[byte >> 4U];
      low = static_cast<std::uint8_t>(low | bit);
      high = static_cast<std::uint8_t>(high | bit);
    }
  }
}

bool NeedleSet::find(std::string_view text, std::vector<char>& found) const {
  if (has_wide_registers() && text.size() >= width + shortest - 1) {
    return find_many(text, found);
  }
  bool any = false;
  for (std::size_t i = 0; i < needles_.size(); ++i) {
    if (needles_[i].in(text)) {
      found[i] = 1;
      any = true;
    }
  }
  return any;
}

/// Whether needles of these buckets, whose three bytes may stand at `place`, do.
bool NeedleSet::check(std::string_view text, std::size_t place, unsigned in_buckets,
                      std::vector<char>& found) const {
  bool any = false;
  for (; in_buckets != 0; in_buckets &= in_buckets - 1) {
    for (const std::uint32_t number :
         numbers_[static_cast<std::size_t>(std::countr_zero(in_buckets))]) {
      const Needle& needle = needles_[number];
      const std::size_t before = fingerprint_at(needle);
      if (place >= before && text.substr(place - before).starts_with(needle.text())) {
        found[number] = 1;
        any = true;
      }
    }
  }
  return any;
}

#ifdef __x86_64__

// The method is known as Teddy (of Hyperscan): a table look-up for each half of a byte tells, for
// 32 places at a time, the buckets whose needles have such bytes there. The rest is compared.
__attribute__((target("avx2"))) bool NeedleSet::find_many(std::string_view text,
                                                          std::vector<char>& found) const {
  __m256i low[shortest];  // not std::array: g++ warns of the type's alignment
  __m256i high[shortest];
  for (std::size_t i = 0; i < shortest; ++i) {
    low[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(nibbles_[i].low.data())));
    high[i] = _mm256_broadcastsi128_si256(
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(nibbles_[i].high.data())));
  }
  const __m256i half = _mm256_set1_epi8(0x0F);
  const std::size_t end = text.size() - (shortest - 1);  // of the places
  bool any = false;
  for (std::size_t at = 0;;) {
    __m256i bits = _mm256_set1_epi8(-1);
    for (std::size_t i = 0; i < shortest; ++i) {
      const __m256i bytes =
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at + i));
      const __m256i of_low = _mm256_shuffle_epi8(low[i], _mm256_and_si256(bytes, half));
      const __m256i of_high =
          _mm256_shuffle_epi8(high[i], _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half));
      bits = _mm256_and_si256(bits, _mm256_and_si256(of_low, of_high));
    }
    auto places = ~static_cast<unsigned>(
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(bits, _mm256_setzero_si256())));
    if (places != 0) {
      alignas(width) std::array<std::uint8_t, width> in_buckets;
      _mm256_store_si256(reinterpret_cast<__m256i*>(in_buckets.data()), bits);
      for (; places != 0; places &= places - 1) {
        const auto place = static_cast<std::size_t>(std::countr_zero(places));
        any = check(text, at + place, in_buckets[place], found) || any;
      }
    }
    at += width;
    if (at >= end) {
      return any;
    }
    // The last ones may have been looked at before.
    at = std::min(at, end - width);
  }
}

#else

bool NeedleSet::find_many(std::string_view, std::vector<char>&) const {
  return false;
}

#endif

}  // namespace wskeep::match
