#pragma once

#include <map>
#include <string>

#include "config/keys.hpp"
#include "config/problems.hpp"

namespace wskeep::config {

/// Where a connection's value comes from.
struct Origin {
  Place place;
  std::string key;         ///< with its parents
  bool inherited = false;  ///< from `defaults`
  bool good = true;        ///< it could be read
};

/// By a key's path in the table; keys that are not given are not there.
using Origins = std::map<std::string, Origin, std::less<>>;

/// Checks what several values of one connection must have in common, inherited ones included.
/// Values that could not be read are left out.
void check_connection(const Draft& draft, const Origins& origins, Problems& problems);

}  // namespace wskeep::config
