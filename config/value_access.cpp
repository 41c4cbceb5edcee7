#include <algorithm>
#include <vector>

#include "config/principal.hpp"
#include "config/value_reader.hpp"

namespace wskeep::config {
namespace {

constexpr std::size_t most_principals = 64;
constexpr std::size_t most_sockets = 16;

bool read_principal(const ValueReader& reader, Principals& principals) {
  return reader.scalar([&](const Scalar& text) {
    try {
      Principal principal = parse_principal(text.value);
      if (std::ranges::find(principals, principal) != principals.end()) {
        text.refuse("is in the list twice", "");
      }
      principals.push_back(std::move(principal));
    } catch (const PrincipalError& error) {
      const bool unknown = error.what() == std::string_view("is not who may do something");
      text.refuse(error.what(), unknown ? "user:NAME, group:NAME, uid:N, gid:N, root, daemon and "
                                          "anyone"
                                        : "");
    }
  });
}

bool read_list(const ValueReader& reader, std::optional<Principals>& into) {
  if (!reader.require(Element::Kind::sequence) || !reader.require_at_most(most_principals)) {
    return false;
  }
  bool good = true;
  Principals principals;
  for (std::size_t index = 0; index < reader.node().items.size(); ++index) {
    good = read_principal(reader.item(index, reader.allowed()), principals) && good;
  }
  into = std::move(principals);
  return good;
}

/// The keys of one map, none of which is needed but those that `needed` says.
class Entry {
 public:
  explicit Entry(const ValueReader& reader) : reader_(reader) {}

  /// Calls `read(key, reader of the value)`, which answers whether it knows the key.
  template <typename Read>
  bool each(const std::string& allowed, Read read) {
    if (!reader_.require(Element::Kind::map)) return false;
    for_each_entry(reader_.node(), reader_.path(), reader_.problems(),
                   [&](const Element& key, const Element& value) {
                     const std::string path = joined_key(reader_.path(), key.value);
                     if (!read(key.value, reader_.inside(value, path, ""))) {
                       reader_.problems().add(key.place, path, "unknown key; allowed: " + allowed);
                       good_ = false;
                     }
                   });
    return good_;
  }

  void note(bool good) { good_ = good && good_; }

 private:
  const ValueReader& reader_;
  bool good_ = true;
};

bool read_access(const ValueReader& reader, Access& access) {
  Entry entry(reader);
  return entry.each(
      "subscribe, publish and control", [&](std::string_view key, const ValueReader& value) {
        std::optional<Principals>* const list = key == "subscribe" ? &access.subscribe
                                                : key == "publish" ? &access.publish
                                                : key == "control" ? &access.control
                                                                   : nullptr;
        if (list == nullptr) return false;
        entry.note(read_list(value.inside(value.node(), value.path(), type_text(PrincipalsValue{})),
                             *list));
        return true;
      });
}

bool read_text(const ValueReader& reader, const std::string& allowed, std::string& into,
               std::string (*error)(std::string_view)) {
  return reader.inside(reader.node(), reader.path(), allowed).scalar([&](const Scalar& text) {
    const std::string complaint = error(text.value);
    if (!complaint.empty()) text.refuse(complaint, "");
    into = text.value;
  });
}

bool read_mode(const ValueReader& outer, std::uint32_t& mode) {
  const ValueReader reader = outer.inside(outer.node(), outer.path(), type_text(ModeValue{}));
  return reader.scalar([&](const Scalar& text) {
    mode = reader.quantity(text, parse_mode);
    // As for `ipc.mode`: readers of YAML disagree on whether 0660 is octal.
    if (!reader.node().quoted && !text.text.has_placeholder()) {
      text.refuse("needs quotes, because it is octal", "\"" + reader.node().value + "\"");
    }
  });
}

bool read_socket(const ValueReader& reader, LocalSocket& socket) {
  Entry entry(reader);
  const bool good = entry.each("path, mode, group and access",
                               [&](std::string_view key, const ValueReader& value) {
                                 if (key == "path") {
                                   entry.note(read_text(value, "path", socket.path, socket_error));
                                 } else if (key == "mode") {
                                   entry.note(read_mode(value, socket.mode));
                                 } else if (key == "group") {
                                   entry.note(read_text(value, "name", socket.group, group_error));
                                 } else if (key == "access") {
                                   entry.note(read_access(value, socket.access));
                                 } else {
                                   return false;
                                 }
                                 return true;
                               });
  if (good && socket.path.empty()) {
    reader.complain("has no 'path'");
    return false;
  }
  return good;
}

}  // namespace

bool read_principals(const ValueReader& reader, const PrincipalsValue& value) {
  return read_list(reader, value.member(reader.draft()));
}

bool read_sockets(const ValueReader& reader) {
  if (!reader.require(Element::Kind::sequence) || !reader.require_at_most(most_sockets)) {
    return false;
  }
  bool good = true;
  std::vector<LocalSocket> sockets;
  for (std::size_t index = 0; index < reader.node().items.size(); ++index) {
    LocalSocket socket;
    const ValueReader item = reader.item(index, reader.allowed());
    bool read = read_socket(item, socket);
    if (read && std::ranges::find(sockets, socket.path, &LocalSocket::path) != sockets.end()) {
      item.complain("has the path of another socket");
      read = false;
    }
    good = read && good;
    sockets.push_back(std::move(socket));
  }
  reader.draft().config.ipc.sockets = std::move(sockets);
  return good;
}

}  // namespace wskeep::config
