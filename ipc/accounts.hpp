#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace wskeep::ipc {

/// Why a local app does not get what it asks for.
enum class Refusal : std::uint8_t {
  clients,             ///< ipc.limits.clients
  user_clients,        ///< ipc.limits.clients_per_user
  descriptors,         ///< what is left is for upstreams
  subscriptions,       ///< ipc.limits.subscriptions
  user_subscriptions,  ///< ipc.limits.subscriptions_per_user
  in_flight,           ///< its user's share of ipc.limits.in_flight
  request,             ///< ipc.limits.request
  request_size,        ///< ipc.limits.request_head, or max_message
  publish_rate,        ///< publish_rate or publish_bytes, of the app or of the connection
};

inline constexpr std::array all_refusals{
    Refusal::clients,       Refusal::user_clients,       Refusal::descriptors,
    Refusal::subscriptions, Refusal::user_subscriptions, Refusal::in_flight,
    Refusal::request,       Refusal::request_size,       Refusal::publish_rate};

/// A stable name, for metrics; and a sentence that says what to do.
[[nodiscard]] std::string_view refusal_name(Refusal refusal) noexcept;
[[nodiscard]] std::string_view refusal_text(Refusal refusal) noexcept;
/// Which error of docs/ipc.md an HTTP client gets for it.
[[nodiscard]] std::string_view refusal_error(Refusal refusal) noexcept;

/// What local apps take of the daemon, over all shards, by the user that caused it. Any thread may
/// call anything: there is a lock, which is taken once per client, subscription and large message,
/// and never for a small one.
class Accounts {
 public:
  struct Limits {
    std::uint32_t clients = 0;
    std::uint32_t clients_per_user = 0;
    std::uint32_t subscriptions = 0;
    std::uint32_t subscriptions_per_user = 0;
    std::uint64_t in_flight = 0;  ///< bytes
  };
  struct Use {
    std::uint32_t clients = 0;
    std::uint32_t subscriptions = 0;
    std::uint64_t in_flight = 0;
  };

  explicit Accounts(const Limits& limits) noexcept : limits_(limits) {}
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  /// For what is asked for from now on. Who has more keeps it.
  void limit(const Limits& limits);

  /// What is granted is to be given back by the same user.
  [[nodiscard]] std::optional<Refusal> add_client(std::uint32_t uid);
  void remove_client(std::uint32_t uid);
  [[nodiscard]] std::optional<Refusal> add_subscription(std::uint32_t uid);
  void remove_subscription(std::uint32_t uid);

  /// From `before` bytes to `after`. More is granted as long as the user holds no more than all
  /// users leave free: so whoever comes later finds something, whoever came before.
  [[nodiscard]] bool charge(std::uint32_t uid, std::uint64_t before, std::uint64_t after);

  /// `told` is called for each refusal, on any thread, with the user where that is known. It must
  /// not call the accounts. Before there are clients.
  using Told = std::function<void(Refusal, std::optional<std::uint32_t> uid)>;
  void on_refusal(Told told) { told_ = std::move(told); }

  /// Counts what was refused elsewhere.
  void note(Refusal refusal);

  [[nodiscard]] Limits limits() const;
  [[nodiscard]] Use total() const;
  [[nodiscard]] std::vector<std::pair<std::uint32_t, Use>> users() const;
  /// By Refusal.
  [[nodiscard]] std::array<std::uint64_t, all_refusals.size()> refusals() const;

 private:
  std::optional<Refusal> refuse(Refusal refusal, std::uint32_t uid);
  void forget_if_unused(std::uint32_t uid);

  mutable std::mutex lock_;
  Limits limits_;
  Use total_;
  std::map<std::uint32_t, Use> users_;  ///< that use anything
  std::array<std::uint64_t, all_refusals.size()> refusals_{};
  Told told_;
};

}  // namespace wskeep::ipc
