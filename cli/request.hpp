#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "ipc/client/error.hpp"

namespace wskeep::cli {

/// Ends a command with a code and a sentence for people.
class CommandError : public std::runtime_error {
 public:
  CommandError(ExitCode code, const std::string& sentence)
      : std::runtime_error(sentence), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// Where docs/ipc.md has one connection.
[[nodiscard]] std::string connection_path(std::string_view name);

/// The body of a 200. Throws CommandError for every other answer; `connection` is whom the request
/// is about, or empty.
[[nodiscard]] std::string fetch(const Options& options, const std::string& target,
                                std::string_view connection);

[[nodiscard]] ExitCode exit_code(const ipc::ClientError& error) noexcept;
[[nodiscard]] CommandError refused(const ipc::Refusal& refusal, std::string_view connection);

}  // namespace wskeep::cli
