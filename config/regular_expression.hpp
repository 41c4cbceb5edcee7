#pragma once

#include <re2/re2.h>

namespace wskeep::config {

/// How all regular expressions are compiled: of characters in UTF-8, or of `bytes`. Bounds what one
/// takes, and so what a message can make it take: RE2 falls back to less memory, never to more time
/// than is linear.
[[nodiscard]] inline re2::RE2::Options regular_expression_options(bool bytes = false) {
  re2::RE2::Options options;
  options.set_max_mem(1 << 20);
  options.set_log_errors(false);
  if (bytes) {
    options.set_encoding(re2::RE2::Options::EncodingLatin1);
  }
  return options;
}

}  // namespace wskeep::config
