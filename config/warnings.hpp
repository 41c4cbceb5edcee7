#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/load.hpp"

namespace wskeep::config {

/// What is allowed and hardly meant, or about to fail.
struct Warning {
  std::string connection;  ///< empty: of the daemon
  std::string path;        ///< of the key, below the file or the connection; may be empty
  std::string message;     ///< what is so, and what to do; no secret is in it

  /// `connections.trades.tls.key`
  [[nodiscard]] std::string key() const;
  /// `KEY: MESSAGE`
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Warning&, const Warning&) = default;
};

/// Rights that nobody has, secrets that everybody can read or that go over the network in the
/// clear, programs that cannot be run, folders that are not there. Asks the system for users,
/// groups and files, as whom it runs as. `places`: of the same load.
[[nodiscard]] std::vector<Warning> warnings(const Config& config, const Places& places);

/// Of folders in which no socket can be made. Not for a daemon that runs: it has its sockets, or
/// was handed them.
[[nodiscard]] std::vector<Warning> socket_warnings(const Config& config, const Places& places);

/// A warning with where it stands; and all that `warnings` has.
[[nodiscard]] Problem placed(const Warning& warning, const Places& places);
[[nodiscard]] std::vector<Problem> placed_warnings(const Config& config, const Places& places);

/// Where a key stands: itself, under `defaults`, or what it is in; nullptr: nowhere.
[[nodiscard]] const Whereabouts* find_place(const Places& places, std::string_view connection,
                                            std::string_view path);

}  // namespace wskeep::config
