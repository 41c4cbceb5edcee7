#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "config/url.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/address_race.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/target.hpp"
#include "daemon/upstream/timeline.hpp"
#include "daemon/upstream/upgrade.hpp"

namespace wskeep::upstream {

/// A failure and how far it was from a session.
struct Setback {
  OpenFailure failure;
  std::optional<Stage> stage;  ///< nullopt: before TCP
};

/// What came of one leg. Nothing of it all: it was stopped, or its time was over before anything
/// failed.
struct LegEnd {
  std::optional<Opened> opened;
  std::optional<config::Url> redirected;  ///< where to go on
  std::optional<Setback> setback;         ///< the one that came farthest
  bool late = false;           ///< its deadline came; `setback` may be of what failed before
  Stage reached = Stage::tcp;  ///< where late: how far any of its addresses was
  bool spent = false;          ///< no connect was left for an address
  bool of_all = false;         ///< other URLs would fail alike
};

/// The way to one URL: look the name up, race the addresses, and on the first that gets through
/// proxy, TLS and the upgrade, end. Writes to the last leg of the cycle. Each attempt at an address
/// is a coroutine that refers to this object and is joined before `run` ends.
class LegRun {
 public:
  /// What it is given; all of it outlives the leg.
  struct Surroundings {
    daemon::Environment& environment;
    const config::ConnectionSettings& settings;
    OpeningMemory& memory;
    ConnectGate& gate;
    Cycle& cycle;
    daemon::TimePoint started;  ///< of the cycle
  };

  /// What is said over an open transport; ends promptly when cancelled.
  using Talk =
      std::function<boost::asio::awaitable<Answer>(std::unique_ptr<net::Transport> transport)>;

  /// `proxy`: nullptr for none. `followed`: redirections so far, in a row.
  LegRun(const Surroundings& surroundings, const Target& target, const daemon::Proxy* proxy,
         std::uint32_t followed, daemon::TimePoint deadline);

  /// Before `run`: this is said instead of the upgrade, whose answer then decides. It outlives
  /// this.
  void say(const Talk& talk) noexcept { talk_ = &talk; }

  /// Once. Not to be left by an exception when cancelled: see throw_if_cancelled.
  [[nodiscard]] boost::asio::awaitable<LegEnd> run();

 private:
  /// One address. Stands at the gate between TCP and what follows until the race lets it on.
  struct Attempt final : daemon::DialGate {
    Attempt(LegRun& leg_, std::size_t number_, daemon::Endpoint endpoint_);

    boost::asio::awaitable<void> pass() override;

    LegRun& leg;
    std::size_t number;  ///< in the race, and in the leg's steps
    daemon::Endpoint endpoint;
    boost::asio::cancellation_signal stop;
    daemon::DialProgress progress;
    std::unique_ptr<daemon::Environment::Alarm> go;
    bool leading = false;
    bool over = false;  ///< its coroutine has ended
    bool given_up = false;
  };

  boost::asio::awaitable<std::vector<daemon::Endpoint>> find_addresses();
  boost::asio::awaitable<void> race(std::vector<daemon::Endpoint> endpoints);
  boost::asio::awaitable<void> join();
  void act(AddressRace::Action action, const std::vector<daemon::Endpoint>& endpoints);
  void start(std::size_t number, const daemon::Endpoint& endpoint);
  void give_up(Attempt& one);

  boost::asio::awaitable<void> attempt(std::shared_ptr<Attempt> one);
  boost::asio::awaitable<Answer> reach(Attempt& one);
  [[nodiscard]] daemon::Environment::DialTarget dial_target(Attempt& one) const;
  void ended(Attempt& one, const std::exception_ptr& exception);
  void take(Attempt& one, Answer answer);
  void take_redirection(Attempt& one, const websocket::HttpHead& response);
  void note_failure(Attempt& one, OpenFailure failure);
  void note_progress(const Attempt& one);
  void note_late();

  [[nodiscard]] AddressStep& step(const Attempt& one) {
    return with_.cycle.legs.back().addresses[one.number];
  }
  [[nodiscard]] std::chrono::milliseconds since_start(daemon::TimePoint time) const;
  [[nodiscard]] std::chrono::milliseconds elapsed() const;
  [[nodiscard]] Stage behind_tcp() const noexcept;
  void hide_proxy_credentials(std::string& text) const;
  [[nodiscard]] static std::string place(const Attempt& one);

  Surroundings with_;
  const Target& target_;
  const daemon::Proxy* proxy_;
  std::uint32_t followed_;
  daemon::TimePoint deadline_;
  const Talk* talk_ = nullptr;  ///< nullptr: the upgrade
  std::string host_;            ///< that is looked up and dialled: the proxy's, where there is one
  std::uint16_t port_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;  ///< wakes the coordinator
  std::optional<AddressRace> race_;
  std::vector<std::shared_ptr<Attempt>> attempts_;
  LegEnd end_;
  bool decided_ = false;  ///< no other address is worth trying
};

}  // namespace wskeep::upstream
