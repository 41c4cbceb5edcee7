#include "ipc/client/message_stream.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "ipc/client/error.hpp"
#include "ipc/client/http_exchange.hpp"
#include "websocket/close.hpp"

namespace wskeep::ipc {

using websocket::Opcode;

MessageStream MessageStream::open(const std::string& socket, const std::string& target,
                                  Milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  Upgraded upgraded = upgrade(UnixSocket::connect(socket, timeout), target, "wskeep.v1", deadline);
  return MessageStream(std::move(upgraded.socket), upgraded.received);
}

MessageStream::MessageStream(UnixSocket socket, std::string_view received)
    : socket_(std::move(socket)),
      parser_({.max_message = max_message}),
      input_(std::max(received.size(), batch) + websocket::InPlaceParser::slack),
      filled_(received.size()),
      unread_(!received.empty()),
      mask_(std::random_device{}()) {
  std::memcpy(input_.data(), received.data(), received.size());
}

MessageStream::Turn MessageStream::wait(std::optional<Deadline> deadline, Watched watched,
                                        bool& readable) {
  const auto stream_events = static_cast<short>(queued_bytes() > 0 ? POLLIN | POLLOUT : POLLIN);
  std::array<pollfd, 2> entries{
      {{socket_.descriptor(), stream_events, 0}, {watched.descriptor, watched.events, 0}}};
  const int timeout = readable ? 0 : deadline ? poll_timeout(*deadline) : -1;
  const int count = ::poll(entries.data(), entries.size(), timeout);
  if (count < 0) {
    if (errno == EINTR) return {};
    throw ClientError(Fault::closed, std::string("cannot wait for the daemon at ") +
                                         socket_.path() + ": " + std::strerror(errno));
  }
  const Turn result{entries[1].revents != 0, count == 0 && !readable};
  readable = readable || (entries[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
  return result;
}

void MessageStream::write_queued() {
  try {
    while (queued_bytes() > 0) {
      const std::size_t count = socket_.write_now(std::span(output_).subspan(written_));
      if (count == UnixSocket::would_block) break;
      written_ += count;
    }
  } catch (const ClientError&) {
    written_ = output_.size();
  }
  if (queued_bytes() == 0) {
    output_.clear();
    written_ = 0;
  } else if (written_ >= batch && written_ >= output_.size() / 2) {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(written_));
    written_ = 0;
  }
}

bool MessageStream::receive() {
  const std::size_t needed = filled_ + batch + websocket::InPlaceParser::slack;
  if (input_.size() < needed) input_.resize(std::max(needed, input_.size() * 2));
  const std::size_t count = socket_.read_now(std::span(input_).subspan(filled_, batch));
  if (count == UnixSocket::would_block) return false;
  if (count == 0) {
    throw ClientError(Fault::closed, "the daemon at " + socket_.path() +
                                         " went away: did it stop? (systemctl status wskeepd)");
  }
  filled_ += count;
  return true;
}

void MessageStream::finish(const websocket::InPlaceParser::Result& result) {
  if (result.violation) {
    throw ClientError(Fault::protocol, "the daemon at " + socket_.path() +
                                           " sent what is not WebSocket (" +
                                           result.violation->reason +
                                           "): are wskeep and wskeepd of the same version?");
  }
  filled_ = result.remaining;
  if (filled_ > 0 && result.consumed > 0) {
    std::memmove(input_.data(), input_.data() + result.consumed, filled_);
  }
}

void MessageStream::control(Opcode opcode, std::span<const std::byte> payload) {
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  if (opcode == Opcode::ping) {
    queue(Opcode::pong, text, {});
  } else if (opcode == Opcode::close) {
    const websocket::ClosePayload said = websocket::parse_close(payload).payload;
    close_ = Close{static_cast<std::uint16_t>(said.code), std::string(said.reason)};
    queue(Opcode::close, text.substr(0, 2), {});
    write_queued();
  }
}

void MessageStream::queue(Opcode opcode, std::string_view head, std::string_view body) {
  websocket::FrameHeader header;
  header.opcode = opcode;
  header.fin = true;
  header.masked = true;
  header.payload_size = head.size() + body.size();
  // Masking protects proxies, of which there is none on a Unix socket: any changing key will do.
  mask_ = mask_ * 747'796'405U + 2'891'336'453U;
  std::memcpy(header.mask.data(), &mask_, sizeof mask_);

  const std::size_t begin = output_.size();
  const std::size_t header_size = websocket::header_size(header.payload_size, true);
  output_.resize(begin + header_size + head.size() + body.size());
  std::byte* at = output_.data() + begin;
  at += websocket::write_header(at, header);
  websocket::copy_masked(at, std::as_bytes(std::span(head)), header.mask);
  websocket::copy_masked(at + head.size(), std::as_bytes(std::span(body)), header.mask,
                         head.size());
}

void MessageStream::say_goodbye() noexcept {
  try {
    queue(Opcode::close, std::string_view("\x03\xE8", 2), {});
    write_queued();
  } catch (const std::exception&) {
    // The daemon is gone already, so there is nobody to tell.
  }
}

}  // namespace wskeep::ipc
