#include "daemon/upstream/target.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "config/characters.hpp"
#include "config/header.hpp"
#include "config/request_templates.hpp"
#include "config/session.hpp"
#include "daemon/script/evaluate.hpp"
#include "daemon/upstream/redirect.hpp"
#include "websocket/base64.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace {

using daemon::Error;

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
  target.request.headers.emplace_back("Authorization",
                                      "Basic " + websocket::to_base64(credentials));
}

/// A template that has no value now, in a sentence that says why.
class NoValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws NoValue.
std::string value_of(const config::Template& text, script::Scope& scope) {
  script::Evaluated evaluated = script::evaluate(text, scope);
  if (const auto* const error = std::get_if<script::EvaluationError>(&evaluated))
    throw NoValue(error->text);
  return std::get<std::string>(std::move(evaluated));
}

/// What a key under `authorization` is now; throws NoValue, also where it is unfit.
std::string credentials_of(const config::Template& text, const std::string& key,
                           std::string (*error)(std::string_view), script::Scope& scope) {
  try {
    std::string value = value_of(text, scope);
    const std::string wrong = value.empty() ? "is empty: " + text.source() : error(value);
    if (wrong.empty()) return value;
    wipe(value);
    throw NoValue(wrong);
  } catch (const NoValue& missing) {
    throw NoValue("authorization." + key + ": " + missing.what());
  }
}

void read_headers(Target& target, const config::ConnectionSettings& settings,
                  script::Scope& scope) {
  websocket::UpgradeRequest& request = target.request;
  for (const auto& [name, text] : settings.headers) {
    try {
      std::string value = value_of(text, scope);
      if (const std::string wrong = config::header_value_error(value); !wrong.empty()) {
        wipe(value);
        throw NoValue(wrong);
      }
      request.headers.emplace_back(name, std::move(value));
    } catch (const NoValue& missing) {
      throw NoValue("header " + name + ": " + missing.what());
    }
  }
  if (has_authorization(request)) return;
  if (!settings.authorization.basic.empty()) {
    std::string credentials =
        credentials_of(settings.authorization.basic, "basic", config::basic_error, scope);
    add_basic(target, credentials);
    wipe(credentials);
  } else if (!settings.authorization.bearer.empty()) {
    std::string token =
        credentials_of(settings.authorization.bearer, "bearer", config::bearer_error, scope);
    request.headers.emplace_back("Authorization", "Bearer " + token);
    wipe(token);
  }
}

/// Whether a URL that is a value can be ws://: it takes nothing away from who has no TLS anyway.
bool allows_plain(const config::Connection& connection) {
  const auto is_plain = [](const config::Template& url) {
    return config::names_scheme(url) && config::folded(url.source()).starts_with("ws:");
  };
  const auto& script = connection.settings.session;
  return (script && script->insecure_url) || std::ranges::any_of(connection.urls, is_plain);
}

void read_url(Target& target, const config::Connection& connection, const config::Template& text,
              script::Scope& scope) {
  std::string url = value_of(text, scope);
  target.url = config::parse_url(url);
  wipe(url);
  const bool is_value = !config::names_scheme(text) && !text.variables().empty();
  if (is_value && !target.url.secure && !allows_plain(connection))
    throw NoValue(
        "the value begins with ws://, and one that is not from the configuration must be wss://; "
        "`session.insecure_url: true` allows it");
  target.request.host = target.url.authority();
  target.request.target = target.url.target;
  add_user_of_url(target);
  // Of a URL that came from elsewhere, any part can be a ticket.
  if (is_value) target.secrets.add(target.url.target);
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
                                                const config::Template& url, script::Scope& scope) {
  Target target;
  target.tls = connection.settings.tls;
  target.request.subprotocols = connection.settings.subprotocols;
  if (connection.settings.compression) target.request.compression.emplace();
  try {
    read_headers(target, connection.settings, scope);
  } catch (const NoValue& error) {
    return TargetFailure{{Error::configuration, error.what()}, true};
  }
  try {
    read_url(target, connection, url, scope);
    check_request(target.request);
  } catch (const NoValue& error) {
    return TargetFailure{{Error::configuration, std::string("url: ") + error.what()}, false};
  } catch (const config::UrlError& error) {
    return TargetFailure{{Error::configuration, std::string("url: ") + error.what()}, false};
  } catch (const std::invalid_argument& error) {
    return TargetFailure{{Error::configuration, std::string("request: ") + error.what()}, true};
  }
  note_secrets(target);
  return target;
}

void add_user_of_url(Target& target) {
  if (!target.url.user_info.empty() && !has_authorization(target.request))
    add_basic(target, target.url.user_info);
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
