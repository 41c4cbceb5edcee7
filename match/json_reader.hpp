#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/json_pointer.hpp"
#include "match/message.hpp"

namespace wskeep::match {

/// A value within a message.
struct JsonValue {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  std::string_view raw;  ///< as it stands in the message, quotes and all
  /// What a string stands for; nothing for half a surrogate pair, which is no text. Only until the
  /// next call of the reader.
  std::optional<std::string_view> text{};
};

/// Finds values in JSON messages. Keeps the memory that parsing takes, so one serves all
/// connections of a thread; no more than a small multiple of `kept` stays after large messages.
class JsonReader {
 public:
  static constexpr std::size_t kept = std::size_t{256} << 10U;

  JsonReader();
  JsonReader(const JsonReader&) = delete;
  JsonReader& operator=(const JsonReader&) = delete;
  ~JsonReader();

  /// Makes this the message that is asked for. It stays where it is until the next one, or until
  /// nothing more is asked. Costs nothing yet.
  void open(const Message& message);

  /// Whether it is well-formed JSON in UTF-8. Parses it when it is asked for the first time.
  [[nodiscard]] bool is_json();

  /// What stands there; nothing where nothing does, or the message is no JSON. Of members with the
  /// same name the first counts.
  [[nodiscard]] std::optional<JsonValue> find(const config::JsonPointer& pointer);

  /// The same as a text for a variable: what a string stands for, all else as it is written.
  [[nodiscard]] std::optional<std::string> text_at(const config::JsonPointer& pointer);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace wskeep::match
