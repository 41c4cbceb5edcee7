#pragma once

#include <memory>
#include <span>
#include <string>

#include "config/document.hpp"
#include "config/problems.hpp"
#include "config/session.hpp"

namespace wskeep::config {

/// A `session` of the file, and the path of its key.
struct SessionSource {
  const Element* node = nullptr;
  std::string path;
};

/// Reads what stands under `session`: of each of its keys the last source that has it counts, save
/// that variables are taken from all. Nothing where there are no sources. What is wrong is added to
/// `problems`.
[[nodiscard]] std::shared_ptr<const SessionScript> read_session(
    std::span<const SessionSource> sources, Problems& problems);

}  // namespace wskeep::config
