#include "ipc/event_stream.hpp"

#include <boost/json.hpp>
#include <cstring>

#include "ipc/event.hpp"
#include "websocket/frame.hpp"

namespace wskeep::ipc {
namespace {

namespace json = boost::json;

constexpr std::size_t largest_event = std::size_t{16} << 10U;

constexpr std::string_view connection_field = "\"connection\":\"";

/// Names of connections need no escapes.
std::string_view connection_of(std::string_view event) {
  // Behind `event`, `seq` and `time`.
  const std::size_t at = event.substr(0, 160).find(connection_field);
  if (at == std::string_view::npos) return {};
  const std::string_view name = event.substr(at + connection_field.size());
  return name.substr(0, name.find('"'));
}

class VisibleEvents final : public Visibility {
 public:
  VisibleEvents(const ring::Ring& ring, std::shared_ptr<const ClientView> view)
      : ring_(ring), view_(std::move(view)) {}

 private:
  [[nodiscard]] bool visible(ring::Sequence sequence) override {
    const auto payload = ring_.payload(ring_.entry(sequence));
    const std::string_view name =
        connection_of({reinterpret_cast<const char*>(payload.data()), payload.size()});
    return name.empty() || view_->sees(name);
  }

  const ring::Ring& ring_;
  std::shared_ptr<const ClientView> view_;
};

std::optional<Rejection> read_only() {
  return Rejection{"not_allowed", "events can only be read"};
}

}  // namespace

EventStream::EventStream(const boost::asio::any_io_executor& executor, std::size_t history,
                         std::uint64_t epoch)
    : executor_(executor),
      channel_(executor,
               {.shape = {.history = history, .max_message = largest_event}, .objects = true},
               epoch) {}

void EventStream::tell(std::string_view event, std::chrono::system_clock::time_point time,
                       const json::object& details) {
  ring::Ring& ring = channel_.ring();
  json::object whole{{"event", event}, {"seq", ring.next()}, {"time", time_text(time)}};
  for (const auto& [key, value] : details) whole.insert_or_assign(key, value);
  std::string text = json::serialize(whole);
  if (text.size() > largest_event) {
    // Somebody's long message. That it happened is told in any case.
    whole.erase("message");
    whole.erase("reason");
    text = json::serialize(whole);
  }
  const auto time_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  // What happens is not held up by those who read of it.
  channel_.claim(text.size() + websocket::max_header_size);
  const std::size_t header = websocket::write_header(
      ring.unwritten(),
      {.opcode = websocket::Opcode::text, .fin = true, .payload_size = text.size()});
  std::memcpy(ring.unwritten() + header, text.data(), text.size());
  ring.commit(static_cast<std::uint8_t>(websocket::Opcode::text), static_cast<std::uint8_t>(header),
              header + text.size(), static_cast<std::uint64_t>(time_ns));
  channel_.deliver();
}

std::shared_ptr<Visibility> EventStream::visible_to(std::shared_ptr<const ClientView> view) {
  return std::make_shared<VisibleEvents>(channel_.ring(), std::move(view));
}

json::object EventStream::describe(Detail /*detail*/) const {
  return {};
}

json::object EventStream::describe_attempts() const {
  return {};
}

std::optional<Rejection> EventStream::publish(websocket::Opcode /*opcode*/,
                                              std::span<const std::byte> /*payload*/,
                                              std::weak_ptr<PublishObserver> /*observer*/,
                                              std::uint64_t /*token*/) {
  return read_only();
}

std::optional<Rejection> EventStream::publish_part(
    MessagePart /*part*/, std::span<const std::byte> /*payload*/,
    const std::shared_ptr<PublishObserver>& /*publisher*/, std::uint64_t /*token*/) {
  return read_only();
}

}  // namespace wskeep::ipc
