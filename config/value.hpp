#pragma once

#include <string>

#include "config/document.hpp"
#include "config/keys.hpp"
#include "config/problems.hpp"

namespace wskeep::config {

/// Reads the value of one key into the draft. False where it is wrong, which is then in `problems`
/// under `path`, and the draft's member is unchanged or partly read.
bool read_value(const Key& key, const Element& node, const std::string& path, Draft& draft,
                Problems& problems);

/// Reports what is not the kind of node that is needed. `allowed` says what is.
bool require_kind(const Element& node, Element::Kind kind, const std::string& path,
                  const std::string& allowed, Problems& problems);

}  // namespace wskeep::config
