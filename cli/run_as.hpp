#pragma once

#include <string>

namespace wskeep::cli {

/// From now on this process has the rights of that user, with its groups, and cannot go back.
/// Throws CommandError where there is no such user, or only root could do that.
void become(const std::string& user);

/// Who this process is: `root`, `wskeep`, `uid 1000`.
[[nodiscard]] std::string own_user();

/// Whether there is a user of that name.
[[nodiscard]] bool has_user(const std::string& name);

}  // namespace wskeep::cli
