#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "tests/unit/daemon/connection_world.hpp"

/// What the tests of variables in requests, and of `prepare`, share.
namespace wskeep::upstream {

/// A connection as these lines of YAML say, each with four spaces before it, and what its servers
/// were asked for.
struct AttemptWorld : ConnectionWorld {
  explicit AttemptWorld(const std::string& lines) {
    settings = config::load_text("connections:\n  test:\n    keepalive: {ping: off}\n" + lines, "f")
                   .connections.at(0);
    environment.names["gate.example.com"].addresses = {"10.0.0.2"};
    environment.names["tokens.example.com"].addresses = {"10.0.0.9"};
    accept_at(address);
    accept_at("10.0.0.2");
  }

  /// From now on there is a WebSocket server at that address, which is asked for `answer` first.
  void accept_at(const std::string& at) {
    environment.routes[at] = {};
    environment.routes[at].on_open = [this, at](Peer opened) {
      ++opens;
      peer = opened;
      answers([this, at](const std::string& request) {
        requests.push_back(request);
        const std::string refused = refusal ? refusal(at, request) : "";
        return refused.empty() ? switching(request) : refused;
      })(opened);
    };
  }

  /// From now on there is an HTTP server at 10.0.0.9 that answers so.
  void answer_tokens(std::function<std::string(const std::string&)> answer) {
    environment.routes["10.0.0.9"] = {};
    environment.routes["10.0.0.9"].on_open = [this, answer = std::move(answer)](Peer opened) {
      opened.on_received([this, answer, opened]() mutable {
        const std::string asked = opened.take();
        token_requests.push_back(asked);
        const std::string said = answer(asked);
        if (!said.empty()) opened.send(said);
      });
    };
  }

  void say(std::string_view text) {
    peer->send(text_frame(text));
    run_for(0ms);
  }
  void close_by_peer(std::uint16_t code) {
    peer->send(close_frame(code));
    peer->end();
    run_for(0ms);
  }
  /// The last WebSocket request: its first line, without the method.
  std::string target() const {
    const std::string& last = requests.back();
    return last.substr(4, last.find(" HTTP/1.1") - 4);
  }
  boost::json::object last_cycle() {
    return connection->describe_attempts().at("cycles").as_array().back().as_object();
  }
  std::string last_message() {
    return std::string(last_cycle().at("failure").at("message").as_string());
  }

  std::vector<std::string> requests;
  std::vector<std::string> token_requests;
  /// What is answered instead of the 101; empty: the 101.
  std::function<std::string(const std::string& address, const std::string& request)> refusal;
};

inline std::string http_answer(const std::string& status, const std::string& body,
                               const std::string& more = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         more + "\r\n" + body;
}

}  // namespace wskeep::upstream
