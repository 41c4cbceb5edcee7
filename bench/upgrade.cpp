#include "bench/upgrade.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>
#include <bit>
#include <cctype>

namespace wskeep::bench {
namespace {

// The key guards against caches that do not know WebSocket; there is none here, so it may stay
// fixed.
constexpr std::string_view client_key = "d3NrZWVwIGJlbmNobWFyaw==";

std::string accept_value(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  std::array<unsigned char, 32> encoded{};
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest.size()));
  return {encoded.begin(), encoded.begin() + size};
}

bool same_name(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) {
    return false;
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(left[i])) !=
        std::tolower(static_cast<unsigned char>(right[i]))) {
      return false;
    }
  }
  return true;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name)) {
      return trimmed(line.substr(colon + 1));
    }
    head.remove_prefix(std::min(head.size(), line.size() + 2));
  }
  return {};
}

}  // namespace

std::string upgrade_request(std::string_view path, std::string_view subprotocol) {
  std::string request = "GET ";
  request.append(path).append(
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ");
  request.append(client_key).append("\r\n");
  if (!subprotocol.empty()) {
    request.append("Sec-WebSocket-Protocol: ").append(subprotocol).append("\r\n");
  }
  return request.append("\r\n");
}

std::string upgrade_response(std::string_view request) {
  const std::string_view key = field(request, "Sec-WebSocket-Key");
  if (key.empty() || !same_name(field(request, "Upgrade"), "websocket")) {
    return {};
  }
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         accept_value(key) + "\r\n\r\n";
}

bool upgrade_accepted(std::string_view response, std::string_view subprotocol) {
  return response.starts_with("HTTP/1.1 101") &&
         field(response, "Sec-WebSocket-Accept") == accept_value(client_key) &&
         field(response, "Sec-WebSocket-Protocol") == subprotocol;
}

std::optional<std::size_t> head_size(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  return end + 4;
}

}  // namespace wskeep::bench
