#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/upstream.hpp"
#include "websocket/frame_writer.hpp"

namespace wskeep::ipc {

/// A connection without an upstream: what is published is kept.
class FakeUpstream final : public Upstream {
 public:
  std::vector<Control> controls;
  FakeUpstream(boost::asio::io_context& context, Channel::Options options)
      : context_(context), channel_(context.get_executor(), options, 0xABCDEF) {
    channel_.on_resume([this] { ++resumed; });
  }

  const std::string& name() const noexcept override { return name_; }
  boost::asio::any_io_executor executor() override { return context_.get_executor(); }
  Channel& channel() noexcept override { return channel_; }
  std::string_view state_name() const noexcept override { return "ready"; }
  bool ready() const noexcept override { return true; }
  boost::json::object describe(Detail) const override { return {}; }
  boost::json::object describe_attempts() const override { return {}; }
  std::optional<Rejection> publish(websocket::Opcode opcode, std::span<const std::byte> payload,
                                   std::weak_ptr<PublishObserver> observer,
                                   std::uint64_t token) override {
    if (rejects) return Rejection{"not_connected", "upstream is not connected"};
    published.emplace_back(
        opcode, std::string(reinterpret_cast<const char*>(payload.data()), payload.size()));
    observers.emplace_back(std::move(observer), token);
    return std::nullopt;
  }
  std::optional<Rejection> publish_part(MessagePart part, std::span<const std::byte> payload,
                                        const std::shared_ptr<PublishObserver>& publisher,
                                        std::uint64_t token) override {
    if (rejects) return Rejection{"not_connected", "upstream is not connected"};
    parts.emplace_back(part,
                       std::string(reinterpret_cast<const char*>(payload.data()), payload.size()));
    if (part.last) observers.emplace_back(publisher, token);
    return std::nullopt;
  }
  void abandon_message(const PublishObserver& /*publisher*/) override { ++abandoned; }
  bool accepts_parts() const noexcept override { return accepts; }
  void flush() override { ++flushed; }
  void control(Control what, std::uint32_t /*uid*/) override { controls.push_back(what); }
  bool accepts_more() const noexcept override { return accepts; }

  bool rejects = false;
  bool accepts = true;
  int resumed = 0;
  int flushed = 0;
  int abandoned = 0;
  std::vector<std::pair<MessagePart, std::string>> parts;
  std::vector<std::pair<websocket::Opcode, std::string>> published;
  std::vector<std::pair<std::weak_ptr<PublishObserver>, std::uint64_t>> observers;

 private:
  std::string name_ = "fake";
  boost::asio::io_context& context_;
  Channel channel_;
};

/// Commits one message as a session does, or says that a reader is waited for.
inline bool write(Channel& channel, std::string_view payload) {
  std::vector<std::byte> frame;
  websocket::append_frame(frame, websocket::Opcode::text, std::as_bytes(std::span(payload)),
                          std::nullopt);
  if (!channel.admit_all(frame.size())) return false;
  std::memcpy(channel.ring().unwritten(), frame.data(), frame.size());
  channel.ring().commit(1, static_cast<std::uint8_t>(frame.size() - payload.size()), frame.size(),
                        1);
  return true;
}

/// The same for a part of a message, which is text.
inline bool write_part(Channel& channel, ring::Part part, std::string_view payload) {
  const bool begins = part == ring::Part::whole || part == ring::Part::first;
  const bool ends = part == ring::Part::whole || part == ring::Part::last;
  std::vector<std::byte> frame(websocket::header_size(payload.size(), false));
  websocket::write_header(
      frame.data(), {.opcode = begins ? websocket::Opcode::text : websocket::Opcode::continuation,
                     .fin = ends,
                     .payload_size = payload.size()});
  const auto header_size = static_cast<std::uint8_t>(frame.size());
  const auto bytes = std::as_bytes(std::span(payload));
  frame.insert(frame.end(), bytes.begin(), bytes.end());
  if (!channel.admit_all(frame.size())) return false;
  std::memcpy(channel.ring().unwritten(), frame.data(), frame.size());
  channel.ring().commit_part(part, 1, header_size, frame.size(), 1);
  return true;
}

}  // namespace wskeep::ipc
