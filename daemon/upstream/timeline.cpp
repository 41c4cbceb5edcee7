#include "daemon/upstream/timeline.hpp"

namespace wskeep::upstream {

std::string_view stage_name(Stage stage) noexcept {
  switch (stage) {
    case Stage::tcp:
      return "tcp";
    case Stage::reserve:
      return "reserve";
    case Stage::proxy:
      return "proxy";
    case Stage::tls:
      return "tls";
    case Stage::http:
      return "http";
    case Stage::open:
      return "open";
  }
  return "tcp";
}

Cycle& Timeline::begin(daemon::WallTime now) {
  if (cycles_.size() == capacity_) cycles_.erase(cycles_.begin());
  Cycle& cycle = cycles_.emplace_back();
  cycle.number = ++count_;
  cycle.started = now;
  return cycle;
}

}  // namespace wskeep::upstream
