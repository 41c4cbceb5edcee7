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
/// Parts from..to are those of a message that was never ended.
[[nodiscard]] std::string aborted_event(ring::Sequence from, ring::Sequence to);
/// What a WebSocket is told by its Close frame.
[[nodiscard]] std::string closed_event(std::uint16_t code, std::string_view reason);
[[nodiscard]] std::string queued_event(std::string_view id);
[[nodiscard]] std::string sent_event(std::string_view id);
[[nodiscard]] std::string failed_event(std::string_view id, std::string_view outcome,
                                       const Rejection& reason);

}  // namespace wskeep::ipc
