#pragma once

#include <chrono>

#include "daemon/error.hpp"
#include "daemon/script/observer.hpp"
#include "daemon/upstream/session_end.hpp"
#include "ring/ring.hpp"

namespace wskeep::upstream {

/// Looks on while a connection lives, on its shard. It may ask the connection whatever it likes,
/// but not change it from within.
class Observer : public script::Observer {
 public:
  /// A cycle is over and gave no session.
  virtual void attempt_failed(const daemon::Failure& failure) = 0;

  /// A session begins; its script has said nothing yet.
  virtual void opened() = 0;

  /// Messages came into the ring, and are still there.
  virtual void received(const ring::Ring& ring) = 0;

  /// The session's opening is done.
  virtual void ready() = 0;

  virtual void ended(const SessionEnd& end, std::chrono::milliseconds lived) = 0;

 protected:
  ~Observer() = default;
};

}  // namespace wskeep::upstream
