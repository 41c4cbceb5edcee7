#include "daemon/upstream/target.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "daemon/upstream/redirect.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace {

using daemon::Error;

std::string base64(std::string_view text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');  // EVP_EncodeBlock writes a NUL
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

bool has_authorization(const websocket::UpgradeRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return websocket::equal_ignoring_case(header.first, "authorization");
  });
}

/// `credentials` is "user:password".
void add_basic(Target& target, const std::string& credentials) {
  const std::size_t colon = credentials.find(':');
  if (colon != std::string::npos) target.secrets.add(credentials.substr(colon + 1));
  target.secrets.add(credentials);
  target.request.headers.emplace_back("Authorization", "Basic " + base64(credentials));
}

/// What a key under `authorization` is now; throws TextError, also where it is empty.
std::string credentials_of(const config::Text& text, const std::string& key) {
  try {
    std::string value = text.resolve();
    if (!value.empty()) return value;
  } catch (const config::TextError& error) {
    throw config::TextError("authorization." + key + ": " + error.what());
  }
  throw config::TextError("authorization." + key + " is empty: " + text.source());
}

void read_headers(Target& target, const config::ConnectionSettings& settings) {
  websocket::UpgradeRequest& request = target.request;
  for (const auto& [name, value] : settings.headers) {
    try {
      request.headers.emplace_back(name, value.resolve());
    } catch (const config::TextError& error) {
      throw config::TextError("header " + name + ": " + error.what());
    }
  }
  if (has_authorization(request)) return;
  if (!settings.authorization.basic.empty()) {
    std::string credentials = credentials_of(settings.authorization.basic, "basic");
    add_basic(target, credentials);
    wipe(credentials);
  } else if (!settings.authorization.bearer.empty()) {
    std::string token = credentials_of(settings.authorization.bearer, "bearer");
    request.headers.emplace_back("Authorization", "Bearer " + token);
    wipe(token);
  }
}

void read_url(Target& target, const config::Text& text) {
  std::string url = text.resolve();
  target.url = config::parse_url(url);
  wipe(url);
  target.request.host = target.url.authority();
  target.request.target = target.url.target;
  if (!target.url.user_info.empty() && !has_authorization(target.request))
    add_basic(target, target.url.user_info);
}

/// Throws std::invalid_argument for what must not be sent.
void check_request(websocket::UpgradeRequest& request) {
  request.key = websocket::make_key(std::array<std::byte, 16>{});
  std::string written = websocket::write_upgrade_request(request);
  wipe(written);
  request.key.clear();
}

void note_secrets(Target& target) {
  for (const auto& [name, value] : target.request.headers) target.secrets.add_header(value);
  target.secrets.add_query(target.request.target);
}

}  // namespace

Target::~Target() {
  for (auto& [name, value] : request.headers) wipe(value);
  wipe(request.target);
  wipe(url.target);
  wipe(url.user_info);
}

std::variant<Target, TargetFailure> read_target(const config::Connection& connection,
                                                const config::Text& url) {
  Target target;
  target.tls = connection.settings.tls;
  target.request.subprotocols = connection.settings.subprotocols;
  if (connection.settings.compression) target.request.compression.emplace();
  try {
    read_headers(target, connection.settings);
  } catch (const config::TextError& error) {
    return TargetFailure{{Error::configuration, error.what()}, true};
  }
  try {
    read_url(target, url);
    check_request(target.request);
  } catch (const config::TextError& error) {
    return TargetFailure{{Error::configuration, std::string("url: ") + error.what()}, false};
  } catch (const config::UrlError& error) {
    return TargetFailure{{Error::configuration, std::string("url: ") + error.what()}, false};
  } catch (const std::invalid_argument& error) {
    return TargetFailure{{Error::configuration, std::string("request: ") + error.what()}, true};
  }
  note_secrets(target);
  return target;
}

Target redirected_target(Target& from, config::Url to) {
  Target target;
  const bool same = same_origin(from.url, to);
  const bool same_host = from.url.host == to.host;
  target.request = std::move(from.request);
  target.tls = std::move(from.tls);
  target.url = std::move(to);
  target.request.host = target.url.authority();
  target.request.target = target.url.target;
  if (!same) {
    for (auto& [name, value] : target.request.headers) wipe(value);
    target.request.headers.clear();
    target.tls.certificate.clear();
    target.tls.key.clear();
    target.tls.pkcs12.clear();
    target.tls.password = {};
  }
  if (!same_host) target.tls.server_name.clear();
  target.secrets = Secrets(from.secrets);
  target.secrets.add_query(target.request.target);
  return target;
}

}  // namespace wskeep::upstream
