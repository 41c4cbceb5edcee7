#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"
#include "ring/ring.hpp"

/// The events of docs/ipc.md, each as one line of JSON.
namespace wskeep::ipc {

/// RFC 3339 with milliseconds, UTC.
[[nodiscard]] std::string time_text(std::chrono::system_clock::time_point time);

[[nodiscard]] std::string hello_event(std::string_view connection, const ring::Ring& ring,
                                      ring::Sequence next, std::string_view state);
/// `from` 0: messages of another epoch, nobody knows how many.
[[nodiscard]] std::string gap_event(ring::Sequence from, ring::Sequence to);
[[nodiscard]] std::string sent_event(std::string_view id);
[[nodiscard]] std::string failed_event(std::string_view id, const Rejection& reason);

}  // namespace wskeep::ipc
