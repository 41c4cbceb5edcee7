#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <variant>
#include <vector>

#include "config/code_range.hpp"
#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/target.hpp"

namespace wskeep::upstream {

/// Bytes of an answer's head and body that are read; a longer one is a failure.
inline constexpr std::size_t max_fetched_head = std::size_t{64} << 10U;
inline constexpr std::size_t max_fetched = std::size_t{1} << 20U;

/// What is asked for by HTTP, beside where: a Target says that. Wiped when it is destroyed.
struct FetchRequest {
  FetchRequest() = default;
  FetchRequest(const FetchRequest&) = delete;
  FetchRequest& operator=(const FetchRequest&) = delete;
  ~FetchRequest() { wipe(body); }

  std::string method;
  std::string body;
  std::string content_type;               ///< of the body, where no header says it; empty: none
  std::vector<config::CodeRange> status;  ///< of a good answer
};

struct Fetched {
  unsigned status = 0;
  std::string body;
};

/// Why there is no answer. Its time was over where `late`.
struct FetchFailure {
  OpenFailure failure;
  bool late = false;
};

using FetchResult = std::variant<Fetched, FetchFailure>;

/// Asks for `target` and reads the whole answer, in the way in which a session is got: the name
/// looked up, the addresses raced, through the proxy that `settings` say. Redirections are followed
/// as `settings` say where nothing is sent with the request. Takes nothing from the connection's
/// budgets. Ends promptly when cancelled, with Error::stopped. All but `target` outlives it.
[[nodiscard]] boost::asio::awaitable<FetchResult> fetch(daemon::Environment& environment,
                                                        const config::ConnectionSettings& settings,
                                                        OpeningMemory& memory, Target target,
                                                        const FetchRequest& request,
                                                        daemon::TimePoint deadline);

}  // namespace wskeep::upstream
