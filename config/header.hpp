#pragma once

#include <string>
#include <string_view>

namespace wskeep::config {

/// What is wrong with the name of a header that the user adds to the upgrade request; empty:
/// nothing.
[[nodiscard]] std::string header_name_error(std::string_view name);

/// What is wrong with a header's value, without repeating it; empty: nothing. To be asked again
/// each time a value is resolved: a file may hold another by then.
[[nodiscard]] std::string header_value_error(std::string_view value);

/// What is wrong with the credentials of `authorization.basic` (RFC 7617) and the token of
/// `authorization.bearer` (RFC 6750), without repeating them; empty: nothing. To be asked again
/// each time too.
[[nodiscard]] std::string basic_error(std::string_view credentials);
[[nodiscard]] std::string bearer_error(std::string_view token);

/// What is wrong with the name of a subprotocol; empty: nothing.
[[nodiscard]] std::string subprotocol_error(std::string_view name);

}  // namespace wskeep::config
