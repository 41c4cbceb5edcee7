#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/script/variables.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/timeline.hpp"

namespace wskeep::upstream {

/// Bytes of a command's output; more is a failure.
inline constexpr std::size_t max_command_output = std::size_t{1} << 20U;

/// Does what `session.prepare` says, one step after the other, and gives the variables that it sets
/// their values. Each step is noted in `cycle`. Nothing: all went well; else the first step that
/// failed says why, with Error::prepare_failed or Error::prepare_timeout, and no other is done.
/// Before it, Variables::begin_attempt has to forget the values of the attempt before. Ends
/// promptly when cancelled, with Error::stopped. Not to be left by an exception then: see
/// throw_if_cancelled.
[[nodiscard]] boost::asio::awaitable<std::optional<OpenFailure>> prepare(
    daemon::Environment& environment, const config::Connection& connection, OpeningMemory& memory,
    script::Variables& variables, Cycle& cycle);

}  // namespace wskeep::upstream
