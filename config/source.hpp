#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Where the values of place-holders come from. Each time anew: nothing is kept.
namespace wskeep::config {

/// Largest file that a place-holder can name, in bytes.
inline constexpr std::size_t value_file_limit = std::size_t{64} << 10U;

/// Letters, digits and `_`, and no digit first.
[[nodiscard]] bool is_variable_name(std::string_view name);

/// Throws TextError when the variable is not set.
[[nodiscard]] std::string read_environment(const std::string& name);

/// What can name a credential: a file's name, and no path.
[[nodiscard]] bool is_credential_name(std::string_view name);

/// Where the service manager put that credential (LoadCredential= of systemd.exec(5)): below
/// CREDENTIALS_DIRECTORY; for those that systemd did not start, where wskeepd.service has its own.
[[nodiscard]] std::string credential_path(std::string_view name);

/// What the credential holds, without its one last line end. Throws TextError when there is none of
/// that name, or it is too large.
[[nodiscard]] std::string read_credential(const std::string& name);

/// What the file holds, without its one last line end. Throws TextError when it cannot be read or
/// is too large.
[[nodiscard]] std::string read_value_file(const std::string& path);

}  // namespace wskeep::config
