#include "daemon/upstream/secrets.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace wskeep::upstream {
namespace {

constexpr std::string_view mask = "***";

std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, value, 16);
  if (error != std::errc{} || end != text.data() + 3) return std::nullopt;
  return static_cast<char>(value);
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = escaped_byte(text.substr(at));
    result += byte ? *byte : text[at];
    at += byte ? 3 : 1;
  }
  return result;
}

/// How much of the text's end is the beginning of `secret`; 0 for less than is looked for.
std::size_t cut_off(std::string_view text, std::string_view secret) {
  for (std::size_t size = std::min(text.size(), secret.size()); size >= Secrets::shortest; --size)
    if (text.ends_with(secret.substr(0, size))) return size;
  return 0;
}

}  // namespace

void wipe(std::string& secret) noexcept {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

Secrets::~Secrets() {
  clear();
}

Secrets& Secrets::operator=(Secrets&& other) noexcept {
  clear();
  secrets_ = std::move(other.secrets_);
  return *this;
}

void Secrets::clear() noexcept {
  for (std::string& secret : secrets_) wipe(secret);
  secrets_.clear();
}

void Secrets::add(std::string_view secret) {
  if (secret.size() < shortest) return;
  const auto place = std::find_if(secrets_.begin(), secrets_.end(), [&](const std::string& other) {
    return other.size() < secret.size();
  });
  secrets_.emplace(place, secret);
}

void Secrets::add_header(std::string_view value) {
  constexpr std::string_view between = " ;,=";
  add(value);
  const std::size_t word = value.find_first_of(between);
  const bool scheme = word != std::string_view::npos && value[word] == ' ';
  std::string_view rest = scheme ? value.substr(word + 1) : value;
  if (scheme) add(rest);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(between), rest.size());
    if (end != value.size()) add(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void Secrets::add_query(std::string_view target) {
  const std::size_t question = target.find('?');
  std::string_view query = question == std::string_view::npos ? "" : target.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find_first_of("&;"), query.size());
    const std::string_view parameter = query.substr(0, end);
    const std::size_t equals = parameter.find('=');
    const std::string_view value =
        equals == std::string_view::npos ? parameter : parameter.substr(equals + 1);
    add(value);
    std::string decoded = percent_decoded(value);
    if (decoded != value) add(decoded);
    wipe(decoded);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
}

std::string Secrets::hidden(std::string_view text) const {
  std::size_t cut = 0;
  for (const std::string& secret : secrets_) cut = std::max(cut, cut_off(text, secret));
  const std::string_view whole = text.substr(0, text.size() - cut);
  std::string result;
  for (std::size_t at = 0; at < whole.size();) {
    const auto found = std::find_if(
        secrets_.begin(), secrets_.end(),
        [rest = whole.substr(at)](const std::string& secret) { return rest.starts_with(secret); });
    if (found == secrets_.end()) {
      result += whole[at++];
    } else {
      result += mask;
      at += found->size();
    }
  }
  return cut == 0 ? result : result + std::string(mask);
}

}  // namespace wskeep::upstream
