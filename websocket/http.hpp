#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wskeep::websocket {

/// What stands before the body of a request or a response of HTTP/1.
struct HttpHead {
  std::string method;      ///< of a request
  std::string target;      ///< of a request
  unsigned status = 0;     ///< of a response
  std::string reason;      ///< of a response; as written by the peer, may be empty
  unsigned version = 11;   ///< 10 or 11
  bool keep_alive = true;  ///< of a received one: what version and Connection say together
  std::vector<std::pair<std::string, std::string>>
      fields;  ///< in their order, values without spaces around

  /// The first field of that name in any case, or null.
  [[nodiscard]] const std::string* find(std::string_view name) const noexcept;

  /// The values of all fields of that name. The views live as long as the fields.
  [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;

  /// The elements, between commas, of all fields of that name; empty ones left out. Views as above.
  /// Not for lists whose elements may be quoted.
  [[nodiscard]] std::vector<std::string_view> elements(std::string_view name) const;

  /// Whether one of `elements(name)` is `token`, in any case.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;
};

/// Reads one message of HTTP/1, in pieces cut anywhere, and stops exactly behind it. Keeps no more
/// than was received, and no more than the limits.
class HttpReader {
 public:
  enum class Kind : std::uint8_t { request, response };
  enum class Status : std::uint8_t { incomplete, complete, error };
  enum class Error : std::uint8_t {
    none,
    malformed,       ///< not HTTP/1, or broken HTTP/1
    head_too_large,  ///< so are a chunk's header and trailers, and too many interim responses
    body_too_large,  ///< head() is there, and for a response body() with as much as the limit
                     ///< allows
    truncated,       ///< only after finish(): the peer closed within the message
  };

  struct Limits {
    std::size_t head = 8U << 10U;   ///< bytes, start line and fields together
    std::size_t body = 64U << 10U;  ///< bytes, decoded
  };

  struct Result {
    std::size_t consumed =
        0;  ///< bytes of the input that belong to this message; the rest is the caller's
    Status status = Status::incomplete;
    Error error = Error::none;
    std::string text;  ///< of an error, for people
  };

  HttpReader(Kind kind, Limits limits);
  HttpReader(HttpReader&&) noexcept;
  HttpReader& operator=(HttpReader&&) noexcept;
  ~HttpReader();

  /// Reads the next piece. Interim responses (1xx but 101) are skipped. A 101 has no body. A
  /// request whose Content-Length is over the limit is refused at its head; a response then still
  /// yields the front part of its body. A response without a length ends with `finish`, so who
  /// asked for an upgrade looks at `head_complete` after each piece. Once complete or failed,
  /// nothing more is consumed.
  Result read(std::span<const std::byte> input);

  /// The peer has closed: the end of a response without a length, else an error unless complete.
  Result finish();

  /// True once `head()` is final, while the body may still be coming.
  [[nodiscard]] bool head_complete() const noexcept;
  [[nodiscard]] const HttpHead& head() const noexcept;

  /// What has come of the body, chunks decoded.
  [[nodiscard]] const std::string& body() const noexcept;

  /// Ready for the next message, with the same limits.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Writes a request of HTTP/1.1 from method, target and fields. Adds Content-Length where there is
/// a body. Throws std::invalid_argument for a method, target, name or value that would break the
/// message, such as a value with a line break.
[[nodiscard]] std::string write_request(const HttpHead& head, std::string_view body = {});

/// Writes a response of HTTP/1.1 from status, reason (the usual one if empty) and fields. Adds
/// Content-Length, unless the status has no body or the fields say Content-Length or
/// Transfer-Encoding. Throws as above.
[[nodiscard]] std::string write_response(const HttpHead& head, std::string_view body = {});

}  // namespace wskeep::websocket
