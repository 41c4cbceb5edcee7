#pragma once

#include <string>

namespace wskeep::cli {

/// The configuration as a JSON Schema (draft 2020-12), for editors. Written from the table that the
/// loader reads by (config/keys.hpp), so that neither knows a key that the other does not. What a
/// text must look like beyond its form, and whether values fit one another, only the loader knows.
[[nodiscard]] std::string configuration_schema();

}  // namespace wskeep::cli
