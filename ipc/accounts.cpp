#include "ipc/accounts.hpp"

namespace wskeep::ipc {

std::string_view refusal_name(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::clients:
      return "clients";
    case Refusal::user_clients:
      return "clients_per_user";
    case Refusal::descriptors:
      return "descriptors";
    case Refusal::subscriptions:
      return "subscriptions";
    case Refusal::user_subscriptions:
      return "subscriptions_per_user";
    case Refusal::in_flight:
      return "in_flight";
    case Refusal::request:
      return "request";
    case Refusal::request_size:
      return "request_size";
    case Refusal::publish_rate:
      break;
  }
  return "publish_rate";
}

std::string_view refusal_text(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::clients:
      return "ipc.limits.clients are connected: close some, or raise it";
    case Refusal::user_clients:
      return "your user has ipc.limits.clients_per_user connections to wskeepd: close some, or "
             "raise it";
    case Refusal::descriptors:
      return "wskeepd keeps the file descriptors that are left for its upstreams: close some "
             "clients, or raise LimitNOFILE";
    case Refusal::subscriptions:
      return "there are ipc.limits.subscriptions readers: close some, or raise it";
    case Refusal::user_subscriptions:
      return "your user has ipc.limits.subscriptions_per_user readers: close some, or raise it";
    case Refusal::in_flight:
      return "the unfinished requests, messages and answers of your user are all that it may have "
             "of ipc.limits.in_flight: send less at once, or raise it";
    case Refusal::request:
      return "the request was not complete within ipc.limits.request";
    case Refusal::request_size:
      return "the request is larger than ipc.limits.request_head or max_message allows";
    case Refusal::publish_rate:
      break;
  }
  return "more was published than ipc.limits or the connection allows: send it later";
}

std::string_view refusal_error(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::clients:
    case Refusal::user_clients:
      return "too_many_clients";
    case Refusal::subscriptions:
    case Refusal::user_subscriptions:
      return "too_many_subscriptions";
    case Refusal::descriptors:
      return "out_of_resources";
    case Refusal::in_flight:
      return "too_much_in_flight";
    case Refusal::request:
      return "request_timeout";
    case Refusal::request_size:
      return "too_large";
    case Refusal::publish_rate:
      break;
  }
  return "publish_rate";
}

void Accounts::limit(const Limits& limits) {
  const std::scoped_lock hold(lock_);
  limits_ = limits;
}

std::optional<Refusal> Accounts::add_client(std::uint32_t uid) {
  const std::scoped_lock hold(lock_);
  Use& user = users_[uid];
  if (total_.clients >= limits_.clients) return refuse(Refusal::clients, uid);
  if (user.clients >= limits_.clients_per_user) return refuse(Refusal::user_clients, uid);
  ++total_.clients;
  ++user.clients;
  return std::nullopt;
}

void Accounts::remove_client(std::uint32_t uid) {
  const std::scoped_lock hold(lock_);
  --total_.clients;
  --users_.at(uid).clients;
  forget_if_unused(uid);
}

std::optional<Refusal> Accounts::add_subscription(std::uint32_t uid) {
  const std::scoped_lock hold(lock_);
  Use& user = users_[uid];
  if (total_.subscriptions >= limits_.subscriptions) return refuse(Refusal::subscriptions, uid);
  if (user.subscriptions >= limits_.subscriptions_per_user)
    return refuse(Refusal::user_subscriptions, uid);
  ++total_.subscriptions;
  ++user.subscriptions;
  return std::nullopt;
}

void Accounts::remove_subscription(std::uint32_t uid) {
  const std::scoped_lock hold(lock_);
  --total_.subscriptions;
  --users_.at(uid).subscriptions;
  forget_if_unused(uid);
}

bool Accounts::charge(std::uint32_t uid, std::uint64_t before, std::uint64_t after) {
  const std::scoped_lock hold(lock_);
  Use& user = users_[uid];
  const std::uint64_t held = user.in_flight - before + after;
  const std::uint64_t all = total_.in_flight - before + after;
  if (after > before && (all > limits_.in_flight || held > limits_.in_flight - all)) {
    static_cast<void>(refuse(Refusal::in_flight, uid));
    return false;
  }
  user.in_flight = held;
  total_.in_flight = all;
  forget_if_unused(uid);
  return true;
}

void Accounts::note(Refusal refusal) {
  const std::scoped_lock hold(lock_);
  ++refusals_[static_cast<std::size_t>(refusal)];
  if (told_) told_(refusal, std::nullopt);
}

Accounts::Limits Accounts::limits() const {
  const std::scoped_lock hold(lock_);
  return limits_;
}

Accounts::Use Accounts::total() const {
  const std::scoped_lock hold(lock_);
  return total_;
}

std::vector<std::pair<std::uint32_t, Accounts::Use>> Accounts::users() const {
  const std::scoped_lock hold(lock_);
  return {users_.begin(), users_.end()};
}

std::array<std::uint64_t, all_refusals.size()> Accounts::refusals() const {
  const std::scoped_lock hold(lock_);
  return refusals_;
}

std::optional<Refusal> Accounts::refuse(Refusal refusal, std::uint32_t uid) {
  ++refusals_[static_cast<std::size_t>(refusal)];
  if (told_) told_(refusal, uid);
  forget_if_unused(uid);
  return refusal;
}

void Accounts::forget_if_unused(std::uint32_t uid) {
  const auto found = users_.find(uid);
  if (found == users_.end()) return;
  const Use& use = found->second;
  if (use.clients == 0 && use.subscriptions == 0 && use.in_flight == 0) users_.erase(found);
}

}  // namespace wskeep::ipc
