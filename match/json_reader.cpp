#include "match/json_reader.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "config/json.hpp"

namespace wskeep::match {
namespace {

namespace ondemand = simdjson::ondemand;
using Token = config::JsonPointer::Token;

static_assert(simdjson::SIMDJSON_PADDING <= Message::padding);

constexpr std::string_view spaces = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(spaces), text.size());
  const std::size_t last = text.find_last_not_of(spaces);
  return first == text.size() ? std::string_view() : text.substr(first, last + 1 - first);
}

JsonValue::Kind kind_of(char first) {
  switch (first) {
    case '{':
      return JsonValue::Kind::object;
    case '[':
      return JsonValue::Kind::array;
    case '"':
      return JsonValue::Kind::string;
    case 't':
    case 'f':
      return JsonValue::Kind::boolean;
    case 'n':
      return JsonValue::Kind::null;
    default:
      return JsonValue::Kind::number;
  }
}

/// Replaces an object by its member, an array by its element. False where there is none.
bool descend(ondemand::value& value, const Token& token, bool escapes) {
  ondemand::json_type type{};
  if (value.type().get(type) != simdjson::SUCCESS) {
    return false;
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    return token.index && value.get_array().get(array) == simdjson::SUCCESS &&
           array.at(*token.index).get(value) == simdjson::SUCCESS;
  }
  ondemand::object object;
  if (type != ondemand::json_type::object || value.get_object().get(object) != simdjson::SUCCESS) {
    return false;
  }
  // The library compares names as they are written.
  if (!escapes && token.name.find_first_of("\"\\") == std::string::npos) {
    return object.find_field(token.name).get(value) == simdjson::SUCCESS;
  }
  for (auto member : object) {
    std::string_view name;
    if (member.unescaped_key().get(name) == simdjson::SUCCESS && name == token.name) {
      return member.value().get(value) == simdjson::SUCCESS;
    }
  }
  return false;
}

std::optional<JsonValue> read(ondemand::value value) {
  JsonValue found{.raw = trimmed(value.raw_json_token())};
  found.kind = kind_of(found.raw.front());
  std::string_view text;
  ondemand::object object;
  ondemand::array array;
  switch (found.kind) {
    case JsonValue::Kind::object:
      if (value.get_object().get(object) || object.raw_json().get(found.raw)) {
        return std::nullopt;
      }
      found.raw = trimmed(found.raw);
      break;
    case JsonValue::Kind::array:
      if (value.get_array().get(array) || array.raw_json().get(found.raw)) {
        return std::nullopt;
      }
      found.raw = trimmed(found.raw);
      break;
    case JsonValue::Kind::string:
      if (value.get_string().get(text) == simdjson::SUCCESS) {
        found.text = text;
      }
      break;
    default:
      break;
  }
  return found;
}

}  // namespace

struct JsonReader::Parser {
  enum class State : std::uint8_t { unread, json, no_json };

  /// Where simdjson can read behind it.
  std::string_view padded() {
    if (message.padded) {
      return message.text();
    }
    const std::size_t needed = message.payload.size() + Message::padding;
    if (copy.size() < needed || copy.size() > std::max(needed, kept) * 2) {
      copy = std::string(std::bit_ceil(needed), '\0');
    }
    std::ranges::copy(message.text(), copy.begin());
    return {copy.data(), message.payload.size()};
  }

  void make_room(std::size_t size) {
    const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(size, 4096));
    if (parser.capacity() > std::max(capacity, kept)) {
      parser = ondemand::parser();
    }
    if (parser.capacity() < capacity && parser.allocate(capacity) != simdjson::SUCCESS) {
      throw std::bad_alloc();
    }
  }

  // What simdjson reads on demand it checks on demand, and not at all what it skips.
  bool parse() {
    const std::string_view text = padded();
    if (!config::is_json(text)) {
      return false;
    }
    make_room(text.size());
    const simdjson::padded_string_view input(text.data(), text.size(),
                                             text.size() + Message::padding);
    escapes = std::memchr(text.data(), '\\', text.size()) != nullptr;
    whole = trimmed(text);
    return parser.iterate(input).get(document) == simdjson::SUCCESS;
  }

  Message message;
  State state = State::unread;
  bool escapes = false;  ///< there is a backslash in it
  std::string_view whole;
  std::string copy;
  ondemand::parser parser;
  ondemand::document document;
};

JsonReader::JsonReader() : parser_(std::make_unique<Parser>()) {}
JsonReader::~JsonReader() = default;

void JsonReader::open(const Message& message) {
  parser_->message = message;
  parser_->state = Parser::State::unread;
}

bool JsonReader::is_json() {
  using State = Parser::State;
  if (parser_->state == State::unread) {
    parser_->state = parser_->parse() ? State::json : State::no_json;
  }
  return parser_->state == State::json;
}

std::optional<JsonValue> JsonReader::find(const config::JsonPointer& pointer) {
  if (!is_json()) {
    return std::nullopt;
  }
  Parser& parser = *parser_;
  parser.document.rewind();
  JsonValue found{.kind = kind_of(parser.whole.front()), .raw = parser.whole};
  const bool container =
      found.kind == JsonValue::Kind::array || found.kind == JsonValue::Kind::object;
  if (pointer.tokens().empty() || !container) {
    if (!pointer.tokens().empty()) {
      return std::nullopt;
    }
    std::string_view text;
    if (found.kind == JsonValue::Kind::string &&
        parser.document.get_string().get(text) == simdjson::SUCCESS) {
      found.text = text;
    }
    return found;
  }
  ondemand::value value;
  if (parser.document.get_value().get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  for (const Token& token : pointer.tokens()) {
    if (!descend(value, token, parser.escapes)) {
      return std::nullopt;
    }
  }
  return read(value);
}

std::optional<std::string> JsonReader::text_at(const config::JsonPointer& pointer) {
  const std::optional<JsonValue> found = find(pointer);
  if (!found) {
    return std::nullopt;
  }
  if (found->kind != JsonValue::Kind::string) {
    return std::string(found->raw);
  }
  return found->text ? std::optional(std::string(*found->text)) : std::nullopt;
}

}  // namespace wskeep::match
