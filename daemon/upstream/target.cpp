#include "daemon/upstream/target.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace {

std::string base64(const std::string& text) {
  std::vector<unsigned char> encoded(4 * ((text.size() + 2) / 3) + 1);
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  const int size = EVP_EncodeBlock(encoded.data(), bytes.data(), static_cast<int>(bytes.size()));
  return {encoded.begin(), encoded.begin() + size};
}

bool has_authorization(const websocket::UpgradeRequest& request) {
  return std::any_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
    return websocket::equal_ignoring_case(header.first, "authorization");
  });
}

Target read(const config::Connection& connection) {
  const config::ConnectionSettings& settings = connection.settings;
  Target target{config::parse_url(connection.urls.front().resolve()), {}};
  websocket::UpgradeRequest& request = target.request;
  request.host = target.url.authority();
  request.target = target.url.target;
  request.subprotocols = settings.subprotocols;
  for (const auto& [name, value] : settings.headers)
    request.headers.emplace_back(name, value.resolve());
  if (!target.url.user_info.empty() && !has_authorization(request))
    request.headers.emplace_back("Authorization", "Basic " + base64(target.url.user_info));
  if (settings.compression) request.compression.emplace();
  request.key = websocket::make_key(std::array<std::byte, 16>{});
  (void)websocket::write_upgrade_request(request);  // throws for what must not be sent
  request.key.clear();
  return target;
}

}  // namespace

std::variant<Target, daemon::Failure> read_target(const config::Connection& connection) {
  try {
    return read(connection);
  } catch (const config::TextError& error) {
    return daemon::Failure{daemon::Error::configuration, error.what()};
  } catch (const config::UrlError& error) {
    return daemon::Failure{daemon::Error::configuration, std::string("url: ") + error.what()};
  } catch (const std::invalid_argument& error) {
    return daemon::Failure{daemon::Error::configuration, std::string("request: ") + error.what()};
  }
}

}  // namespace wskeep::upstream
