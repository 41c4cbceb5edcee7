#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "ipc/access.hpp"
#include "ipc/accounts.hpp"
#include "ipc/publish_gate.hpp"

namespace wskeep::ipc {

/// One client's place among them, given back with all that it holds when it ends. Goes from shard
/// to shard with the client's socket. One that was made of nothing is nobody's and knows no limits.
class ClientSlot {
 public:
  ClientSlot() = default;
  /// `refusal` says whether there is room for it.
  ClientSlot(std::shared_ptr<Accounts> accounts, Client client)
      : state_(std::make_unique<State>(std::move(accounts), std::move(client))) {
    refusal_ = state_->accounts->add_client(uid());
    if (refusal_) state_->accounts.reset();
  }
  ClientSlot(ClientSlot&&) noexcept = default;
  ClientSlot& operator=(ClientSlot&&) noexcept = default;
  ClientSlot(const ClientSlot&) = delete;
  ClientSlot& operator=(const ClientSlot&) = delete;
  ~ClientSlot() = default;

  [[nodiscard]] std::optional<Refusal> refusal() const noexcept { return refusal_; }

  /// nullptr: nobody's.
  [[nodiscard]] const Client* client() const noexcept { return state_ ? &state_->client : nullptr; }

  /// It was refused something, or held back, by a limit that is looked at elsewhere.
  void note(Refusal refusal) {
    if (state_) state_->accounts->note(refusal);
  }

  /// From now on it reads. To be asked once.
  [[nodiscard]] std::optional<Refusal> subscribe() {
    if (!state_) return std::nullopt;
    const auto refused = state_->accounts->add_subscription(uid());
    state_->subscribed = !refused;
    return refused;
  }
  /// And now it does not.
  void unsubscribe() {
    if (!state_ || !std::exchange(state_->subscribed, false)) return;
    state_->accounts->remove_subscription(uid());
  }

  /// Of memory that it causes, this much is held for it now. False: it may not have more than
  /// before; whoever lets go of what was too much calls again. A little goes uncounted.
  [[nodiscard]] bool hold(std::uint64_t bytes) {
    if (!state_) return true;
    const std::uint64_t counted = bytes / step * step;
    if (counted == state_->held) return true;
    if (!state_->accounts->charge(uid(), state_->held, counted)) return false;
    state_->held = counted;
    return true;
  }

  /// What it may do with the connection whose shard it is on.
  [[nodiscard]] Rights rights() const noexcept { return rights_; }
  void rights(Rights rights) noexcept { rights_ = rights; }

  /// How fast it may publish. `limits` are those that hold now; nullptr: there are none.
  [[nodiscard]] PublishGate* gate(const config::PublishLimits& limits) {
    if (limits.off() || !state_) return nullptr;
    if (!state_->gate) state_->gate = std::make_unique<PublishGate>();
    state_->gate->configure(limits);
    return state_->gate.get();
  }

 private:
  static constexpr std::uint64_t step = 16U << 10U;  ///< so that accounts are seldom touched

  struct State {
    State(std::shared_ptr<Accounts> all, Client who)
        : accounts(std::move(all)), client(std::move(who)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      if (!accounts) return;
      const std::uint32_t uid = client.peer.uid;
      if (held > 0) static_cast<void>(accounts->charge(uid, held, 0));
      if (subscribed) accounts->remove_subscription(uid);
      accounts->remove_client(uid);
    }

    std::shared_ptr<Accounts> accounts;  ///< nullptr: it was refused
    Client client;
    std::uint64_t held = 0;
    bool subscribed = false;
    std::unique_ptr<PublishGate> gate;
  };

  [[nodiscard]] std::uint32_t uid() const noexcept { return state_->client.peer.uid; }

  std::unique_ptr<State> state_;
  std::optional<Refusal> refusal_;
  Rights rights_ = Rights::all();
};

}  // namespace wskeep::ipc
