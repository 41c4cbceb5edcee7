#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/load.hpp"

// Any text is a configuration or a LoadError, and whatever else is thrown is a finding. The files
// that a text names are regular ones, opened to read, so that no input waits or changes anything.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    static_cast<void>(wskeep::config::load_text(text, "fuzz.yaml"));
  } catch (const wskeep::config::LoadError&) {
  }
  return 0;
}
