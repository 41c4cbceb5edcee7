#include "daemon/script/functions.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string_view>

#include "config/characters.hpp"
#include "config/json.hpp"
#include "config/source.hpp"
#include "config/text.hpp"
#include "daemon/script/encoding.hpp"
#include "daemon/script/signature.hpp"
#include "websocket/base64.hpp"

namespace wskeep::script {
namespace {

using config::Function;

EvaluationError error(std::string text) {
  return {.text = std::move(text)};
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, number);
  return failed == std::errc() && rest == end ? std::optional(number) : std::nullopt;
}

template <typename Unit>
Evaluated since_1970(const Call& call) {
  return std::to_string(std::chrono::floor<Unit>(call.now.time_since_epoch()).count());
}

EvaluationError not_whole(bool first_is) {
  return error(std::string("needs whole numbers of 64 bits, and its ") +
               (first_is ? "second" : "first") + " argument is none");
}

Evaluated add(const Call& call) {
  const auto left = whole_number(call.arguments[0]);
  const auto right = whole_number(call.arguments[1]);
  if (!left || !right) {
    return not_whole(left.has_value());
  }
  std::int64_t sum = 0;
  if (__builtin_add_overflow(*left, *right, &sum)) {
    return error("comes to more than 64 bits hold");
  }
  return std::to_string(sum);
}

Evaluated greater(const Call& call) {
  const auto left = whole_number(call.arguments[0]);
  const auto right = whole_number(call.arguments[1]);
  if (!left || !right) {
    return not_whole(left.has_value());
  }
  return std::to_string(std::max(*left, *right));
}

Evaluated concat(const Call& call) {
  std::string all;
  for (const std::string& argument : call.arguments) {
    all += argument;
  }
  return all;
}

Evaluated base64_decode(const Call& call) {
  auto bytes = from_base64(call.arguments[0]);
  if (!bytes) {
    return error("was given what is not base64");
  }
  return std::move(*bytes);
}

Evaluated hex_decode(const Call& call) {
  auto bytes = from_hex(call.arguments[0]);
  if (!bytes) {
    return error("was given what is not hexadecimal");
  }
  return std::move(*bytes);
}

Evaluated length_and_text(const Call& call) {
  auto bytes = with_length(call.arguments[0], call.arguments[1]);
  if (!bytes) {
    return error("was given more than '" + call.arguments[1] + "' can count");
  }
  return std::move(*bytes);
}

Evaluated env(const Call& call) {
  try {
    return config::read_environment(call.arguments[0]);
  } catch (const config::TextError& failure) {
    return EvaluationError{.text = failure.what(), .missing = true};
  }
}

EvaluationError not_read(const config::TextError& failure, const std::string& path) {
  struct stat status {};
  const bool missing = ::stat(path.c_str(), &status) != 0 && (errno == ENOENT || errno == ENOTDIR);
  return {.text = failure.what(), .missing = missing};
}

Evaluated file(const Call& call) {
  const std::string& path = call.arguments[0];
  try {
    return config::read_value_file(path);
  } catch (const config::TextError& failure) {
    return not_read(failure, path);
  }
}

Evaluated credential(const Call& call) {
  const std::string& name = call.arguments[0];
  try {
    return config::read_credential(name);
  } catch (const config::TextError& failure) {
    return not_read(failure, config::credential_path(name));
  }
}

// An empty key is one that somebody forgot to fill in.
template <Hash hash>
Evaluated keyed_hash(const Call& call) {
  if (call.arguments[0].empty()) {
    return error("was given an empty key");
  }
  const std::string bytes = hmac(hash, call.arguments[0], call.arguments[1]);
  return encoded(bytes, call.arguments.size() > 2 ? call.arguments[2] : "hex");
}

Evaluated sha256(const Call& call) {
  return encoded(digest(Hash::sha256, call.arguments[0]),
                 call.arguments.size() > 1 ? call.arguments[1] : "hex");
}

template <JwtAlgorithm algorithm>
Evaluated token(const Call& call) {
  if (call.arguments[0].empty()) {
    return error("was given an empty key");
  }
  auto result = jwt(algorithm, call.arguments[0], call.arguments[1],
                    call.arguments.size() > 2 ? call.arguments[2] : "");
  if (const auto* const failure = std::get_if<JwtError>(&result)) {
    return error(std::string(failure->text));
  }
  return std::get<std::string>(std::move(result));
}

Evaluated json(const Call& call) {
  const std::string& text = call.arguments[0];
  if (!is_utf8(text)) {
    return error("was given bytes that are not UTF-8; encode them, as with base64()");
  }
  std::string escaped;
  config::append_json_escaped(escaped, text);
  return escaped;
}

Evaluated lower(const Call& call) {
  return config::folded(call.arguments[0]);
}

Evaluated upper(const Call& call) {
  std::string text = call.arguments[0];
  for (char& c : text) {
    if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    }
  }
  return text;
}

std::string random_bytes(Scope& scope, std::size_t size) {
  std::string bytes(size, '\0');
  scope.random(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

Evaluated random_hex(const Call& call) {
  const auto size = whole_number(call.arguments[0]).value_or(0);
  return to_hex(random_bytes(call.scope, static_cast<std::size_t>(size)));
}

// RFC 9562, version 4.
Evaluated uuid(const Call& call) {
  std::string bytes = random_bytes(call.scope, 16);
  const auto set = [&](std::size_t at, unsigned kept, unsigned mark) {
    const unsigned value = (static_cast<unsigned char>(bytes[at]) & kept) | mark;
    bytes[at] = static_cast<char>(static_cast<unsigned char>(value));
  };
  set(6, 0x0F, 0x40);
  set(8, 0x3F, 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) {
    text.insert(dash, 1, '-');
  }
  return text;
}

// To milliseconds, always with three digits: signatures are over this text.
Evaluated time_rfc3339(const Call& call) {
  // Far beyond any use, and within the four digits that a year has.
  constexpr std::int64_t farthest = std::int64_t{400} * 366 * 86'400;
  std::int64_t offset = 0;
  if (!call.arguments.empty()) {
    const auto given = whole_number(call.arguments[0]);
    if (!given || *given < -farthest || *given > farthest) {
      return error("needs a whole number of seconds, within 400 years");
    }
    offset = *given;
  }
  const auto since = std::chrono::floor<std::chrono::milliseconds>(call.now.time_since_epoch()) +
                     std::chrono::seconds(offset);
  const auto whole = std::chrono::floor<std::chrono::seconds>(since);
  const std::time_t seconds = whole.count();
  std::tm parts{};
  std::array<char, 40> text{};
  if (::gmtime_r(&seconds, &parts) == nullptr) {
    return error("is out of range");
  }
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  const std::string fraction = std::to_string(1000 + (since - whole).count());
  return std::string(text.data(), size) + '.' + fraction.substr(1) + 'Z';
}

using Implementation = Evaluated (*)(const Call&);

/// By the functions' numbers.
constexpr std::array<Implementation, static_cast<std::size_t>(Function::with_length) + 1>
    implementations{
        add,
        [](const Call& call) -> Evaluated { return websocket::to_base64(call.arguments[0]); },
        base64_decode,
        [](const Call& call) -> Evaluated { return websocket::to_base64url(call.arguments[0]); },
        concat,
        credential,
        [](const Call& call) -> Evaluated { return call.arguments[0]; },  // default: with a value
        env,
        file,
        [](const Call& call) -> Evaluated { return to_hex(call.arguments[0]); },
        hex_decode,
        keyed_hash<Hash::sha256>,
        keyed_hash<Hash::sha512>,
        json,
        token<JwtAlgorithm::eddsa>,
        token<JwtAlgorithm::es256>,
        token<JwtAlgorithm::hs256>,
        lower,
        greater,
        random_hex,
        sha256,
        since_1970<std::chrono::milliseconds>,
        time_rfc3339,
        since_1970<std::chrono::seconds>,
        since_1970<std::chrono::microseconds>,
        upper,
        [](const Call& call) -> Evaluated { return percent_encoded(call.arguments[0]); },
        uuid,
        length_and_text,
    };

}  // namespace

Evaluated call_function(Function function, const Call& call) {
  return implementations[static_cast<std::size_t>(function)](call);
}

}  // namespace wskeep::script
