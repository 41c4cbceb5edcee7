// What readers of a connection are told of it, and those who watch all: parts of Connection.

#include <boost/json.hpp>
#include <string>
#include <utility>

#include "daemon/upstream/connection.hpp"
#include "ipc/event.hpp"

namespace wskeep::upstream {
namespace {

namespace json = boost::json;

}  // namespace

void Connection::tell_state(State before) const {
  if (teller_ == nullptr || !*teller_) return;
  json::object details{{"connection", name()},
                       {"state", upstream::state_name(state())},
                       {"previous", upstream::state_name(before)}};
  if ((state_ == State::backing_off || state_ == State::failed) && last_error_) {
    details["error"] = error_name(last_error_->failure.error);
    details["message"] = last_error_->failure.text;
  }
  (*teller_)("state", std::move(details));
}

/// To those who read the connection, and to those who watch all of them.
void Connection::announce(json::object event) {
  channel_.announce(json::serialize(event));
  if (teller_ == nullptr || !*teller_) return;
  const std::string kind(event.at("event").as_string());
  json::object details{{"connection", name()}};
  for (const auto& [key, value] : event) {
    if (key != "event" && key != "time") details[key] = value;
  }
  (*teller_)(kind, std::move(details));
}

void Connection::announce_connected() {
  const auto& opened = session_->opened();
  json::object event{{"event", "connected"},
                     {"time", ipc::time_text(environment_.wall_now())},
                     {"remote_address", session_->information().remote_address},
                     {"subprotocol", opened.subprotocol},
                     {"away_ms", nullptr}};
  if (away_since_) {
    event["away_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(environment_.now() - *away_since_)
            .count();
  }
  announce(std::move(event));
  log_connected();
  log_certificate();
}

void Connection::announce_disconnected(const SessionEnd& end) {
  json::object event{{"event", "disconnected"},
                     {"time", ipc::time_text(environment_.wall_now())},
                     {"error", error_name(end.failure.error)},
                     {"message", end.failure.text},
                     {"close_code", nullptr},
                     {"reason", end.reason},
                     {"closed_by", closed_by_name(end.closed_by)},
                     {"away_ms", duration_cast<std::chrono::milliseconds>(end.silent).count()}};
  if (end.close_code != 0) event["close_code"] = end.close_code;
  announce(std::move(event));
  // Publishers that waited for the send buffer are told what has become of it.
  channel_.publishers_may_go_on();
}

}  // namespace wskeep::upstream
