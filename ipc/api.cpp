#include "ipc/api.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>
#include <charconv>

namespace wskeep::ipc {

Route find_route(std::string_view path) {
  using Resource = Route::Resource;
  constexpr std::array<std::pair<std::string_view, Resource>, 7> fixed{{
      {"/v1/connections", Resource::connections},
      {"/v1/events", Resource::events},
      {"/v1/reload", Resource::reload},
      {"/v1/status", Resource::status},
      {"/metrics", Resource::metrics},
      {"/healthz", Resource::health},
      {"/readyz", Resource::readiness},
  }};
  for (const auto& [fixed_path, resource] : fixed) {
    if (path == fixed_path) return {resource, {}};
  }
  constexpr std::string_view prefix = "/v1/connections/";
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  const std::string_view name = path.substr(0, path.find('/'));
  const std::string_view rest = path.substr(name.size());
  if (name.empty()) return {};
  if (rest.empty()) return {Resource::connection, std::string(name)};
  if (rest == "/attempts") return {Resource::attempts, std::string(name)};
  if (rest == "/messages") return {Resource::messages, std::string(name)};
  using Control = Upstream::Control;
  constexpr std::array<std::pair<std::string_view, Control>, 3> controls{
      {{"/reconnect", Control::reconnect},
       {"/pause", Control::pause},
       {"/resume", Control::resume}}};
  for (const auto& [control_path, control] : controls) {
    if (rest == control_path) return {Resource::control, std::string(name), control};
  }
  return {};
}

Answer error_answer(unsigned status, std::string_view error, std::string_view message) {
  return {
      .status = status,
      .body = boost::json::serialize(boost::json::object{{"error", error}, {"message", message}}) +
              "\n"};
}

Answer refusal_answer(Refusal refusal) {
  return error_answer(503, refusal_error(refusal), refusal_text(refusal));
}

std::string write_answer(const Answer& answer, bool keep_alive, bool head_only) {
  websocket::HttpHead head;
  head.status = answer.status;
  head.fields = answer.headers;
  head.fields.emplace_back("Content-Type", answer.content_type);
  head.fields.emplace_back("Cache-Control", "no-store");
  if (!keep_alive) head.fields.emplace_back("Connection", "close");
  if (answer.rest) {
    // Who is not kept alive may know no chunks.
    if (keep_alive) head.fields.emplace_back("Transfer-Encoding", "chunked");
    const std::string text = websocket::write_response(head);
    if (head_only) return text;
    return text + (keep_alive ? chunk(answer.body) : answer.body);
  }
  if (!head_only) return websocket::write_response(head, answer.body);
  head.fields.emplace_back("Content-Length", std::to_string(answer.body.size()));
  return websocket::write_response(head);
}

std::string chunk(std::string_view text) {
  std::array<char, 17> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
  return std::string(size.data(), end).append("\r\n").append(text).append("\r\n");
}

bool is_text(const std::string* content_type) {
  if (content_type == nullptr) return true;
  std::string type = content_type->substr(0, content_type->find(';'));
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  while (!type.empty() && type.back() == ' ') type.pop_back();
  // What curl says of --data when it is told nothing.
  return type.starts_with("text/") || type == "application/json" ||
         type == "application/x-www-form-urlencoded";
}

}  // namespace wskeep::ipc
