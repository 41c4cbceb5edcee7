#pragma once

#include <cstdint>
#include <string>

namespace wskeep::cli {

/// Which file is meant: the main one, or one of `conf.d`.
enum class SchemaOf : std::uint8_t { main, further };

/// The configuration as a JSON Schema (draft 2020-12), for editors. Written from the table that the
/// loader reads by (config/keys.hpp, config/session_keys.hpp), so that neither knows a key that the
/// other does not. What a text must look like beyond its form, and whether values fit one another,
/// only the loader knows.
[[nodiscard]] std::string configuration_schema(SchemaOf file = SchemaOf::main);

/// Where the package has put it, by where this program lies; empty: nowhere.
[[nodiscard]] std::string installed_schema();

}  // namespace wskeep::cli
