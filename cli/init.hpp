#pragma once

#include <string>

namespace wskeep::cli {

/// What a first configuration is written from. All texts are as a person gave them.
struct FirstConfiguration {
  std::string name;        ///< of the connection
  std::string url;         ///< ws:// or wss://
  std::string subscribe;   ///< sent when it is open; empty: nothing
  std::string token_file;  ///< holds a bearer token; empty: none
  std::string metrics;     ///< ADDRESS:PORT; empty: none
  std::string socket;      ///< of local programs
  std::string schema{};    ///< for editors: a file; empty: none
};

/// A name for the connection: the part of the host that says most. `trades` where there is none.
[[nodiscard]] std::string name_for(const std::string& url);

/// A commented file, whatever the texts hold: they are written as YAML strings. It may not be a
/// good one: config::load_text says so.
[[nodiscard]] std::string write_first_configuration(const FirstConfiguration& wanted);

}  // namespace wskeep::cli
