#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"
#include "ipc/client_view.hpp"
#include "ipc/upstream.hpp"
#include "ipc/views.hpp"

namespace wskeep::ipc {

/// What happens to all connections, and to the daemon, as messages of one more channel, so that
/// they are read as a connection's messages are: with a history, cursors, filters, and gaps that
/// are told. Each is a JSON object. Lives on the server's executor. Nobody can publish to it.
class EventStream final : public Upstream {
 public:
  /// Throws std::system_error when there is no memory. `epoch` is chosen at random.
  EventStream(const boost::asio::any_io_executor& executor, std::size_t history,
              std::uint64_t epoch);

  /// Tells all readers. `details` are the fields behind `event`, `seq` and `time`; what is told of
  /// a connection has `connection` as the first of them.
  void tell(std::string_view event, std::chrono::system_clock::time_point time,
            const boost::json::object& details);

  /// For one client: events of connections that it does not see are not there.
  [[nodiscard]] std::shared_ptr<Visibility> visible_to(std::shared_ptr<const ClientView> view);

  [[nodiscard]] const std::string& name() const noexcept override { return name_; }
  [[nodiscard]] boost::asio::any_io_executor executor() override { return executor_; }
  [[nodiscard]] Channel& channel() noexcept override { return channel_; }
  [[nodiscard]] std::string_view state_name() const noexcept override { return "ready"; }
  [[nodiscard]] bool ready() const noexcept override { return true; }
  [[nodiscard]] boost::json::object describe(Detail detail) const override;
  [[nodiscard]] boost::json::object describe_attempts() const override;
  [[nodiscard]] std::optional<Rejection> publish(websocket::Opcode opcode,
                                                 std::span<const std::byte> payload,
                                                 std::weak_ptr<PublishObserver> observer,
                                                 std::uint64_t token) override;
  void flush() override {}
  [[nodiscard]] std::optional<Rejection> publish_part(
      MessagePart part, std::span<const std::byte> payload,
      const std::shared_ptr<PublishObserver>& publisher, std::uint64_t token) override;
  void abandon_message(const PublishObserver& /*publisher*/) override {}
  void control(Control /*what*/, std::uint32_t /*uid*/) override {}
  [[nodiscard]] bool accepts_more() const noexcept override { return true; }
  [[nodiscard]] bool accepts_parts() const noexcept override { return true; }

 private:
  std::string name_;  ///< none
  boost::asio::any_io_executor executor_;
  Channel channel_;
};

}  // namespace wskeep::ipc
