#include "websocket/close.hpp"

#include "websocket/utf8.hpp"

namespace wskeep::websocket {

ReceivedClose parse_close(std::span<const std::byte> payload) noexcept {
  ReceivedClose close;
  if (payload.empty()) return close;
  if (payload.size() == 1) {
    close.violation = {CloseCode::protocol_error, "Close frame with half a code"};
    return close;
  }
  const auto code = static_cast<std::uint16_t>(std::to_integer<unsigned>(payload[0]) << 8U |
                                               std::to_integer<unsigned>(payload[1]));
  const std::span<const std::byte> reason = payload.subspan(2);
  close.payload.code = static_cast<CloseCode>(code);
  if (!is_valid_close_code(code)) {
    close.violation = {CloseCode::protocol_error, "close code that may not be sent"};
  } else if (!is_valid_utf8(reason)) {
    close.violation = {CloseCode::invalid_payload, "close reason is not UTF-8"};
  } else {
    close.payload.reason = {reinterpret_cast<const char*>(reason.data()), reason.size()};
  }
  return close;
}

void append_close_payload(std::vector<std::byte>& output, CloseCode code, std::string_view reason) {
  const auto number = static_cast<std::uint16_t>(code);
  if (!is_valid_close_code(number)) return;
  std::size_t size = reason.size();
  if (size > max_close_reason) {
    size = max_close_reason;
    while (size > 0 && (static_cast<unsigned char>(reason[size]) & 0xC0U) == 0x80) --size;
  }
  output.push_back(static_cast<std::byte>(number >> 8U));
  output.push_back(static_cast<std::byte>(number & 0xFFU));
  const auto* bytes = reinterpret_cast<const std::byte*>(reason.data());
  output.insert(output.end(), bytes, bytes + size);
}

}  // namespace wskeep::websocket
