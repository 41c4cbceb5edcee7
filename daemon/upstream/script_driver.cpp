#include "daemon/upstream/script_driver.hpp"

#include <algorithm>

#include "daemon/upstream/attempt_scope.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;

/// One for all connections of a thread: it keeps the memory that parsing takes.
script::JsonReader& json_reader() {
  thread_local script::JsonReader reader;
  return reader;
}

}  // namespace

ScriptDriver::ScriptDriver(daemon::Environment& environment, script::Program& program,
                           script::Variables& variables, const ring::Ring& ring)
    : environment_(environment),
      program_(program),
      ring_(ring),
      next_(ring.next()),
      run_(program, variables, *this),
      variables_(variables),
      saved_(variables.kept_changes()) {}

void ScriptDriver::read_ring() {
  if (next_ == ring_.next()) return;
  const daemon::TimePoint now = environment_.now();
  run_.received(now);
  for (next_ = std::max(next_, ring_.first()); next_ < ring_.next() && run_.watches(); ++next_) {
    const ring::Entry& entry = ring_.entry(next_);
    if (entry.part != ring::Part::whole) continue;
    const bool padded = entry.size + script::Message::padding <= ring_.capacity();
    run_.message({entry.opcode, ring_.payload(entry), padded}, json_reader(), now);
  }
  next_ = ring_.next();
  plan_to_save(now);
}

void ScriptDriver::plan_to_save(daemon::TimePoint now) {
  constexpr std::chrono::seconds pace{1};
  if (!save_ || save_at_ != daemon::TimePoint::max() || saved_ == variables_.kept_changes()) return;
  const bool lately = saved_last_ != daemon::TimePoint::min() && now < saved_last_ + pace;
  save_at_ = lately ? saved_last_ + pace : now;
}

void ScriptDriver::check_time() {
  const daemon::TimePoint now = environment_.now();
  run_.time(now);
  plan_to_save(now);
  if (now < save_at_) return;
  saved_ = variables_.kept_changes();
  saved_last_ = now;
  save_at_ = daemon::TimePoint::max();
  save_();
}

std::chrono::system_clock::time_point ScriptDriver::wall_now() const {
  return environment_.wall_now();
}

void ScriptDriver::random(std::span<std::byte> bytes) {
  fill_unpredictably(environment_, bytes);
}

Error script_error(script::Run::Why why) noexcept {
  switch (why) {
    case script::Run::Why::timeout:
      return Error::script_timeout;
    case script::Run::Why::refused:
      return Error::script_refused;
    case script::Run::Why::heartbeat:
      return Error::heartbeat_timeout;
    case script::Run::Why::goodbye:
      return Error::goodbye;
    case script::Run::Why::failed:
      break;
  }
  return Error::script_failed;
}

}  // namespace wskeep::upstream
