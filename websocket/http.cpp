#include "websocket/http.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <optional>
#include <type_traits>

#include "websocket/header_text.hpp"
#include "websocket/http_body.hpp"

namespace wskeep::websocket {
namespace {

namespace http = boost::beast::http;

using RequestParser = http::request_parser<http::empty_body>;
using ResponseParser = http::response_parser<http::empty_body>;

/// More interim responses than any server has a reason to send.
constexpr unsigned max_interim = 16;

constexpr std::size_t longest_method = 32;

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string copy(const boost::beast::string_view& text) {
  return {text.data(), text.size()};
}

/// Whether the input can be the front of a head, so that something else on the port is told from
/// its first bytes and not from the silence that follows.
bool plausible_front(HttpReader::Kind kind, std::string_view text) {
  if (kind == HttpReader::Kind::response) {
    constexpr std::string_view version = "HTTP/1.";
    return version.starts_with(text.substr(0, version.size()));
  }
  const std::string_view method = text.substr(0, std::min(text.find(' '), longest_method + 1));
  return !method.empty() && method.size() <= longest_method &&
         std::ranges::all_of(method, is_token_character);
}

/// Whether every line ends with CR LF, looking at the line feeds from `from` on.
bool has_proper_lines(std::string_view text, std::size_t from) {
  for (std::size_t at = text.find('\n', from); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return false;
  }
  return true;
}

struct ParsedHead {
  HttpHead head;
  std::string error;
  HttpBody::Framing framing = HttpBody::Framing::none;
  std::uint64_t length = 0;
};

/// Reads a head that is there whole. Beast would take it in pieces too, but counts its limit anew
/// with each line then, and so would take an endless one.
template <typename Parser>
ParsedHead parse_head(std::span<const std::byte> bytes) {
  ParsedHead parsed;
  Parser parser;
  parser.eager(false);
  parser.header_limit(
      static_cast<std::uint32_t>(bytes.size() + 1));  // the true limit has been judged
  parser.body_limit(boost::none);
  boost::system::error_code error;
  const std::size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error || used < bytes.size() || !parser.is_header_done()) {
    parsed.error = error ? error.message() : "broken head";
    return parsed;
  }
  const auto& message = parser.get();
  parsed.head.version = message.version();
  parsed.head.keep_alive = parser.keep_alive();
  if constexpr (std::is_same_v<Parser, RequestParser>) {
    parsed.head.method = copy(message.method_string());
    parsed.head.target = copy(message.target());
  } else {
    parsed.head.status = message.result_int();
    parsed.head.reason = copy(message.reason());
  }
  for (const auto& field : message) {
    parsed.head.fields.emplace_back(copy(field.name_string()), copy(field.value()));
  }
  if (parser.is_done()) return parsed;
  if (parser.chunked()) {
    parsed.framing = HttpBody::Framing::chunked;
  } else if (const auto length = parser.content_length()) {
    parsed.framing = HttpBody::Framing::length;
    parsed.length = *length;
  } else {
    parsed.framing = HttpBody::Framing::until_close;
  }
  return parsed;
}

}  // namespace

struct HttpReader::State {
  State(Kind wanted_kind, Limits wanted_limits) : kind(wanted_kind), limits(wanted_limits) {}

  Kind kind;
  Limits limits;
  std::vector<std::byte> front;  ///< of a head that is not complete
  HttpHead head;
  HttpBody body;
  bool head_taken = false;
  unsigned interim = 0;
  Status status = Status::incomplete;
  Error error = Error::none;
  std::string text;

  std::size_t read_head(std::span<const std::byte> input);
  void take_head(std::span<const std::byte> bytes);
  std::size_t read_body(std::span<const std::byte> input);
  void judge_body(HttpBody::Status body_status);
  void fail(Error what, std::string why);
  [[nodiscard]] Result result(std::size_t consumed) const {
    return {consumed, status, error, text};
  }
};

void HttpReader::State::fail(Error what, std::string why) {
  status = Status::error;
  error = what;
  text = std::move(why);
}

/// Returns the bytes used.
std::size_t HttpReader::State::read_head(std::span<const std::byte> input) {
  constexpr std::string_view blank_line = "\r\n\r\n";
  const std::size_t kept = front.size();
  // No more than one byte over the limit is ever kept.
  const std::size_t added = std::min(input.size(), limits.head + 1 - kept);
  front.insert(front.end(), input.begin(), input.begin() + static_cast<std::ptrdiff_t>(added));
  const std::string_view bytes = as_text(front);
  const std::size_t end = bytes.find(blank_line, kept - std::min(kept, blank_line.size() - 1));
  const bool whole = end != std::string_view::npos;
  const std::size_t size = whole ? end + blank_line.size() : bytes.size();
  if (!plausible_front(kind, bytes)) {
    fail(Error::malformed, "not HTTP/1");
  } else if (!has_proper_lines(bytes.substr(0, size), kept)) {
    fail(Error::malformed, "line that does not end with CR LF");
  } else if (size > limits.head) {
    fail(Error::head_too_large, "head over " + std::to_string(limits.head) + " bytes");
  } else if (whole) {
    take_head(std::span(front).first(size));
    front = {};
  }
  return whole ? size - kept : added;
}

void HttpReader::State::take_head(std::span<const std::byte> bytes) {
  ParsedHead parsed =
      kind == Kind::request ? parse_head<RequestParser>(bytes) : parse_head<ResponseParser>(bytes);
  if (!parsed.error.empty()) return fail(Error::malformed, std::move(parsed.error));
  if (kind == Kind::response && parsed.head.status / 100 == 1 && parsed.head.status != 101) {
    if (++interim > max_interim) fail(Error::head_too_large, "too many interim responses");
    return;
  }
  head = std::move(parsed.head);
  head_taken = true;
  body = HttpBody(parsed.framing, parsed.length, limits.body, limits.head);
  const bool refused = kind == Kind::request && parsed.length > limits.body;
  judge_body(refused ? HttpBody::Status::too_large : body.status());
}

std::size_t HttpReader::State::read_body(std::span<const std::byte> input) {
  std::size_t used = 0;
  judge_body(body.read(input, used));
  return used;
}

void HttpReader::State::judge_body(HttpBody::Status body_status) {
  switch (body_status) {
    case HttpBody::Status::incomplete:
      return;
    case HttpBody::Status::complete:
      status = Status::complete;
      return;
    case HttpBody::Status::malformed:
      return fail(Error::malformed, "broken chunk");
    case HttpBody::Status::too_large:
      return fail(Error::body_too_large, "body over " + std::to_string(limits.body) + " bytes");
    case HttpBody::Status::overhead_too_large:
      return fail(Error::head_too_large, "chunk extensions and trailers too large");
  }
}

HttpReader::HttpReader(Kind kind, Limits limits) : state_(std::make_unique<State>(kind, limits)) {}
HttpReader::HttpReader(HttpReader&&) noexcept = default;
HttpReader& HttpReader::operator=(HttpReader&&) noexcept = default;
HttpReader::~HttpReader() = default;

HttpReader::Result HttpReader::read(std::span<const std::byte> input) {
  State& state = *state_;
  std::size_t used = 0;
  while (used < input.size() && state.status == Status::incomplete) {
    const std::span<const std::byte> rest = input.subspan(used);
    used += state.head_taken ? state.read_body(rest) : state.read_head(rest);
  }
  return state.result(used);
}

HttpReader::Result HttpReader::finish() {
  State& state = *state_;
  if (state.status != Status::incomplete) return state.result(0);
  if (state.head_taken && state.body.finish()) {
    state.status = Status::complete;
  } else {
    state.fail(Error::truncated,
               state.head_taken ? "closed within the body" : "closed within the head");
  }
  return state.result(0);
}

bool HttpReader::head_complete() const noexcept {
  return state_->head_taken;
}

const HttpHead& HttpReader::head() const noexcept {
  return state_->head;
}

const std::string& HttpReader::body() const noexcept {
  return state_->body.data();
}

void HttpReader::reset() {
  *state_ = State(state_->kind, state_->limits);
}

}  // namespace wskeep::websocket
