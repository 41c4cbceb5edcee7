#pragma once

#include <memory>

#include "daemon/error.hpp"
#include "daemon/net/transport.hpp"

struct bio_st;

namespace wskeep::net {

/// OpenSSL's way to a socket. It differs from OpenSSL's own in two things. It remembers that a
/// `recv` brought less than was asked for, which saves the one that would only say EAGAIN; and it
/// tells how the stream ended.
///
/// With read-ahead on, OpenSSL receives many records with one call into a buffer of its own, which
/// it has only while bytes lie in it: an idle connection has none.
///
/// The way may also be another transport, whose observer then belongs to others.
class SocketBio {
 public:
  explicit SocketBio(int descriptor) noexcept : descriptor_(descriptor) {}
  explicit SocketBio(Transport& below) noexcept : below_(&below) {}  ///< which outlives this
  SocketBio(const SocketBio&) = delete;
  SocketBio& operator=(const SocketBio&) = delete;

  /// A BIO over this object, which must outlive it. The caller owns it. nullptr: no memory.
  [[nodiscard]] bio_st* make_native();

  /// To be called when the socket may have become readable again.
  void refill() noexcept { drained_ = false; }

  [[nodiscard]] bool ended() const noexcept { return ended_; }
  [[nodiscard]] daemon::Error error() const noexcept { return error_; }

 private:
  friend struct SocketBioCallbacks;

  int descriptor_ = -1;
  Transport* below_ = nullptr;
  bool drained_ = false;  ///< nothing is left in the socket
  bool ended_ = false;    ///< a FIN came
  daemon::Error error_ = daemon::Error::none;
};

}  // namespace wskeep::net
