#pragma once

#include <string>
#include <string_view>

namespace wskeep::upstream {

/// A URL as it may be shown: without user and password, and with `***` for the value of each
/// parameter of the query that is not a place-holder, for tokens stand there. `url` may hold
/// place-holders (config::Template::source), whose texts in quotes are masked, too; what is no URL
/// comes back as it is, up to the query.
[[nodiscard]] std::string public_url(std::string_view url);

}  // namespace wskeep::upstream
