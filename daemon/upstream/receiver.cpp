#include "daemon/upstream/receiver.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace wskeep::upstream {
namespace {

using websocket::MessageReader;
using websocket::Opcode;

/// What one read may bring at most. Readers are sent as much in one piece, so that more saves
/// little; and less is likelier to be in the processor's cache still when it is sent.
constexpr std::size_t read_size = std::size_t{128} << 10U;

/// What is received is read out of it at once or copied, so that one serves all of a thread's
/// connections.
/// One part is at most this share of the ring, so that it holds several.
std::size_t part_size(const ring::Ring& ring) {
  return std::min(std::size_t{64} << 10U, ring.capacity() / 8);
}

std::span<std::byte> scratch() {
  thread_local std::array<std::byte, std::size_t{64} << 10U> buffer;
  return buffer;
}

}  // namespace

Receiver::Copied::Copied(const std::optional<websocket::DeflateParameters>& agreed,
                         std::uint64_t max_message, std::size_t part_size, config::Passing passing)
    : inflater(agreed ? std::optional<websocket::Inflater>(std::in_place,
                                                           agreed->server_max_window_bits,
                                                           agreed->server_no_context_takeover)
                      : std::nullopt),
      frames({.role = websocket::Role::client,
              .max_message = max_message,
              .form = passing == config::Passing::stream ? MessageReader::Form::frames
                                                         : MessageReader::Form::whole,
              .part_size = part_size},
             inflater ? &*inflater : nullptr),
      read_size(passing == config::Passing::stream ? part_size : scratch().size()) {}

Receiver::Receiver(ipc::Channel& channel, Statistics& statistics, ControlObserver& observer,
                   std::uint64_t max_message,
                   const std::optional<websocket::DeflateParameters>& compression,
                   config::Passing passing)
    : channel_(channel),
      statistics_(statistics),
      observer_(observer),
      frames_({.max_message = max_message}) {
  if (compression || passing == config::Passing::stream)
    copied_ =
        std::make_unique<Copied>(compression, max_message, part_size(channel.ring()), passing);
}

Receiver::Outcome Receiver::receive(net::Transport& transport, std::uint64_t time_ns) {
  time_ns_ = time_ns;
  Outcome outcome = copied_ ? receive_copied(transport) : receive_in_place(transport);
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

Receiver::Outcome Receiver::receive_copied(net::Transport& transport) {
  Outcome outcome;
  if (copied_->message_waits) {
    if (!append(copied_->part, copied_->message)) {
      outcome.stalled = true;
      return outcome;
    }
    copied_->message_waits = false;
    copied_->message = {};
    // Also when nothing is unread: the inflater may hold more.
    std::vector<std::byte> unread;
    unread.swap(copied_->unread);
    read_copied(unread, outcome);
    if (outcome.stalled || outcome.stopped) return outcome;
  }
  const auto buffer = scratch().first(copied_->read_size);
  outcome.io = transport.read(buffer);
  outcome.drained = outcome.io.bytes < buffer.size();
  if (outcome.io.status == net::IoResult::Status::done)
    read_copied(buffer.first(outcome.io.bytes), outcome);
  return outcome;
}

void Receiver::read_copied(std::span<std::byte> input, Outcome& outcome) {
  const auto result = copied_->frames.read(input, *this);
  outcome.stopped = result.stopped;
  outcome.violation = result.violation;
  if (result.stopped || !copied_->message_waits) return;
  outcome.stalled = true;
  const auto unread = input.subspan(result.consumed);
  copied_->unread.assign(unread.begin(), unread.end());
}

bool Receiver::on_message(Opcode opcode, std::span<std::byte> payload) {
  return on_part({.opcode = opcode}, payload);
}

/// False: there is no room in the ring now; the message or part is kept.
bool Receiver::on_part(MessageReader::Part part, std::span<std::byte> payload) {
  if (append(part, payload)) return true;
  copied_->message_waits = true;
  copied_->part = part;
  copied_->message.assign(payload.begin(), payload.end());
  return false;
}

bool Receiver::append(MessageReader::Part part, std::span<const std::byte> payload) {
  const std::size_t header_size = websocket::header_size(payload.size(), false);
  const std::size_t size = header_size + payload.size();
  observer_.before_room();
  if (!channel_.admit_all(size)) return false;
  std::byte* place = channel_.ring().unwritten();
  websocket::write_header(place, {.opcode = part.first ? part.opcode : Opcode::continuation,
                                  .fin = part.last,
                                  .payload_size = payload.size()});
  if (!payload.empty()) std::memcpy(place + header_size, payload.data(), payload.size());
  const websocket::FrameInPlace frame{part.opcode, static_cast<std::uint8_t>(header_size), size};
  if (part.first && part.last) {
    on_message(frame);
  } else {
    commit_part(part, frame);
  }
  return true;
}

void Receiver::commit_part(MessageReader::Part part, const websocket::FrameInPlace& frame) {
  const ring::Part which = part.first  ? ring::Part::first
                           : part.last ? ring::Part::last
                                       : ring::Part::more;
  channel_.ring().commit_part(which, static_cast<std::uint8_t>(part.opcode), frame.header_size,
                              frame.frame_size, time_ns_);
  if (part.last) ++statistics_.messages_in;
  statistics_.bytes_in += frame.frame_size - frame.header_size;
}

Receiver::Outcome Receiver::take_early(std::span<const std::byte> bytes, std::uint64_t time_ns) {
  time_ns_ = time_ns;
  statistics_.wire_bytes_in += bytes.size();
  Outcome outcome;
  if (copied_) {
    std::vector<std::byte> input(bytes.begin(), bytes.end());
    read_copied(input, outcome);
    return outcome;
  }
  // Readers that would be in the way are not waited for: this happens once in a session.
  channel_.claim(bytes.size() + websocket::InPlaceParser::slack);
  std::memcpy(channel_.ring().unwritten(), bytes.data(), bytes.size());
  parse_in_place(bytes.size(), outcome);
  return outcome;
}

}  // namespace wskeep::upstream
