#include "config/load.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "config/check.hpp"
#include "config/document.hpp"
#include "config/file.hpp"
#include "config/keys.hpp"
#include "config/session_load.hpp"
#include "config/suggest.hpp"
#include "config/value.hpp"

namespace wskeep::config {
namespace {

constexpr const char* name_rule = "1 to 64 of A-Z a-z 0-9 _ . -, and neither '.' nor '..'";

// Names stand in the path of local requests, where '.' and '..' mean something else.
bool is_connection_name(std::string_view name) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  return !name.empty() && name.size() <= 64 && name != "." && name != ".." &&
         name.find_first_not_of(allowed) == std::string_view::npos;
}

/// A map of the file that holds keys of the table.
struct Section {
  std::vector<Scope> scopes;  ///< of the keys that can stand in it
  std::string path;           ///< in messages, down to the group that is read
  std::string group;          ///< in the table: "", "timeouts", "ipc.limits"
  Origins& origins;
};

class Loader {
 public:
  explicit Loader(Problems& problems) : problems_(problems) {}

  /// The file that all else hangs on. What is read of it outlives `finish`.
  void read_main(const Element& root) {
    const std::string allowed = "map with at least 'connections'";
    if (require_kind(root, Element::Kind::map, "", allowed, problems_)) {
      read_root(root);
    }
  }

  /// One of those beside it: connections, and nothing else.
  void read_further(const Element& root) {
    if (!require_kind(root, Element::Kind::map, "", "map with 'connections'", problems_)) {
      return;
    }
    for_each_entry(root, "", problems_, [&](const Element& key, const Element& value) {
      if (key.value == "connections") {
        read_connections(value);
      } else {
        problems_.add(key.place, joined_key("", key.value),
                      "cannot stand in conf.d; allowed: connections");
      }
    });
  }

  /// When all files are read.
  Config finish() {
    if (readable_ && names_.empty()) {
      problems_.add(connections_place_, "connections",
                    connections_given_ ? "is empty: at least one connection is needed"
                                       : "is missing: at least one connection is needed");
    }
    return std::move(draft_.config);
  }

 private:
  // Defaults may follow the connections that they are for.
  void read_root(const Element& root) {
    const Element* defaults = nullptr;
    const Element* connections = nullptr;
    Origins origins;
    const Section top{{Scope::top}, "", "", origins};
    for_each_entry(root, "", problems_, [&](const Element& key, const Element& value) {
      if (key.value == "defaults") {
        defaults = &value;
      } else if (key.value == "connections") {
        connections = &value;
      } else {
        read_entry(key, value, top);
      }
    });
    check_sockets(origins);
    if (defaults != nullptr) {
      read_group(*defaults, {{Scope::inherited}, "defaults", "", inherited_});
    }
    defaults_ = draft_.connection;
    inherited_sessions_ = draft_.sessions;
    inherited_requests_ = draft_.requests;
    readable_ = true;
    connections_place_ = root.place;
    if (connections != nullptr) {
      read_connections(*connections);
    }
  }

  void check_sockets(const Origins& origins) {
    const auto origin = origins.find("ipc.sockets");
    const Ipc& ipc = draft_.config.ipc;
    if (origin != origins.end() &&
        std::ranges::find(ipc.sockets, ipc.socket, &LocalSocket::path) != ipc.sockets.end()) {
      problems_.add(origin->second.place, origin->second.key,
                    "one of them has the path of ipc.socket");
    }
  }

  void read_connections(const Element& node) {
    if (!require_kind(node, Element::Kind::map, "connections", "map of names to connections",
                      problems_)) {
      readable_ = false;  // there might have been some
      return;
    }
    if (!connections_given_) {
      connections_place_ = node.place;
    }
    connections_given_ = true;
    const Connection defaults = defaults_.value_or(Connection{});
    for_each_entry(node, "connections", problems_, [&](const Element& name, const Element& value) {
      const auto [first, is_new] = names_.emplace(name.value, name.place);
      if (!is_new) {
        problems_.add(name.place, joined_key("connections", name.value),
                      "is given twice, first in " + problems_.file(first->second.file) +
                          " on line " + std::to_string(first->second.line));
        return;
      }
      draft_.connection = defaults;
      draft_.urls.clear();
      draft_.sessions = inherited_sessions_;
      draft_.requests = inherited_requests_;
      read_connection(name, value);
    });
  }

  void read_connection(const Element& name, const Element& node) {
    const std::string path = joined_key("connections", name.value);
    problems_.found(path, name.place);
    if (!is_connection_name(name.value)) {
      problems_.add(name.place, path,
                    std::string("is not the name of a connection; allowed: ") + name_rule);
    }
    if (!require_kind(node, Element::Kind::map, path, "map with at least 'url'", problems_)) {
      return;
    }
    draft_.connection.name = name.value;
    Origins origins = inherited_;
    for (auto& [key, origin] : origins) {
      origin.inherited = true;
    }
    read_group(node, {{Scope::connection, Scope::inherited}, path, "", origins});
    if (!origins.contains("url")) {
      problems_.add(name.place, path, "has no 'url'");
    }
    draft_.connection.settings.session = read_session(draft_.sessions, problems_);
    draft_.requests.check(draft_.connection.settings.session.get(), problems_);
    check_connection(draft_, origins, problems_);
    draft_.config.connections.push_back(draft_.connection);
  }

  void read_group(const Element& node, const Section& section) {
    const std::vector<std::string_view> names = names_in(section);
    if (!require_kind(node, Element::Kind::map, section.path, "map of " + joined(names, "and"),
                      problems_)) {
      return;
    }
    for_each_entry(node, section.path, problems_, [&](const Element& key, const Element& value) {
      read_entry(key, value, section);
    });
  }

  void read_entry(const Element& key, const Element& node, const Section& section) {
    const std::string table_path = within(section.group, key.value);
    const std::string path = joined_key(section.path, key.value);
    problems_.found(path, key.place);
    if (const Key* const known = find_key(table_path, section)) {
      const bool good = read_value(*known, node, path, draft_, problems_);
      section.origins.insert_or_assign(table_path, Origin{node.place, path, false, good});
      return;
    }
    const Section group{section.scopes, path, table_path, section.origins};
    if (names_in(group).empty()) {
      report_unknown(key, section);
    } else if (const std::vector<const Key*> keys = switched_off(node, group); !keys.empty()) {
      for (const Key* const off : keys) {
        const bool good = read_value(*off, node, path, draft_, problems_);
        section.origins.insert_or_assign(std::string(off->path),
                                         Origin{node.place, path, false, good});
      }
    } else {
      read_group(node, group);
    }
  }

  void report_unknown(const Element& key, const Section& section) {
    std::vector<std::string_view> names = names_in(section);
    if (section.path.empty()) {
      names.insert(names.end(), {"defaults", "connections"});
    }
    problems_.add(
        key.place, joined_key(section.path, key.value),
        "unknown key" + suggestion(key.value, names) + "; allowed: " + joined(names, "and"));
  }

  static std::string within(const std::string& group, const std::string& name) {
    return group.empty() ? name : group + "." + name;
  }

  static bool stands_in(const Key& key, const Section& section) {
    return std::ranges::find(section.scopes, key.scope) != section.scopes.end();
  }

  static const Key* find_key(const std::string& path, const Section& section) {
    const auto found = std::ranges::find_if(
        all_keys(), [&](const Key& key) { return key.path == path && stands_in(key, section); });
    return found == all_keys().end() ? nullptr : &*found;
  }

  /// The keys that `GROUP: off` switches off, where the node says so and the group has any.
  static std::vector<const Key*> switched_off(const Element& node, const Section& group) {
    std::vector<const Key*> keys;
    if (node.kind == Element::Kind::scalar && node.value == "off") {
      for (const Key& key : all_keys()) {
        if (key.group_off && key.path.starts_with(group.group + ".")) {
          keys.push_back(&key);
        }
      }
    }
    return keys;
  }

  /// What can stand directly in a section, in the order of the table.
  static std::vector<std::string_view> names_in(const Section& section) {
    const std::string prefix = section.group.empty() ? "" : section.group + ".";
    std::vector<std::string_view> names;
    for (const Key& key : all_keys()) {
      if (stands_in(key, section) && key.path.starts_with(prefix)) {
        const std::string_view rest = key.path.substr(prefix.size());
        const std::string_view name = rest.substr(0, rest.find('.'));
        if (std::ranges::find(names, name) == names.end()) {
          names.push_back(name);
        }
      }
    }
    return names;
  }

  Problems& problems_;
  Draft draft_;
  Origins inherited_;
  std::optional<Connection> defaults_;  ///< when the main file was read
  std::vector<SessionSource> inherited_sessions_;
  RequestTemplates inherited_requests_;
  std::map<std::string, Place> names_;  ///< of the connections so far
  bool readable_ = false;               ///< all connections could be counted
  bool connections_given_ = false;
  Place connections_place_;
};

constexpr const char* further_folder = "conf.d";

/// What was read of a file says where it came from, whatever file is read then.
void mark(Element& element, std::size_t file) {
  element.place.file = file;
  for (Element& key : element.keys) {
    mark(key, file);
  }
  for (Element& item : element.items) {
    mark(item, file);
  }
}

std::optional<Element> parse_file(std::string yaml, std::size_t number, Problems& problems) {
  std::optional<Element> document = parse_document(yaml, problems);
  problems.keep_text(number, std::move(yaml));
  if (document) {
    mark(*document, number);
  }
  return document;
}

/// `conf.d/*.yaml` beside a file, by name; those that begin with a dot are left out, as a shell
/// does.
std::vector<std::filesystem::path> further_files(const std::filesystem::path& file,
                                                 Problems& problems) {
  const std::filesystem::path folder = file.parent_path() / further_folder;
  std::vector<std::filesystem::path> files;
  std::error_code error;
  if (!std::filesystem::exists(folder, error) && !error) {
    return files;
  }
  std::filesystem::directory_iterator at(folder, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(".yaml") && !name.starts_with('.')) {
      files.push_back(at->path());
    }
  }
  if (error) {
    problems.enter(folder.string());
    problems.add({}, "", "cannot be read: " + error.message());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace

Config load_text(std::string_view yaml, const std::string& file, Places* places) {
  Problems problems(file, places);
  Loader loader(problems);
  const std::optional<Element> document = parse_file(std::string(yaml), 1, problems);
  if (document) {
    loader.read_main(*document);
  }
  Config config = loader.finish();
  problems.throw_if_any();
  return config;
}

Config load_file(const std::filesystem::path& file, Places* places) {
  Problems problems(file.string(), places);
  Loader loader(problems);
  const auto read = [&](const std::filesystem::path& from,
                        std::size_t number) -> std::optional<Element> {
    try {
      return parse_file(read_regular_file(from.string(), largest_file), number, problems);
    } catch (const FileError& error) {
      std::error_code unknown;
      const bool missing = number == 1 && !std::filesystem::exists(from, unknown) && !unknown;
      problems.add(
          {}, "",
          error.what() + (missing ? "; `wskeep init " + from.string() + "` writes a first one"
                                  : std::string()));
      return std::nullopt;
    }
  };
  const std::optional<Element> main = read(file, 1);
  if (main) {
    loader.read_main(*main);
  }
  for (const std::filesystem::path& further : further_files(file, problems)) {
    const std::size_t number = problems.enter(further.string());
    if (const std::optional<Element> document = read(further, number)) {
      loader.read_further(*document);
    }
  }
  Config config = loader.finish();
  problems.throw_if_any();
  return config;
}

}  // namespace wskeep::config
