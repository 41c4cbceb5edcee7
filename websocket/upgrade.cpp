#include "websocket/upgrade.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include "websocket/base64.hpp"
#include "websocket/header_text.hpp"
#include "websocket/permessage_deflate.hpp"

namespace wskeep::websocket {
namespace {

/// Section 1.3.
constexpr std::string_view accept_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

constexpr std::array<std::string_view, 7> own_headers{"upgrade",
                                                      "connection",
                                                      "sec-websocket-key",
                                                      "sec-websocket-version",
                                                      "sec-websocket-accept",
                                                      "sec-websocket-protocol",
                                                      "sec-websocket-extensions"};

/// 16 bytes in base64, as far as characters and length tell.
bool is_key(std::string_view key) {
  const auto in_alphabet = [](char character) {
    constexpr std::string_view not_alphabet = "!#$%&'*-.^_`|~";
    return character == '/' || (is_token_character(character) &&
                                not_alphabet.find(character) == std::string_view::npos);
  };
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22), in_alphabet);
}

std::string join(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

void check_subprotocols(std::span<const std::string> names) {
  std::set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!is_token(name)) throw std::invalid_argument("not a subprotocol's name: " + name);
    if (!seen.insert(name).second)
      throw std::invalid_argument("the same subprotocol twice: " + name);
  }
}

/// What the server sent under that name, for a message: printable, and not endless.
std::string show(const HttpHead& head, std::string_view name) {
  const auto values = head.values(name);
  std::string text(name);
  if (values.empty()) return text + " missing";
  text += ':';
  for (const std::string_view value : values) text.append(" ").append(value.substr(0, 200));
  std::ranges::replace_if(
      text,
      [](char character) {
        return !is_header_value({&character, 1});
      },
      '?');
  return text;
}

UpgradeResult refuse(UpgradeError error, std::string text) {
  UpgradeResult result;
  result.error = error;
  result.text = std::move(text);
  return result;
}

/// Nothing if the answer is a handshake for our key at all (section 4.1, the client's checks 1 to
/// 4).
std::optional<UpgradeResult> check_handshake(const UpgradeRequest& request,
                                             const HttpHead& response) {
  if (response.status != 101) {
    return refuse(UpgradeError::not_101,
                  "HTTP status " + std::to_string(response.status) +
                      (response.reason.empty() ? "" : " " + response.reason));
  }
  const auto upgrade = response.elements("upgrade");
  if (upgrade.size() != 1 || !equal_ignoring_case(upgrade[0], "websocket")) {
    return refuse(UpgradeError::bad_upgrade_header, show(response, "Upgrade"));
  }
  if (!response.has_token("connection", "upgrade")) {
    return refuse(UpgradeError::bad_connection_header, show(response, "Connection"));
  }
  const auto accept = response.values("sec-websocket-accept");
  if (accept.size() != 1 || accept[0] != compute_accept(request.key)) {
    return refuse(UpgradeError::bad_accept, show(response, "Sec-WebSocket-Accept"));
  }
  return std::nullopt;
}

UpgradeCheck refuse_request(unsigned status, std::string text,
                            std::vector<std::pair<std::string, std::string>> headers = {}) {
  UpgradeCheck check;
  check.status = status;
  check.text = std::move(text);
  check.headers = std::move(headers);
  return check;
}

}  // namespace

std::string make_key(std::span<const std::byte, 16> random) {
  return to_base64({reinterpret_cast<const char*>(random.data()), random.size()});
}

std::string compute_accept(std::string_view key) {
  const std::string input = std::string(key).append(accept_suffix);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (EVP_Digest(input.data(), input.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("this OpenSSL has no SHA-1, which WebSocket handshakes need");
  }
  return to_base64({reinterpret_cast<const char*>(digest.data()), size});
}

std::string write_upgrade_request(const UpgradeRequest& request) {
  check_subprotocols(request.subprotocols);
  HttpHead head;
  head.method = "GET";
  head.target = request.target;
  const auto is_host = [](const auto& field) { return equal_ignoring_case(field.first, "host"); };
  const auto own_host = std::ranges::find_if(request.headers, is_host);
  head.fields = {{"Host", own_host == request.headers.end() ? request.host : own_host->second},
                 {"Upgrade", "websocket"},
                 {"Connection", "Upgrade"},
                 {"Sec-WebSocket-Key", request.key},
                 {"Sec-WebSocket-Version", "13"}};
  if (!request.subprotocols.empty())
    head.fields.emplace_back("Sec-WebSocket-Protocol", join(request.subprotocols));
  if (request.compression) {
    head.fields.emplace_back("Sec-WebSocket-Extensions", write_deflate_offer(*request.compression));
  }
  for (const auto& field : request.headers) {
    if (std::ranges::any_of(own_headers,
                            [&](auto name) { return equal_ignoring_case(field.first, name); })) {
      throw std::invalid_argument("the header " + field.first + " belongs to the handshake");
    }
    if (!is_host(field)) head.fields.push_back(field);
  }
  return write_request(head);
}

UpgradeResult check_upgrade_response(const UpgradeRequest& request, const HttpHead& response) {
  if (auto refusal = check_handshake(request, response)) return *std::move(refusal);
  UpgradeResult result;
  const auto subprotocols = response.values("sec-websocket-protocol");
  if (!subprotocols.empty()) {
    result.subprotocol = subprotocols[0];
    if (subprotocols.size() > 1 ||
        std::ranges::find(request.subprotocols, result.subprotocol) == request.subprotocols.end()) {
      return refuse(UpgradeError::unexpected_subprotocol, show(response, "Sec-WebSocket-Protocol"));
    }
  }
  const auto extensions = response.values("sec-websocket-extensions");
  if (!extensions.empty()) {
    if (!request.compression) {
      return refuse(UpgradeError::unexpected_extension, show(response, "Sec-WebSocket-Extensions"));
    }
    DeflateAnswer answer = check_deflate_answer(*request.compression, extensions);
    if (!answer.error.empty()) {
      return refuse(UpgradeError::unexpected_extension,
                    show(response, "Sec-WebSocket-Extensions") + " (" + answer.error + ")");
    }
    result.compression = answer.agreed;
  }
  result.accepted = true;
  return result;
}

UpgradeCheck check_upgrade_request(const HttpHead& request) {
  if (request.method != "GET")
    return refuse_request(405, "an upgrade is a GET", {{"Allow", "GET"}});
  if (request.version < 11) return refuse_request(400, "an upgrade needs HTTP/1.1");
  if (!request.has_token("upgrade", "websocket"))
    return refuse_request(400, "Upgrade: websocket is missing");
  if (!request.has_token("connection", "upgrade"))
    return refuse_request(400, "Connection: Upgrade is missing");
  const auto versions = request.values("sec-websocket-version");
  if (versions.size() != 1 || versions[0] != "13") {
    return refuse_request(426, "the version of WebSocket must be 13",
                          {{"Sec-WebSocket-Version", "13"}});
  }
  const auto keys = request.values("sec-websocket-key");
  if (keys.size() != 1 || !is_key(keys[0]))
    return refuse_request(400, "Sec-WebSocket-Key is missing or bad");
  UpgradeCheck check;
  for (const std::string_view name : request.elements("sec-websocket-protocol")) {
    if (!is_token(name)) return refuse_request(400, "Sec-WebSocket-Protocol is badly written");
    check.subprotocols.emplace_back(name);
  }
  check.ok = true;
  check.key = keys[0];
  return check;
}

std::string write_upgrade_response(std::string_view key, std::string_view subprotocol,
                                   const std::optional<std::string>& extension) {
  HttpHead head;
  head.status = 101;
  head.fields = {{"Upgrade", "websocket"},
                 {"Connection", "Upgrade"},
                 {"Sec-WebSocket-Accept", compute_accept(key)}};
  if (!subprotocol.empty()) head.fields.emplace_back("Sec-WebSocket-Protocol", subprotocol);
  if (extension) head.fields.emplace_back("Sec-WebSocket-Extensions", *extension);
  return write_response(head);
}

}  // namespace wskeep::websocket
