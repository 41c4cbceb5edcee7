#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/error.hpp"

namespace wskeep::upstream {

/// How far one address got.
enum class Stage : std::uint8_t {
  tcp,
  reserve,  ///< TCP is there, and another address is ahead
  proxy,
  tls,
  http,
  open,  ///< the 101 was read and checked
};

[[nodiscard]] std::string_view stage_name(Stage stage) noexcept;

/// What became of one address within a cycle. Times count from the start of the cycle.
struct AddressStep {
  daemon::Endpoint endpoint;
  std::chrono::milliseconds started{0};
  Stage reached = Stage::tcp;                          ///< the stage it is in, or ended in
  std::optional<std::chrono::milliseconds> connected;  ///< TCP was there
  std::optional<std::chrono::milliseconds> proxied;    ///< the proxy let us through
  std::optional<std::chrono::milliseconds> secured;    ///< TLS was there; never for ws://
  std::optional<std::chrono::milliseconds> answered;   ///< the HTTP answer was there
  std::optional<std::chrono::milliseconds> ended;      ///< nullopt: it still runs
  unsigned http_status = 0;                            ///< 0: no answer
  daemon::Failure failure;  ///< Error::none while it runs, and when it was opened
};

/// One name look-up.
struct ResolveStep {
  enum class Source : std::uint8_t {
    asked,          ///< name servers, the hosts file, or an address literal
    remembered,     ///< an earlier answer that still holds
    configuration,  ///< `resolve` in the configuration
  };
  Source source = Source::asked;
  std::string host;  ///< the proxy's, where there is one
  std::chrono::milliseconds started{0};
  std::chrono::milliseconds duration{0};
  std::vector<daemon::Endpoint> answers;  ///< at most `max_answers`, in the order they came
  std::size_t answer_count = 0;           ///< how many there were
  daemon::Failure failure;

  static constexpr std::size_t max_answers = 16;
};

/// What was done about one URL: of those configured, or one that the server sent us to.
struct Leg {
  std::string url;                     ///< fit to be shown: see public_url
  std::string proxy;                   ///< likewise; empty: none
  bool redirected = false;             ///< the leg before it sent us here
  std::optional<ResolveStep> resolve;  ///< nullopt: did not come to that
  std::vector<AddressStep> addresses;  ///< in the order they were started
};

/// What became of the session that a cycle got.
struct SessionStep {
  std::chrono::milliseconds lived{0};
  daemon::Failure failure;
  std::uint16_t close_code = 0;  ///< 0: none
};

/// One step of a session's opening script. Times count from the 101.
struct ScriptRecord {
  std::string step;       ///< "open[1]"
  std::string_view kind;  ///< "send", "wait", "set", "pause"
  std::chrono::milliseconds started{0};
  std::optional<std::chrono::milliseconds> took{};  ///< nullopt: it was not done
  std::string waits_for{};  ///< of a wait that was not done: which messages did not come
};

/// One step of `session.prepare`. Times count from the start of the cycle.
struct PrepareRecord {
  std::string step;       ///< "prepare[0]"
  std::string_view kind;  ///< "request", "command"
  std::chrono::milliseconds started{0};
  std::optional<std::chrono::milliseconds> took{};  ///< nullopt: it still runs
  unsigned http_status = 0;                         ///< 0: no answer
  daemon::Failure failure{};  ///< Error::none while it runs, and when it was good
};

/// What the policy made of a cycle's failure or its session's end.
struct NextStep {
  config::Verdict verdict = config::Verdict::retry;
  std::string rule;  ///< what decided: "default", "reconnect.on_status 403", "Retry-After", ...
  std::chrono::milliseconds wait{0};  ///< nothing comes after Verdict::stop
};

/// One attempt to get a session: from the look-up to the 101 or to giving up; and what followed.
struct Cycle {
  std::uint64_t number = 0;  ///< counts from 1 in the life of the connection
  daemon::WallTime started;
  std::vector<PrepareRecord> prepare{};            ///< before all legs
  std::vector<Leg> legs;                           ///< in the order they were begun
  std::optional<std::chrono::milliseconds> ended;  ///< nullopt: it still runs
  daemon::Failure failure;             ///< Error::none while it runs, and when it got a session
  std::vector<ScriptRecord> script{};  ///< once the opening is done, or the session has ended
  std::optional<SessionStep> session;  ///< once it has ended
  std::optional<NextStep> next;        ///< once that is decided
};

/// The last cycles of a connection, for people who ask what it has been doing. Bounded.
class Timeline {
 public:
  explicit Timeline(std::size_t capacity = 8) : capacity_(capacity == 0 ? 1 : capacity) {}

  /// Begins a new cycle and forgets the oldest where there are too many. The reference is good
  /// until the next call.
  Cycle& begin(daemon::WallTime now);

  /// Oldest first.
  [[nodiscard]] const std::vector<Cycle>& cycles() const noexcept { return cycles_; }

  /// The cycle that was begun last; there must be one.
  [[nodiscard]] Cycle& last() noexcept { return cycles_.back(); }

  /// How many there ever were.
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  std::size_t capacity_;
  std::uint64_t count_ = 0;
  std::vector<Cycle> cycles_;
};

}  // namespace wskeep::upstream
