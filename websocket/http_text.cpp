#include <boost/beast/http/status.hpp>

#include <algorithm>
#include <stdexcept>

#include "websocket/header_text.hpp"
#include "websocket/http.hpp"

namespace wskeep::websocket {
namespace {

void append_fields(std::string& text, const HttpHead& head) {
  for (const auto& [name, value] : head.fields) {
    if (!is_token(name)) throw std::invalid_argument("not a header's name: " + name);
    if (!is_header_value(value))
      throw std::invalid_argument("control character in the header " + name);
    text.append(name).append(": ").append(value).append("\r\n");
  }
}

void append_length(std::string& text, const HttpHead& head, std::size_t size) {
  if (head.find("content-length") != nullptr || head.find("transfer-encoding") != nullptr) return;
  text.append("Content-Length: ").append(std::to_string(size)).append("\r\n");
}

bool is_target(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char character) {
    return static_cast<unsigned char>(character) > 0x20 && character != 0x7F;
  });
}

}  // namespace

const std::string* HttpHead::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find_if(
      fields, [name](const auto& field) { return equal_ignoring_case(field.first, name); });
  return found == fields.end() ? nullptr : &found->second;
}

std::vector<std::string_view> HttpHead::values(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : fields) {
    if (equal_ignoring_case(key, name)) found.emplace_back(value);
  }
  return found;
}

std::vector<std::string_view> HttpHead::elements(std::string_view name) const {
  std::vector<std::string_view> found;
  for (std::string_view rest : values(name)) {
    while (!rest.empty()) {
      const std::size_t size = std::min(rest.find(','), rest.size());
      const std::string_view element = trim(rest.substr(0, size));
      if (!element.empty()) found.push_back(element);
      rest.remove_prefix(std::min(size + 1, rest.size()));
    }
  }
  return found;
}

bool HttpHead::has_token(std::string_view name, std::string_view token) const {
  return std::ranges::any_of(elements(name), [token](std::string_view element) {
    return equal_ignoring_case(element, token);
  });
}

std::string write_request(const HttpHead& head, std::string_view body) {
  if (!is_token(head.method)) throw std::invalid_argument("not a method: " + head.method);
  if (!is_target(head.target)) throw std::invalid_argument("not a request target: " + head.target);
  std::string text = head.method + " " + head.target + " HTTP/1.1\r\n";
  append_fields(text, head);
  if (!body.empty() || head.method == "POST" || head.method == "PUT")
    append_length(text, head, body.size());
  return text.append("\r\n").append(body);
}

std::string write_response(const HttpHead& head, std::string_view body) {
  if (head.status < 100 || head.status > 999) throw std::invalid_argument("not a status");
  std::string reason = head.reason;
  if (reason.empty()) {
    const auto usual =
        boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(head.status));
    reason.assign(usual.data(), usual.size());
  }
  if (!is_header_value(reason)) throw std::invalid_argument("control character in the reason");
  std::string text = "HTTP/1.1 " + std::to_string(head.status) + " " + reason + "\r\n";
  append_fields(text, head);
  if (head.status >= 200 && head.status != 204 && head.status != 304)
    append_length(text, head, body.size());
  return text.append("\r\n").append(body);
}

}  // namespace wskeep::websocket
