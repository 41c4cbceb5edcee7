#include "config/warnings.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <variant>

#include "config/listen.hpp"
#include "config/principal.hpp"
#include "config/secret_warnings.hpp"
#include "config/session.hpp"

namespace wskeep::config {
namespace {

using Kind = Principal::Kind;
using List = std::optional<Principals>;

constexpr std::uint32_t others_may_write = 02;

/// wskeepd.service has it made at each start (RuntimeDirectory=).
constexpr std::string_view made_by_unit = "/run/wskeep";

std::string joined(const Principals& list) {
  std::string text;
  for (const Principal& one : list) text += (text.empty() ? "" : ", ") + one.text;
  return text;
}

/// Whether the file lets a user in; true where that hangs on who the daemon is.
bool lets_in(std::uint32_t mode, const std::string& group, std::uint32_t uid) {
  return (mode & others_may_write) != 0 || group.empty() || is_member(uid, group);
}

class Finder {
 public:
  Finder(const Config& config, const Places& places) : config_(config), places_(places) {}

  void look_at_access(const std::string& connection, const std::string& path,
                      const Access& access) {
    look_at_list(connection, path + ".subscribe", access.subscribe);
    look_at_list(connection, path + ".publish", access.publish);
    look_at_list(connection, path + ".control", access.control);
  }

  void look_at_socket(const std::string& path, const std::string& socket) {
    const std::string folder = std::filesystem::path(socket).parent_path().string();
    std::error_code error;
    if (folder.empty() || folder == made_by_unit) return;
    if (!std::filesystem::is_directory(folder, error)) {
      add("", path, "there is no folder " + folder + ": make it before wskeepd starts");
    } else if (!std::filesystem::is_socket(socket, error) &&
               ::access(folder.c_str(), W_OK | X_OK) != 0) {
      add("", path,
          "no file can be made in " + folder + " by " + who() + ": give it write permission there");
    }
  }

  /// The daemon makes it, but not what it is in.
  void look_at_state(const std::string& directory) {
    if (directory.empty()) return;
    std::error_code error;
    const bool there = std::filesystem::is_directory(directory, error);
    const std::string folder =
        there ? directory : std::filesystem::absolute(directory).parent_path().string();
    if (!std::filesystem::is_directory(folder, error)) {
      add("", "state_directory", "there is no folder " + folder + ": make it");
    } else if (::access(folder.c_str(), W_OK | X_OK) != 0) {
      add("", "state_directory",
          "nothing can be kept in it, for " + who() + " cannot write to " + folder +
              ": give it write permission there");
    }
  }

  /// `history` is only what is wanted: the ring always holds one largest message.
  void look_at_history(const Connection& connection) {
    const ConnectionSettings& settings = connection.settings;
    const bool given = find_exactly("connections." + connection.name + ".history") ||
                       find_exactly("defaults.history");
    if (given && settings.history < settings.max_message) {
      add(connection.name, "history",
          "is less than one message of max_message, and so is made as large: raise it, or lower "
          "max_message");
    }
  }

  void look_at_programs(const Connection& connection) {
    if (!connection.settings.session) return;
    const auto& steps = connection.settings.session->prepare;
    for (std::size_t index = 0; index < steps.size(); ++index) {
      const auto* const command = std::get_if<PrepareCommand>(&steps[index].action);
      if (command == nullptr || command->arguments.empty()) continue;
      const Template& program = command->arguments.front();
      if (!program.constant() || may_run(program.source())) continue;
      add(connection.name, "session.prepare[" + std::to_string(index) + "].command",
          program.source() + " cannot be run by " + who() +
              ": it has to be a file with permission to execute it (chmod +x)");
    }
  }

  void add(std::string connection, std::string path, std::string message) {
    found_.push_back({std::move(connection), std::move(path), std::move(message)});
  }

  [[nodiscard]] std::vector<Warning> take() { return std::move(found_); }

 private:
  void look_at_list(const std::string& connection, const std::string& path, const List& list) {
    if (!list || list->empty()) return;
    if (std::ranges::none_of(*list, has_members)) {
      add(connection, path,
          "nobody has this right, for nobody is meant by " + joined(*list) +
              ": put somebody into that group, or name others");
    }
    for (const Principal& one : *list) {
      if (one.kind != Kind::user || one.id == 0 || may_connect(one.id)) continue;
      add(connection, path,
          one.text +
              " cannot open any of the sockets: put that user into the group of one, or change its "
              "mode");
    }
  }

  [[nodiscard]] bool may_connect(std::uint32_t uid) const {
    const Ipc& ipc = config_.ipc;
    return lets_in(ipc.mode, ipc.group, uid) ||
           std::ranges::any_of(ipc.sockets, [uid](const LocalSocket& socket) {
             return lets_in(socket.mode, socket.group, uid);
           });
  }

  [[nodiscard]] bool find_exactly(std::string_view key) const {
    return places_.find(key) != places_.end();
  }

  static bool may_run(const std::string& program) {
    std::error_code error;
    return std::filesystem::is_regular_file(program, error) && ::access(program.c_str(), X_OK) == 0;
  }

  static std::string who() { return "uid " + std::to_string(::geteuid()); }

  const Config& config_;
  const Places& places_;
  std::vector<Warning> found_;
};

/// What several connections inherit is told once.
std::vector<Warning> without_repetitions(std::vector<Warning> warnings, const Places& places) {
  std::set<std::pair<const Whereabouts*, std::string>> told;
  std::vector<Warning> kept;
  for (Warning& warning : warnings) {
    const Whereabouts* const place = find_place(places, warning.connection, warning.path);
    if (place == nullptr || told.emplace(place, warning.message).second)
      kept.push_back(std::move(warning));
  }
  return kept;
}

}  // namespace

std::string Warning::key() const {
  if (connection.empty()) return path;
  return "connections." + connection + (path.empty() ? "" : "." + path);
}

std::string Warning::text() const {
  const std::string where = key();
  return where.empty() ? message : where + ": " + message;
}

std::vector<Warning> warnings(const Config& config, const Places& places) {
  Finder finder(config, places);
  finder.look_at_state(config.state_directory);
  finder.look_at_access("", "ipc.access", config.ipc.access);
  for (std::size_t index = 0; index < config.ipc.sockets.size(); ++index) {
    const std::string path = "ipc.sockets[" + std::to_string(index) + "]";
    finder.look_at_access("", path + ".access", config.ipc.sockets[index].access);
  }
  for (const Connection& connection : config.connections) {
    finder.look_at_access(connection.name, "access", connection.settings.access);
    finder.look_at_history(connection);
    finder.look_at_programs(connection);
  }
  std::vector<Warning> found = finder.take();
  std::ranges::move(secret_warnings(config, places), std::back_inserter(found));
  return without_repetitions(std::move(found), places);
}

std::vector<Warning> socket_warnings(const Config& config, const Places& places) {
  Finder finder(config, places);
  finder.look_at_socket("ipc.socket", config.ipc.socket);
  for (std::size_t index = 0; index < config.ipc.sockets.size(); ++index) {
    finder.look_at_socket("ipc.sockets[" + std::to_string(index) + "].path",
                          config.ipc.sockets[index].path);
  }
  return finder.take();
}

Problem placed(const Warning& warning, const Places& places) {
  const Whereabouts* const place = find_place(places, warning.connection, warning.path);
  const Whereabouts where = place == nullptr ? Whereabouts{} : *place;
  return {where.file, where.line, where.column, warning.key(), warning.message};
}

std::vector<Problem> placed_warnings(const Config& config, const Places& places) {
  std::vector<Problem> problems;
  for (const Warning& warning : warnings(config, places))
    problems.push_back(placed(warning, places));
  return problems;
}

const Whereabouts* find_place(const Places& places, std::string_view connection,
                              std::string_view path) {
  const auto look = [&places](const std::string& key) -> const Whereabouts* {
    const auto found = places.find(key);
    return found == places.end() ? nullptr : &found->second;
  };
  const std::string entry = connection.empty() ? "" : "connections." + std::string(connection);
  const std::string before = entry.empty() ? "" : entry + ".";
  while (!path.empty()) {
    const std::string key(path);
    if (const auto* const own = look(before + key)) return own;
    const auto* const inherited = entry.empty() ? nullptr : look("defaults." + key);
    if (inherited != nullptr) return inherited;
    const std::size_t end = path.find_last_of(".[");
    path = path.substr(0, end == std::string_view::npos ? 0 : end);
  }
  return entry.empty() ? nullptr : look(entry);
}

}  // namespace wskeep::config
