#include "config/characters.hpp"
#include "config/file.hpp"
#include "config/key_groups.hpp"
#include "config/pin.hpp"

namespace wskeep::config {
namespace {

template <typename Check>
std::string unreadable(Check check, std::string_view path) {
  try {
    check(std::string(path));
    return "";
  } catch (const FileError& error) {
    return std::string("cannot be read: ") + error.what();
  }
}

std::string file_error(std::string_view path) {
  return unreadable(check_readable, path);
}

std::string ca_error(std::string_view path) {
  return unreadable(check_readable_file_or_folder, path);
}

// OpenSSL has the rest to say, when the daemon starts.
std::string ciphers_error(std::string_view list) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:+!@=";
  return list.find_first_not_of(allowed) == std::string_view::npos
             ? ""
             : "is not a list of ciphers; allowed: letters, digits and any of -_:+!@=";
}

std::string password_error(std::string_view password) {
  return has_control(password) ? "the password holds a line end or another control character" : "";
}

std::string read_pin(std::string& pin) {
  try {
    pin = parse_pin(pin);
    return "";
  } catch (const PinError& error) {
    return error.what();
  }
}

std::string host_error(std::string_view host) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
  return host.size() > 253 || host.find_first_not_of(allowed) != std::string_view::npos
             ? "is not a host name or address"
             : "";
}

}  // namespace

void add_tls(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("proxy_tls.ca",
      StringValue{MEMBER(std::string, connection.settings.proxy_tls.ca), "file or folder",
                  ca_error},
      "For an https:// proxy, as the keys of `tls`: accepted authorities; none: the system's");
  add("proxy_tls.certificate",
      StringValue{MEMBER(std::string, connection.settings.proxy_tls.certificate), "file",
                  file_error},
      "PEM file of the client's certificate chain; needs `proxy_tls.key`");
  add("proxy_tls.key",
      StringValue{MEMBER(std::string, connection.settings.proxy_tls.key), "file", file_error},
      "PEM file of its private key; needs `proxy_tls.certificate`");
  add("proxy_tls.server_name",
      StringValue{MEMBER(std::string, connection.settings.proxy_tls.server_name), "host",
                  host_error},
      "For SNI and the check of the certificate; none: the proxy's host");
  add("proxy_tls.min_version",
      choice({"1.2", "1.3"}, MEMBER(TlsVersion, connection.settings.proxy_tls.min_version)),
      "Oldest TLS version to speak");
  add("proxy_tls.verify", FlagValue{MEMBER(bool, connection.settings.proxy_tls.verify)},
      "`false` takes any certificate");
  add("tls.ca",
      StringValue{MEMBER(std::string, connection.settings.tls.ca), "file or folder", ca_error},
      "PEM file of accepted authorities, or a folder as `openssl rehash` makes it; none: the "
      "system's");
  add("tls.certificate",
      StringValue{MEMBER(std::string, connection.settings.tls.certificate), "file", file_error},
      "PEM file of the client's certificate chain; needs `tls.key`");
  add("tls.key", StringValue{MEMBER(std::string, connection.settings.tls.key), "file", file_error},
      "PEM file of its private key; needs `tls.certificate`");
  add("tls.pkcs12",
      StringValue{MEMBER(std::string, connection.settings.tls.pkcs12), "file", file_error},
      "PKCS#12 file instead of the two");
  add("tls.password",
      TextValue{MEMBER(Text, connection.settings.tls.password), "text", password_error},
      "Of `tls.key` or `tls.pkcs12`; read anew when the file is");
  add("tls.server_name",
      StringValue{MEMBER(std::string, connection.settings.tls.server_name), "host", host_error},
      "For SNI and the check of the certificate; none: the URL's host");
  add("tls.pin_sha256",
      StringsValue{MEMBER(std::vector<std::string>, connection.settings.tls.pin_sha256),
                   "list of SHA-256 in base64 or hex", read_pin},
      "Public keys, one of which the chain of certificates must hold; none: any");
  add("tls.min_version",
      choice({"1.2", "1.3"}, MEMBER(TlsVersion, connection.settings.tls.min_version)),
      "Oldest TLS version to speak");
  add("tls.ciphers",
      StringValue{MEMBER(std::string, connection.settings.tls.ciphers), "list as OpenSSL has it",
                  ciphers_error},
      "For TLS 1.2; none: OpenSSL's");
  add("tls.ciphersuites",
      StringValue{MEMBER(std::string, connection.settings.tls.ciphersuites),
                  "list as OpenSSL has it", ciphers_error},
      "For TLS 1.3; none: OpenSSL's");
  add("tls.crl", StringValue{MEMBER(std::string, connection.settings.tls.crl), "file", file_error},
      "PEM file of revocation lists; none: revocation is not checked");
  add("tls.verify", FlagValue{MEMBER(bool, connection.settings.tls.verify)},
      "`false` takes any certificate; only pins are still checked");
  add("tls.ignore",
      FaultsValue{MEMBER(std::vector<CertificateFault>, connection.settings.tls.ignore),
                  {"expired", "not_yet_valid", "name_mismatch", "self_signed", "issuer_unknown",
                   "untrusted", "revoked", "revocation_unknown"}},
      "Faults of a certificate to pass over");
}

}  // namespace wskeep::config
