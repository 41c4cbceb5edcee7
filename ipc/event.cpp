#include "ipc/event.hpp"

#include <boost/json.hpp>
#include <ctime>

namespace wskeep::ipc {

namespace json = boost::json;

std::string time_text(std::chrono::system_clock::time_point time) {
  using std::chrono::duration_cast;
  const auto since_epoch = duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  const std::time_t seconds = since_epoch.count() / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char date[24];
  const std::size_t size = std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
  std::string milliseconds = std::to_string(since_epoch.count() % 1000);
  milliseconds.insert(0, 3 - milliseconds.size(), '0');
  return std::string(date, size) + "." + milliseconds + "Z";
}

std::string hello_event(std::string_view connection, const ring::Ring& ring, ring::Sequence next,
                        std::string_view state) {
  json::object event{
      {"event", "hello"},      {"connection", connection}, {"epoch", epoch_text(ring.epoch())},
      {"first", ring.first()}, {"last", ring.next() - 1},  {"next", next},
      {"state", state}};
  // The daemon's own events are of no one connection.
  if (connection.empty()) {
    event.erase("connection");
    event.erase("state");
  }
  return json::serialize(event);
}

std::string gap_event(ring::Sequence from, ring::Sequence to) {
  return json::serialize(json::object{{"event", "gap"}, {"from", from}, {"to", to}});
}

std::string aborted_event(ring::Sequence from, ring::Sequence to) {
  return json::serialize(json::object{{"event", "aborted"}, {"from", from}, {"to", to}});
}

std::string closed_event(std::uint16_t code, std::string_view reason) {
  return json::serialize(json::object{{"event", "closed"}, {"code", code}, {"reason", reason}});
}

std::string queued_event(std::string_view id) {
  return json::serialize(json::object{{"event", "queued"}, {"id", id}});
}

std::string sent_event(std::string_view id) {
  return json::serialize(json::object{{"event", "sent"}, {"id", id}});
}

std::string failed_event(std::string_view id, std::string_view outcome, const Rejection& reason) {
  return json::serialize(json::object{{"event", "failed"},
                                      {"id", id},
                                      {"outcome", outcome},
                                      {"error", reason.error},
                                      {"message", reason.message}});
}

}  // namespace wskeep::ipc
