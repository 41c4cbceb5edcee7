#include "daemon/upstream/script_driver.hpp"

#include <algorithm>

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
      run_(program, variables, *this) {}

void ScriptDriver::read_ring() {
  if (next_ == ring_.next()) return;
  const daemon::TimePoint now = environment_.now();
  run_.received(now);
  for (next_ = std::max(next_, ring_.first()); next_ < ring_.next() && run_.watches(); ++next_) {
    const ring::Entry& entry = ring_.entry(next_);
    const bool padded = entry.size + script::Message::padding <= ring_.capacity();
    run_.message({entry.opcode, ring_.payload(entry), padded}, json_reader(), now);
  }
  next_ = ring_.next();
}

std::chrono::system_clock::time_point ScriptDriver::wall_now() const {
  return environment_.wall_now();
}

void ScriptDriver::random(std::span<std::byte> bytes) {
  std::uint32_t drawn = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % sizeof drawn == 0) drawn = environment_.unpredictable();
    bytes[i] = static_cast<std::byte>(drawn & 0xFFU);
    drawn >>= 8U;
  }
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
  return Error::configuration;
}

}  // namespace wskeep::upstream
