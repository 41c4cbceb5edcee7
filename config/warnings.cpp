#include "config/warnings.hpp"

#include <algorithm>
#include <string_view>

#include "config/principal.hpp"

namespace wskeep::config {
namespace {

using Kind = Principal::Kind;
using List = std::optional<Principals>;

constexpr std::uint32_t others_may_write = 02;

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
  explicit Finder(const Config& config) : config_(config) {}

  void look_at(const std::string& path, const Access& access) {
    look_at(path + ".subscribe", access.subscribe);
    look_at(path + ".publish", access.publish);
    look_at(path + ".control", access.control);
  }

  [[nodiscard]] std::vector<std::string> take() { return std::move(found_); }

 private:
  void look_at(const std::string& path, const List& list) {
    if (!list || list->empty()) return;
    if (std::ranges::none_of(*list, has_members)) {
      found_.push_back(path + ": nobody has this right, for nobody is meant by " + joined(*list));
    }
    for (const Principal& one : *list) {
      if (one.kind != Kind::user || one.id == 0 || may_connect(one.id)) continue;
      found_.push_back(path + ": " + one.text +
                       " cannot open any of the sockets: put that user into the group of one, or "
                       "change its mode");
    }
  }

  [[nodiscard]] bool may_connect(std::uint32_t uid) const {
    const Ipc& ipc = config_.ipc;
    return lets_in(ipc.mode, ipc.group, uid) ||
           std::ranges::any_of(ipc.sockets, [uid](const LocalSocket& socket) {
             return lets_in(socket.mode, socket.group, uid);
           });
  }

  const Config& config_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> warnings(const Config& config) {
  Finder finder(config);
  finder.look_at("ipc.access", config.ipc.access);
  for (std::size_t index = 0; index < config.ipc.sockets.size(); ++index) {
    finder.look_at("ipc.sockets[" + std::to_string(index) + "].access",
                   config.ipc.sockets[index].access);
  }
  for (const Connection& connection : config.connections)
    finder.look_at("connections." + connection.name + ".access", connection.settings.access);
  return finder.take();
}

}  // namespace wskeep::config
