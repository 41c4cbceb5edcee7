#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "websocket/deflate.hpp"

namespace wskeep::websocket {

/// The value of a client's Sec-WebSocket-Extensions header that offers permessage-deflate (RFC
/// 7692, section 7). `offer.client_max_window_bits` of 15 leaves the choice to the server.
[[nodiscard]] std::string write_deflate_offer(const DeflateParameters& offer);

/// A server's answer, as the client that sent the offer sees it.
struct DeflateAnswer {
  std::optional<DeflateParameters> agreed;  ///< nothing if the server declined
  std::string error;  ///< not empty if the answer does not fit the offer: the session must fail
};

/// Checks the values of the answer's Sec-WebSocket-Extensions headers (none, if it declined).
/// Refused are extensions and parameters that are unknown, twice there, badly written or not within
/// the offer.
[[nodiscard]] DeflateAnswer check_deflate_answer(const DeflateParameters& offer,
                                                 std::span<const std::string_view> values);

/// What a server chose out of a client's offers.
struct DeflateChoice {
  DeflateParameters agreed;
  std::string header;  ///< for the response's Sec-WebSocket-Extensions
};

/// Takes the first of a client's offers that can be met. `preferred` is what the server itself
/// wishes: its takeover flags are added where the client did not ask for them, its window bits are
/// upper bounds (the client's only where the client said that it can). Nothing if no offer can be
/// met; offers that are badly written count as such.
[[nodiscard]] std::optional<DeflateChoice> choose_deflate(std::span<const std::string_view> values,
                                                          const DeflateParameters& preferred);

}  // namespace wskeep::websocket
