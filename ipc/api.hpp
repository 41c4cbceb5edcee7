#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/accounts.hpp"
#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"
#include "websocket/http.hpp"

namespace wskeep::ipc {

/// What a path asks for: docs/ipc.md's table.
struct Route {
  enum class Resource : std::uint8_t {
    none,
    connections,
    connection,
    attempts,
    messages,
    control,
    events,
    reload,
    status,
    metrics,
    health,
    readiness,
  };
  Resource resource = Resource::none;
  std::string name{};                                        ///< of the connection
  Upstream::Control control = Upstream::Control::reconnect;  ///< what Resource::control asks for
};

[[nodiscard]] Route find_route(std::string_view path);

/// What the TCP listener serves.
[[nodiscard]] constexpr bool is_monitoring(Route::Resource resource) noexcept {
  return resource == Route::Resource::metrics || resource == Route::Resource::health ||
         resource == Route::Resource::readiness;
}

struct Answer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::shared_ptr<LongText> rest{};  ///< what follows the body, in chunks; nullptr: nothing
  bool handed_over = false;  ///< the socket is somebody else's now: nothing is to be written
};

/// `{"error": ..., "message": ...}`
[[nodiscard]] Answer error_answer(unsigned status, std::string_view error,
                                  std::string_view message);

/// There is no room for what the client wants.
[[nodiscard]] Answer refusal_answer(Refusal refusal);

/// The whole answer as it is sent; with a rest, as far as the body.
[[nodiscard]] std::string write_answer(const Answer& answer, bool keep_alive, bool head_only);

/// A piece of such an answer, of one that is kept alive. An empty one ends it.
[[nodiscard]] std::string chunk(std::string_view text);

/// Whether a body with that Content-Type is text; nullptr: none was given.
[[nodiscard]] bool is_text(const std::string* content_type);

}  // namespace wskeep::ipc
