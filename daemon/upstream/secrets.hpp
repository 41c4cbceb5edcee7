#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wskeep::upstream {

/// Overwrites it before it is emptied, so that it is left nowhere in memory.
void wipe(std::string& secret) noexcept;

/// What we send and nobody must read in a log: hides it where a server says it back. Wiped when it
/// is destroyed.
class Secrets {
 public:
  /// Shorter ones are not looked for: they are in every other word.
  static constexpr std::size_t shortest = 4;

  Secrets() = default;
  Secrets(Secrets&&) noexcept = default;
  Secrets& operator=(Secrets&&) noexcept;
  Secrets(const Secrets&) = default;
  Secrets& operator=(const Secrets&) = delete;
  ~Secrets();

  void add(std::string_view secret);

  /// A header's value, and what it is made of: `Bearer TOKEN`, `session=TOKEN; other=TOKEN`.
  void add_header(std::string_view value);

  /// The values of a URL's parameters, as they stand and decoded.
  void add_query(std::string_view target);

  /// `***` for each of them, and for the beginning of one where the text was cut off within it.
  [[nodiscard]] std::string hidden(std::string_view text) const;

 private:
  void clear() noexcept;

  std::vector<std::string> secrets_;  ///< the longest first
};

}  // namespace wskeep::upstream
