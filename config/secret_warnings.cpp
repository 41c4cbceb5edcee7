#include "config/secret_warnings.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "config/characters.hpp"
#include "config/url.hpp"

namespace wskeep::config {
namespace {

constexpr std::string_view file_placeholder = "${file:";

/// Where container engines put secrets, which everybody in the container may read.
constexpr std::string_view container_secrets = "/run/secrets/";

/// Whether users who are neither its owner nor in its group can read a file: its permission, and
/// those of the folders on the way.
bool others_can_read(const std::filesystem::path& file) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(file, error);
  if (error || real.string().starts_with(container_secrets)) return false;
  struct stat status {};
  if (::stat(real.c_str(), &status) != 0 || (status.st_mode & S_IROTH) == 0) return false;
  for (std::filesystem::path folder = real.parent_path();; folder = folder.parent_path()) {
    if (::stat(folder.c_str(), &status) != 0 || (status.st_mode & S_IXOTH) == 0) return false;
    if (folder == folder.root_path()) return true;
  }
}

/// Names that headers with credentials have.
bool is_secret_header(std::string_view name) {
  constexpr std::array words{"authorization", "cookie",  "token",  "secret",
                             "password",      "api-key", "apikey", "api_key"};
  const std::string small = folded(name);
  return std::ranges::any_of(
      words, [&](std::string_view word) { return small.find(word) != std::string::npos; });
}

bool has_placeholder(std::string_view source) {
  return source.find("${") != std::string_view::npos;
}

/// Loopback, where nobody listens in.
bool is_local(std::string_view host) {
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
         host == "::1";
}

class Finder {
 public:
  explicit Finder(const Places& places) : places_(places) {}

  void look_at(const Connection& connection) {
    connection_ = &connection;
    const ConnectionSettings& settings = connection.settings;
    bool credentials = false;
    const auto secret = [&](const std::string& path, std::string_view source) {
      if (source.empty()) return;
      credentials = true;
      look_at_text(path, source);
    };
    secret("authorization.basic", settings.authorization.basic.source());
    secret("authorization.bearer", settings.authorization.bearer.source());
    for (const auto& [name, value] : settings.headers) {
      if (is_secret_header(name)) secret("headers." + name, value.source());
    }
    for (const Template& url : connection.urls) {
      if (!user_info(url.source()).empty()) secret("url", user_info(url.source()));
    }
    look_at_wire(connection, credentials);
    look_at_text("tls.password", settings.tls.password.source());
    look_at_text("proxy", user_info(settings.proxy.source()));
    look_at_file("tls.key", settings.tls.key);
    look_at_file("tls.pkcs12", settings.tls.pkcs12);
    look_at_file("proxy_tls.key", settings.proxy_tls.key);
  }

  [[nodiscard]] std::vector<Warning> take() { return std::move(found_); }

 private:
  void add(std::string path, std::string message) {
    found_.push_back({connection_->name, std::move(path), std::move(message)});
  }

  void look_at_text(const std::string& path, std::string_view source) {
    if (source.empty()) return;
    for (std::size_t at = source.find(file_placeholder); at != std::string_view::npos;
         at = source.find(file_placeholder, at + 1)) {
      const std::size_t begin = at + file_placeholder.size();
      look_at_file(path, std::string(source.substr(begin, source.find('}', begin) - begin)));
    }
    const Whereabouts* const place = find_place(places_, connection_->name, path);
    if (has_placeholder(source) || place == nullptr || !readable(place->file)) return;
    add(path, "is a secret in a file that every user of this machine can read: chmod o-r " +
                  place->file + ", or keep it in a file of its own and name it as ${file:PATH}");
  }

  void look_at_file(const std::string& path, const std::string& file) {
    if (file.empty() || !readable(file)) return;
    add(path, file + " can be read by every user of this machine: chmod o-r " + file);
  }

  void look_at_wire(const Connection& connection, bool credentials) {
    for (const Template& url : connection.urls) {
      const std::string& source = url.source();
      if (!credentials || !folded(source).starts_with("ws://") || has_placeholder(source)) continue;
      if (is_local(host_of(source))) continue;
      add("url", "sends credentials over the network without encryption: use wss://");
    }
  }

  /// Of a URL as it is written, place-holders and all.
  static std::string_view user_info(std::string_view url) {
    // A place-holder may hold a slash.
    const std::size_t at = url.rfind('@');
    const std::size_t scheme = url.find("://");
    if (at == std::string_view::npos || scheme == std::string_view::npos || at < scheme) return {};
    const std::string_view info = url.substr(scheme + 3, at - scheme - 3);
    const bool in_path = !has_placeholder(info) && info.find_first_of("/?#") != info.npos;
    return in_path ? std::string_view() : info;
  }

  static std::string host_of(std::string_view url) {
    try {
      return parse_url(url).host;
    } catch (const UrlError&) {
      return {};
    }
  }

  /// Asked once for each file.
  bool readable(const std::string& file) {
    const auto known = readable_.find(file);
    if (known != readable_.end()) return known->second;
    return readable_.emplace(file, others_can_read(file)).first->second;
  }

  const Places& places_;
  const Connection* connection_ = nullptr;
  std::map<std::string, bool, std::less<>> readable_;
  std::vector<Warning> found_;
};

}  // namespace

std::vector<Warning> secret_warnings(const Config& config, const Places& places) {
  Finder finder(places);
  for (const Connection& connection : config.connections) finder.look_at(connection);
  return finder.take();
}

}  // namespace wskeep::config
