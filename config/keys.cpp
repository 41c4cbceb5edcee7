#include "config/keys.hpp"

#include "config/key_groups.hpp"

namespace wskeep::config {

const std::vector<Key>& all_keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> result;
    add_top(result);
    result.push_back({Scope::connection, "url", UrlsValue{},
                      "Where to connect; read anew, place-holders and all, at each attempt"});
    add_timeouts(result);
    add_connecting(result);
    add_reconnecting(result);
    add_proxy(result);
    add_tls(result);
    add_upgrade(result);
    add_messages(result);
    return result;
  }();
  return keys;
}

}  // namespace wskeep::config
