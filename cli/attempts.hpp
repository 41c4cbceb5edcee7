#pragma once

#include <boost/json/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/format.hpp"

namespace wskeep::cli {

using std::chrono::milliseconds;

/// An error's stable name and the sentence of the time.
struct ShownFailure {
  std::string error;
  std::string message;
};

/// How far one address got; times count from the start of the cycle.
struct AddressAttempt {
  std::string address;
  std::string stage;  ///< `tcp`, `reserve`, `proxy`, `tls`, `http` or `open`
  milliseconds started{0};
  std::optional<milliseconds> tcp;
  std::optional<milliseconds> proxy;
  std::optional<milliseconds> tls;
  std::optional<milliseconds> http;
  std::optional<milliseconds> ended;  ///< nullopt: it still runs
  std::uint64_t http_status = 0;      ///< 0: no answer
  std::optional<ShownFailure> failure;
};

struct LookUp {
  std::string host;
  std::string source;  ///< `asked`, `remembered`, `configuration`; empty: the daemon does not say
  milliseconds started{0};
  milliseconds duration{0};
  std::vector<std::string> answers;
  std::uint64_t answer_count = 0;  ///< more than `answers` where those were too many
  std::optional<ShownFailure> failure;
};

/// What was done about one URL.
struct UrlAttempt {
  std::string url;
  std::string proxy;  ///< empty: none
  bool redirected = false;
  std::optional<LookUp> resolve;
  std::vector<AddressAttempt> addresses;
};

/// One step of what is done before connecting, or of a session's opening.
struct StepAttempt {
  std::string step;                  ///< `open[1]`
  std::string kind;                  ///< `send`, `wait`, ...
  milliseconds started{0};           ///< since the start of the cycle
  std::optional<milliseconds> took;  ///< nullopt: it was not done, or runs
  std::string waits_for;             ///< of a wait that is not over: what did not come yet
  std::optional<ShownFailure> failure;
};

struct EndedSession {
  milliseconds lived{0};
  std::optional<ShownFailure> failure;
  std::uint64_t close_code = 0;  ///< 0: none
};

/// What the policy decided then.
struct NextStep {
  std::string verdict;  ///< `retry`, `slow` or `stop`
  std::string rule;     ///< `default`, or what of the configuration decided
  milliseconds wait{0};
};

struct Cycle {
  std::uint64_t number = 0;
  std::optional<SystemTime> started;
  std::vector<StepAttempt> prepare;  ///< before connecting
  std::vector<UrlAttempt> legs;
  std::vector<StepAttempt> script;    ///< the session's opening
  std::optional<milliseconds> ended;  ///< nullopt: it still runs
  std::optional<ShownFailure> failure;
  std::optional<EndedSession> session;
  std::optional<NextStep> next;
};

/// `GET /v1/connections/NAME/attempts`.
struct Attempts {
  std::vector<Cycle> cycles;  ///< oldest first
  std::optional<SystemTime> next_attempt;
};

/// Taken leniently: what is missing or of another type is left empty.
[[nodiscard]] Attempts parse_attempts(const boost::json::object& document);

[[nodiscard]] std::optional<ShownFailure> parse_failure(const boost::json::object& holder,
                                                        std::string_view key);

}  // namespace wskeep::cli
