#pragma once

#include <cstdint>
#include <string_view>

#include "daemon/net/proxy_dialogue.hpp"
#include "websocket/http.hpp"

namespace wskeep::net {

/// HTTP CONNECT (RFC 9110, section 9.3.6), with Basic authorization where `user` is not empty (RFC
/// 7617).
class ConnectDialogue final : public ProxyDialogue {
 public:
  ConnectDialogue(std::string_view host, std::uint16_t port, std::string_view user,
                  std::string_view password);

  [[nodiscard]] std::size_t wanted() const noexcept override;
  void received(std::span<const std::byte> bytes) override;

  static constexpr std::size_t max_head = 8U << 10U;

 private:
  void judge(const websocket::HttpHead& head);

  websocket::HttpReader reader_;
  std::size_t matched_ = 0;  ///< of the blank line that ends a head
  bool with_password_;
};

}  // namespace wskeep::net
