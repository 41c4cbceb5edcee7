#include "daemon/net/proxy_socks5.hpp"

#include <openssl/crypto.h>

#include <boost/asio/ip/address.hpp>

namespace wskeep::net {

using daemon::Error;

namespace {

constexpr unsigned char version = 5;
constexpr unsigned char authorization_version = 1;

constexpr unsigned char no_authorization = 0;
constexpr unsigned char user_and_password = 2;
constexpr unsigned char no_acceptable_method = 0xFF;

constexpr unsigned char connect_command = 1;

constexpr unsigned char ipv4 = 1;
constexpr unsigned char domain_name = 3;
constexpr unsigned char ipv6 = 4;

constexpr std::size_t longest_word = 255;

/// RFC 1928, section 6.
std::string reply_text(unsigned char reply) {
  switch (reply) {
    case 1:
      return "general failure of the SOCKS server";
    case 2:
      return "its rules do not allow this connection";
    case 3:
      return "the network of the server is unreachable";
    case 4:
      return "the server is unreachable, or has no such name";
    case 5:
      return "the server refused the connection";
    case 6:
      return "the connection took too long (TTL expired)";
    case 7:
      return "it does not know the command CONNECT";
    case 8:
      return "it does not know this type of address";
    default:
      return "unknown reply";
  }
}

char as_char(unsigned char byte) {
  return static_cast<char>(byte);
}

/// One length byte and the word.
void append_word(std::string& output, std::string_view word) {
  output += as_char(static_cast<unsigned char>(word.size()));
  output += word;
}

void append_host(std::string& output, const std::string& host) {
  boost::system::error_code not_an_address;
  // A zone means something on this machine only.
  const auto address =
      boost::asio::ip::make_address(host.substr(0, host.find('%')), not_an_address);
  const auto append = [&](unsigned char type, const auto& bytes) {
    output += as_char(type);
    for (const unsigned char byte : bytes) output += as_char(byte);
  };
  if (not_an_address) {
    output += as_char(domain_name);
    append_word(output, host);
  } else if (address.is_v4()) {
    append(ipv4, address.to_v4().to_bytes());
  } else {
    append(ipv6, address.to_v6().to_bytes());
  }
}

}  // namespace

Socks5Dialogue::Socks5Dialogue(std::string_view host, std::uint16_t port, std::string_view user,
                               std::string_view password)
    : host_(host), port_(port), user_(user), password_(password) {
  if (host_.size() > longest_word || user_.size() > longest_word ||
      password_.size() > longest_word) {
    fail(Error::configuration, "SOCKS5 takes no name, user or password of more than 255 bytes");
    return;
  }
  output() = {as_char(version), 1, as_char(no_authorization)};
  if (user_.empty()) return;
  output()[1] = 2;
  output() += as_char(user_and_password);
}

Socks5Dialogue::~Socks5Dialogue() {
  OPENSSL_cleanse(password_.data(), password_.size());
}

void Socks5Dialogue::expect(Piece piece, std::size_t size) noexcept {
  piece_ = piece;
  size_ = size;
  filled_ = 0;
}

void Socks5Dialogue::received(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    if (filled_ < bytes_.size()) bytes_[filled_] = std::to_integer<unsigned char>(byte);
    ++filled_;
  }
  if (filled_ == size_) take();
}

void Socks5Dialogue::take() {
  switch (piece_) {
    case Piece::method:
      return take_method();
    case Piece::authorization:
      return take_authorization();
    case Piece::reply:
      return take_reply();
    case Piece::address_type:
      return take_address_type();
    case Piece::name_size:
      return expect(Piece::address, bytes_[0] + std::size_t{2});
    case Piece::address:
      return succeed();
  }
}

void Socks5Dialogue::take_method() {
  const auto [answered, method] = bytes_;
  if (answered != version)
    return fail(Error::proxy_protocol, "what answered is not a SOCKS5 server");
  if (method == no_authorization) return write_request();
  if (method == user_and_password && !user_.empty()) return write_authorization();
  if (method == no_acceptable_method)
    return fail(Error::proxy_unauthorized, user_.empty()
                                               ? "it wants a user and password, or more than that"
                                               : "it does not take a user and password");
  fail(Error::proxy_protocol,
       "it chose method " + std::to_string(method) + ", which was not offered");
}

void Socks5Dialogue::write_authorization() {
  std::string& message = output();
  message.reserve(3 + user_.size() + password_.size());
  message = as_char(authorization_version);
  append_word(message, user_);
  append_word(message, password_);
  OPENSSL_cleanse(password_.data(), password_.size());
  expect(Piece::authorization, 2);
}

void Socks5Dialogue::take_authorization() {
  // Some answer with the version of SOCKS instead of the one of RFC 1929.
  const auto [answered, status] = bytes_;
  if (answered != authorization_version && answered != version)
    return fail(Error::proxy_protocol, "its answer to user and password is not SOCKS5");
  if (status != 0)
    return fail(Error::proxy_unauthorized, "it does not accept the user and password");
  write_request();
}

void Socks5Dialogue::write_request() {
  std::string& message = output();
  message = {as_char(version), as_char(connect_command), 0};
  append_host(message, host_);
  message += as_char(static_cast<unsigned char>(port_ >> 8U));
  message += as_char(static_cast<unsigned char>(port_ & 0xFFU));
  expect(Piece::reply, 2);
}

/// What follows a refusal is not waited for: some servers do not send it.
void Socks5Dialogue::take_reply() {
  const auto [answered, reply] = bytes_;
  if (answered != version) return fail(Error::proxy_protocol, "its reply is not SOCKS5");
  if (reply != 0)
    return fail(Error::proxy_refused, "it did not connect us: " + reply_text(reply) + " (reply " +
                                          std::to_string(reply) + ")");
  expect(Piece::address_type, 2);
}

void Socks5Dialogue::take_address_type() {
  switch (bytes_[1]) {
    case ipv4:
      return expect(Piece::address, 4 + 2);
    case ipv6:
      return expect(Piece::address, 16 + 2);
    case domain_name:
      return expect(Piece::name_size, 1);
    default:
      fail(Error::proxy_protocol,
           "its reply has an address of unknown type " + std::to_string(bytes_[1]));
  }
}

}  // namespace wskeep::net
