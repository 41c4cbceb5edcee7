#include "websocket/frame_writer.hpp"

namespace wskeep::websocket {

void append_frame(std::vector<std::byte>& output, Opcode opcode, std::span<const std::byte> payload,
                  std::optional<MaskingKey> mask, bool rsv1, bool fin) {
  FrameHeader header;
  header.opcode = opcode;
  header.fin = fin;
  header.rsv1 = rsv1;
  header.masked = mask.has_value();
  header.mask = mask.value_or(MaskingKey{});
  header.payload_size = payload.size();
  std::array<std::byte, max_header_size> bytes;
  const std::size_t size = write_header(bytes.data(), header);
  output.insert(output.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
  if (!mask) {
    output.insert(output.end(), payload.begin(), payload.end());
    return;
  }
  const std::size_t at = output.size();
  output.resize(at + payload.size());
  copy_masked(output.data() + at, payload, *mask);
}

}  // namespace wskeep::websocket
