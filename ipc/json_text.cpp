#include "ipc/json_text.hpp"

#include <cstring>
#include <string_view>

namespace wskeep::ipc {
namespace {

bool needs_escape(std::byte byte) {
  return byte < std::byte{0x20} || byte == std::byte{'"'} || byte == std::byte{'\\'} ||
         byte == std::byte{0x7F};
}

void append(std::vector<std::byte>& output, std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  output.insert(output.end(), bytes, bytes + text.size());
}

void append_escaped(std::vector<std::byte>& output, std::byte byte) {
  switch (static_cast<char>(byte)) {
    case '"':
      return append(output, "\\\"");
    case '\\':
      return append(output, "\\\\");
    case '\n':
      return append(output, "\\n");
    case '\r':
      return append(output, "\\r");
    case '\t':
      return append(output, "\\t");
    default:
      break;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  const auto value = std::to_integer<unsigned>(byte);
  const char escape[] = {'\\', 'u', '0', '0', digits[value / 16], digits[value % 16]};
  append(output, {escape, sizeof escape});
}

}  // namespace

void append_json_string(std::vector<std::byte>& output, std::span<const std::byte> text) {
  output.push_back(std::byte{'"'});
  const std::byte* plain = text.data();
  const std::byte* const end = text.data() + text.size();
  for (const std::byte* byte = plain; byte != end; ++byte) {
    if (!needs_escape(*byte)) continue;
    output.insert(output.end(), plain, byte);
    append_escaped(output, *byte);
    plain = byte + 1;
  }
  output.insert(output.end(), plain, end);
  output.push_back(std::byte{'"'});
}

void append_base64(std::vector<std::byte>& output, std::span<const std::byte> data) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto put = [&](unsigned group, unsigned shift) {
    output.push_back(static_cast<std::byte>(alphabet[(group >> shift) & 63U]));
  };
  for (std::size_t index = 0; index < data.size(); index += 3) {
    const std::size_t left = data.size() - index;
    unsigned group = std::to_integer<unsigned>(data[index]) << 16U;
    if (left > 1) group |= std::to_integer<unsigned>(data[index + 1]) << 8U;
    if (left > 2) group |= std::to_integer<unsigned>(data[index + 2]);
    put(group, 18);
    put(group, 12);
    left > 1 ? put(group, 6) : output.push_back(std::byte{'='});
    left > 2 ? put(group, 0) : output.push_back(std::byte{'='});
  }
}

}  // namespace wskeep::ipc
