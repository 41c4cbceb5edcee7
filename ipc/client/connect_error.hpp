#pragma once

#include <string>

namespace wskeep::ipc {

/// Throws ClientError for what connect(2) said of that path: who may use the socket and how to
/// become one of them, how the daemon is started.
[[noreturn]] void throw_connect_error(const std::string& path, int error);

}  // namespace wskeep::ipc
