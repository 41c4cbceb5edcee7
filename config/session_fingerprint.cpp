#include "config/session_fingerprint.hpp"

#include <string>

namespace wskeep::config {
namespace {

void add_to(std::uint64_t& fingerprint, const Element& element) {
  fingerprint = fingerprint_of(std::to_string(static_cast<int>(element.kind)), fingerprint);
  fingerprint = fingerprint_of(element.value, fingerprint);
  for (const auto* const elements : {&element.keys, &element.items}) {
    for (const Element& one : *elements) {
      add_to(fingerprint, one);
    }
  }
}

}  // namespace

std::uint64_t fingerprint_of(std::string_view text, std::uint64_t before) noexcept {
  constexpr std::uint64_t prime = 0x100000001B3U;
  for (const char c : text) {
    before = (before ^ static_cast<unsigned char>(c)) * prime;
  }
  return (before ^ 0xFFU) * prime;  // that is no byte of UTF-8: one text ends here
}

std::uint64_t fingerprint_of(std::span<const SessionSource> sources) {
  std::uint64_t fingerprint = fingerprint_of(std::string_view("session"));
  for (const SessionSource& source : sources) {
    add_to(fingerprint, *source.node);
  }
  return fingerprint;
}

}  // namespace wskeep::config
