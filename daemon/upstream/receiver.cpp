#include "daemon/upstream/receiver.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace wskeep::upstream {
namespace {

using websocket::Opcode;

/// What one read may bring at most. Readers are sent as much in one piece, so that more saves
/// little; and less is likelier to be in the processor's cache still when it is sent.
constexpr std::size_t read_size = std::size_t{128} << 10U;

/// Compressed data is read out of it at once or copied, so that one serves all of a thread's
/// connections.
std::span<std::byte> scratch() {
  thread_local std::array<std::byte, std::size_t{64} << 10U> buffer;
  return buffer;
}

}  // namespace

Receiver::Compressed::Compressed(const websocket::DeflateParameters& agreed,
                                 std::uint64_t max_message)
    : inflater(agreed.server_max_window_bits, agreed.server_no_context_takeover),
      frames({.role = websocket::Role::client, .max_message = max_message}, &inflater) {}

Receiver::Receiver(ipc::Channel& channel, Statistics& statistics, ControlObserver& observer,
                   std::uint64_t max_message,
                   const std::optional<websocket::DeflateParameters>& compression)
    : channel_(channel),
      statistics_(statistics),
      observer_(observer),
      frames_({.max_message = max_message}) {
  if (compression) compressed_ = std::make_unique<Compressed>(*compression, max_message);
}

Receiver::Outcome Receiver::receive(net::Transport& transport, std::uint64_t time_ns) {
  time_ns_ = time_ns;
  Outcome outcome = compressed_ ? receive_compressed(transport) : receive_in_place(transport);
  statistics_.wire_bytes_in += outcome.io.bytes;
  return outcome;
}

Receiver::Outcome Receiver::receive_in_place(net::Transport& transport) {
  Outcome outcome;
  const std::size_t room = channel_.admit(read_size, pending_);
  if (room == 0) {
    outcome.stalled = true;
    return outcome;
  }
  outcome.io = transport.read({channel_.ring().unwritten() + pending_, room});
  outcome.drained = outcome.io.bytes < room;
  if (outcome.io.status == net::IoResult::Status::done) parse_in_place(outcome.io.bytes, outcome);
  return outcome;
}

void Receiver::parse_in_place(std::size_t received, Outcome& outcome) {
  // `unwritten` moves with each commit, so the region's begin is taken before.
  std::byte* const begin = channel_.ring().unwritten();
  const auto result = frames_.parse(begin, pending_ + received, *this);
  pending_ = result.remaining;
  outcome.stopped = result.stopped;
  outcome.violation = result.violation;
}

void Receiver::on_message(const websocket::FrameInPlace& message) {
  channel_.ring().commit(static_cast<std::uint8_t>(message.opcode), message.header_size,
                         message.frame_size, time_ns_);
  ++statistics_.messages_in;
  statistics_.bytes_in += message.frame_size - message.header_size;
}

void Receiver::on_control(Opcode opcode, std::span<const std::byte> payload) {
  observer_.on_control(opcode, payload);
}

Receiver::Outcome Receiver::receive_compressed(net::Transport& transport) {
  Outcome outcome;
  if (compressed_->message_waits) {
    if (!append(compressed_->opcode, compressed_->message)) {
      outcome.stalled = true;
      return outcome;
    }
    compressed_->message_waits = false;
    compressed_->message = {};
  }
  if (!compressed_->unread.empty()) {
    std::vector<std::byte> unread;
    unread.swap(compressed_->unread);
    read_compressed(unread, outcome);
    if (outcome.stalled || outcome.stopped) return outcome;
  }
  const auto buffer = scratch();
  outcome.io = transport.read(buffer);
  outcome.drained = outcome.io.bytes < buffer.size();
  if (outcome.io.status == net::IoResult::Status::done)
    read_compressed(buffer.first(outcome.io.bytes), outcome);
  return outcome;
}

void Receiver::read_compressed(std::span<std::byte> input, Outcome& outcome) {
  const auto result = compressed_->frames.read(input, *this);
  outcome.stopped = result.stopped;
  outcome.violation = result.violation;
  if (result.stopped || !compressed_->message_waits) return;
  outcome.stalled = true;
  const auto unread = input.subspan(result.consumed);
  compressed_->unread.assign(unread.begin(), unread.end());
}

/// False: there is no room in the ring now; the message is kept.
bool Receiver::on_message(Opcode opcode, std::span<std::byte> payload) {
  if (append(opcode, payload)) return true;
  compressed_->message_waits = true;
  compressed_->opcode = opcode;
  compressed_->message.assign(payload.begin(), payload.end());
  return false;
}

bool Receiver::append(Opcode opcode, std::span<const std::byte> payload) {
  const std::size_t header_size = websocket::header_size(payload.size(), false);
  const std::size_t size = header_size + payload.size();
  observer_.before_room();
  if (!channel_.admit_all(size)) return false;
  std::byte* place = channel_.ring().unwritten();
  websocket::write_header(place, {.opcode = opcode, .fin = true, .payload_size = payload.size()});
  if (!payload.empty()) std::memcpy(place + header_size, payload.data(), payload.size());
  on_message({opcode, static_cast<std::uint8_t>(header_size), size});
  return true;
}

Receiver::Outcome Receiver::take_early(std::span<const std::byte> bytes, std::uint64_t time_ns) {
  time_ns_ = time_ns;
  statistics_.wire_bytes_in += bytes.size();
  Outcome outcome;
  if (compressed_) {
    std::vector<std::byte> input(bytes.begin(), bytes.end());
    read_compressed(input, outcome);
    return outcome;
  }
  // Readers that would be in the way are not waited for: this happens once in a session.
  channel_.claim(bytes.size() + websocket::InPlaceParser::slack);
  std::memcpy(channel_.ring().unwritten(), bytes.data(), bytes.size());
  parse_in_place(bytes.size(), outcome);
  return outcome;
}

}  // namespace wskeep::upstream
