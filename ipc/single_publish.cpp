#include "ipc/single_publish.hpp"

#include <chrono>
#include <utility>

namespace wskeep::ipc {
namespace {

constexpr std::chrono::seconds longest_wait{1};

/// Kept alive by its timer's handler, which runs at the latest when the shard ends.
class SinglePublish final : public PublishObserver {
 public:
  SinglePublish(const boost::asio::any_io_executor& executor,
                std::function<void(PublishOutcome)> done)
      : timer_(executor, longest_wait), done_(std::move(done)) {}

  static void wait(const std::shared_ptr<SinglePublish>& self) {
    self->timer_.async_wait([self](const boost::system::error_code&) {
      self->end({.kind = PublishOutcome::Kind::queued});
    });
  }

  void on_written(std::uint64_t /*token*/) override { end({}); }
  void on_unknown(std::uint64_t /*token*/, const Rejection& reason) override {
    end({PublishOutcome::Kind::unknown, std::string(reason.error), reason.message});
  }

  void on_failed(std::uint64_t /*token*/, const Rejection& reason) override {
    end({PublishOutcome::Kind::rejected, std::string(reason.error), reason.message});
  }

  void end(PublishOutcome outcome) {
    if (auto done = std::exchange(done_, nullptr)) done(std::move(outcome));
    timer_.cancel();
  }

 private:
  boost::asio::steady_timer timer_;
  std::function<void(PublishOutcome)> done_;
};

}  // namespace

void publish_once(Upstream& upstream, websocket::Opcode opcode, std::span<const std::byte> payload,
                  std::function<void(PublishOutcome)> done) {
  const auto self = std::make_shared<SinglePublish>(upstream.executor(), std::move(done));
  const auto rejection = upstream.publish(opcode, payload, self, 1);
  if (rejection) {
    return self->end(
        {PublishOutcome::Kind::rejected, std::string(rejection->error), rejection->message});
  }
  SinglePublish::wait(self);
  upstream.flush();
}

}  // namespace wskeep::ipc
