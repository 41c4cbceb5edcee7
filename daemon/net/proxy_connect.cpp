#include "daemon/net/proxy_connect.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <string>

#include "config/authority.hpp"
#include "websocket/base64.hpp"

namespace wskeep::net {

using daemon::Error;
using websocket::HttpReader;

namespace {

constexpr std::string_view blank_line = "\r\n\r\n";

/// With the port always (RFC 9112, section 3.2.3).
std::string authority(std::string_view host, std::uint16_t port) {
  // A zone means something on this machine only (RFC 6874, section 4).
  return config::host_and_port(host.substr(0, host.find('%')), port);
}

std::size_t base64_size(std::size_t bytes) {
  return 4 * ((bytes + 2) / 3);
}

/// Appends to what has room for it.
void append_base64(std::string& output, std::string_view user, std::string_view password) {
  std::string plain;
  plain.reserve(user.size() + 1 + password.size());
  plain.append(user).append(":").append(password);
  std::string encoded = websocket::to_base64(plain);
  output += encoded;
  OPENSSL_cleanse(encoded.data(), encoded.size());
  OPENSSL_cleanse(plain.data(), plain.size());
}

/// The reason behind a status, fit for one line of a log.
std::string excerpt(std::string_view text) {
  constexpr std::size_t most = 160;
  std::string line(text.substr(0, most));
  std::ranges::replace_if(
      line, [](char c) { return c < 0x20 || c >= 0x7F; }, '?');
  return line;
}

}  // namespace

ConnectDialogue::ConnectDialogue(std::string_view host, std::uint16_t port, std::string_view user,
                                 std::string_view password)
    : reader_(HttpReader::Kind::response, {max_head, 0}), with_password_(!user.empty()) {
  constexpr std::string_view authorization = "Proxy-Authorization: Basic ";
  const std::string target = authority(host, port);
  const std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  std::string& request = output();
  request.reserve(head.size() + authorization.size() +
                  base64_size(user.size() + 1 + password.size()) + blank_line.size());
  request = head;
  if (with_password_) {
    request += authorization;
    append_base64(request, user, password);
    request += "\r\n";
  }
  request += "\r\n";
}

std::size_t ConnectDialogue::wanted() const noexcept {
  return blank_line.size() - matched_;
}

void ConnectDialogue::received(std::span<const std::byte> bytes) {
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c != blank_line[matched_]) matched_ = 0;
    if (c == blank_line[matched_]) ++matched_;
  }
  if (matched_ == blank_line.size()) matched_ = 0;  // an interim response, if it goes on
  const HttpReader::Result read = reader_.read(bytes);
  if (reader_.head_complete()) return judge(reader_.head());
  if (read.status != HttpReader::Status::error) return;
  fail(Error::proxy_protocol,
       read.error == HttpReader::Error::head_too_large
           ? "its answer is longer than " + std::to_string(max_head) + " bytes"
           : "what answered is not an HTTP proxy: " + read.text);
}

void ConnectDialogue::judge(const websocket::HttpHead& head) {
  if (head.status / 100 == 2) return succeed();
  std::string said = std::to_string(head.status);
  if (!head.reason.empty()) said += " " + excerpt(head.reason);
  // Some proxies (tinyproxy) answer a wrong password with a server's status.
  if (head.status == 407 || head.status == 401)
    return fail(Error::proxy_unauthorized, with_password_
                                               ? "it does not accept the user and password: " + said
                                               : "it wants a user and password: " + said);
  fail(Error::proxy_refused, "it refused to connect us: " + said);
}

}  // namespace wskeep::net
