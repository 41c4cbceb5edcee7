#include "daemon/net/proxy_dialogue.hpp"

#include <openssl/crypto.h>

#include "daemon/net/proxy_connect.hpp"
#include "daemon/net/proxy_socks5.hpp"

namespace wskeep::net {

ProxyDialogue::~ProxyDialogue() {
  sent();
}

void ProxyDialogue::sent() noexcept {
  OPENSSL_cleanse(output_.data(), output_.size());
  output_.clear();
}

std::unique_ptr<ProxyDialogue> make_proxy_dialogue(const daemon::Proxy& proxy,
                                                   const std::string& host, std::uint16_t port) {
  if (proxy.kind == daemon::Proxy::Kind::socks5)
    return std::make_unique<Socks5Dialogue>(host, port, proxy.user, proxy.password);
  return std::make_unique<ConnectDialogue>(host, port, proxy.user, proxy.password);
}

}  // namespace wskeep::net
