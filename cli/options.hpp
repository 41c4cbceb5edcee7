#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/console.hpp"
#include "cli/exit_code.hpp"
#include "cli/top_order.hpp"

namespace wskeep::cli {

struct ListCommand {
  bool once = false;   ///< one table, also on a terminal
  bool names = false;  ///< a name a line, and silence on errors: for completions
};

struct ShowCommand {
  std::string name;
};

struct WhyCommand {
  std::string name;
  std::optional<std::size_t> cycles;  ///< how many of the last; none: a few, and all in JSON
};

enum class Control : std::uint8_t { reconnect, pause, resume };

struct ControlCommand {
  Control control = Control::reconnect;
  std::vector<std::string> names;
  bool all = false;                               ///< instead of names
  std::optional<std::chrono::milliseconds> wait;  ///< until ready, at most that long
};

/// What is followed.
enum class TailSource : std::uint8_t {
  connection,
  all,     ///< connections
  events,  ///< what happens to them
};

struct TailCommand {
  TailSource source = TailSource::connection;
  std::string name;                ///< of the connection
  std::string contains;            ///< filters: text that messages have in them,
  std::vector<std::string> where;  ///< `/POINTER:VALUE` of their JSON,
  std::string opcode;              ///< `text` or `binary`; empty: both
  std::string from;                ///< `oldest`, `newest` or empty
  std::string after;               ///< a cursor, or empty
  bool events = false;
  bool timestamps = false;
  bool reconnect = false;
  std::uint64_t limit = 0;  ///< 0: none
};

struct TopCommand {
  std::chrono::milliseconds interval{1'000};
  std::uint64_t batch = 0;  ///< so many tables, and leave; 0: the live view
  TopOrder order = TopOrder::name;
  std::string filter;
};

struct SendCommand {
  std::string name;
  std::optional<std::string> text;  ///< none: standard input
  bool binary = false;
  bool whole = false;  ///< standard input is one message, not one a line
};

struct CheckCommand {
  std::string file;
  std::string user;     ///< with whose rights; empty: with those that it has
  bool strict = false;  ///< warnings count
};

struct StatusCommand {};

struct ReloadCommand {};

struct DiffCommand {
  std::string file;  ///< empty: the one that the daemon would read
};

struct HealthCommand {
  bool ready = false;  ///< all connections too, not only the daemon
};

struct SchemaCommand {
  bool further = false;  ///< of a file in conf.d
};

struct InitCommand {
  std::string file = "wskeep.yaml";  ///< `-`: standard output
  std::string url;
  std::string name;
  std::string subscribe;
  std::string token_file;
  std::string metrics = "127.0.0.1:9464";
  bool force = false;  ///< over a file that is there
};

struct DryRunCommand {
  std::string name;
  std::string config = "/etc/wskeep/wskeep.yaml";
  std::chrono::milliseconds at_most{30'000};
  std::uint64_t messages = 0;  ///< 0: any number
  bool show_values = false;
};

using Command = std::variant<DryRunCommand, HealthCommand, SchemaCommand, InitCommand, ListCommand,
                             ShowCommand, WhyCommand, ControlCommand, TailCommand, SendCommand,
                             CheckCommand, StatusCommand, ReloadCommand, DiffCommand, TopCommand>;

struct Options {
  std::string socket;
  std::chrono::milliseconds timeout{10'000};  ///< for an answer of the daemon
  bool json = false;
  ColorChoice color = ColorChoice::automatic;
  Command command;
};

/// What is printed instead of running a command: help, the version, or what is wrong.
struct Leave {
  ExitCode code = ExitCode::ok;
  std::string output;
  std::string error;
};

/// `arguments` without the program's name. Reads WSKEEP_SOCKET from the environment.
[[nodiscard]] std::variant<Options, Leave> parse_arguments(std::vector<std::string> arguments);

}  // namespace wskeep::cli
