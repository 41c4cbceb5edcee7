#include "ipc/client/http_client.hpp"

#include <chrono>
#include <utility>

#include "ipc/client/http_exchange.hpp"
#include "websocket/http.hpp"

namespace wskeep::ipc {

namespace {

websocket::HttpHead make_head(const std::string& method, const std::string& target) {
  websocket::HttpHead head;
  head.method = method;
  head.target = target;
  head.fields = {{"Host", "wskeep"}, {"Connection", "close"}};
  return head;
}

}  // namespace

HttpClient::HttpClient(std::string socket, Milliseconds timeout)
    : socket_(std::move(socket)), timeout_(timeout) {}

HttpResponse HttpClient::get(const std::string& target) const {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout_;
  UnixSocket socket = UnixSocket::connect(socket_, timeout_);
  return exchange(socket, websocket::write_request(make_head("GET", target)), deadline);
}

HttpResponse HttpClient::post(const std::string& target, const std::string& content_type,
                              std::string_view body) const {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout_;
  UnixSocket socket = UnixSocket::connect(socket_, timeout_);
  websocket::HttpHead head = make_head("POST", target);
  head.fields.emplace_back("Content-Type", content_type);
  // Without a length, some servers wait for a body that an empty message does not have.
  if (body.empty()) head.fields.emplace_back("Content-Length", "0");
  return exchange(socket, websocket::write_request(head, body), deadline);
}

}  // namespace wskeep::ipc
