#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/net/proxy_dialogue.hpp"

namespace wskeep::net {

/// SOCKS5 (RFC 1928), with user and password (RFC 1929) where `user` is not empty. A name is handed
/// to the proxy as it is, an address as an address.
class Socks5Dialogue final : public ProxyDialogue {
 public:
  Socks5Dialogue(std::string_view host, std::uint16_t port, std::string_view user,
                 std::string_view password);
  ~Socks5Dialogue() override;

  [[nodiscard]] std::size_t wanted() const noexcept override { return size_ - filled_; }
  void received(std::span<const std::byte> bytes) override;

 private:
  /// The piece of an answer that comes next, each of a size known before it comes.
  enum class Piece : std::uint8_t {
    method,         ///< version, method
    authorization,  ///< version, status
    reply,          ///< version, reply
    address_type,   ///< reserved, type
    name_size,
    address,  ///< and port
  };

  void expect(Piece piece, std::size_t size) noexcept;
  void take();
  void take_method();
  void take_authorization();
  void take_reply();
  void take_address_type();
  void write_authorization();
  void write_request();

  std::string host_;
  std::uint16_t port_;
  std::string user_;
  std::string password_;
  Piece piece_ = Piece::method;
  std::size_t size_ = 2;
  std::size_t filled_ = 0;
  std::array<unsigned char, 2> bytes_{};  ///< of the piece; of an address nothing is kept
};

}  // namespace wskeep::net
