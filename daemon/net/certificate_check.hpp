#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace wskeep::net {

/// How the certificates of a server are judged.
struct CertificateRules {
  bool verify = true;                            ///< false: whatever is wrong is passed over
  std::vector<config::CertificateFault> ignore;  ///< passed over; all else is refused
  std::vector<std::string> pins;                 ///< as Certificate::pin; empty: any key
};

/// Has each handshake judge the server's certificates by the rules of its TlsContext, and tell the
/// TlsPeer what it found. A chain that is refused ends the handshake.
void install_certificate_check(ssl_ctx_st* context);

/// Whether the chain that the SSL object's session began with would be accepted now: since then a
/// certificate or a revocation list may have expired. Where it would, the TlsPeer is told what was
/// passed over, for a handshake that resumes a session judges nothing.
[[nodiscard]] bool accepts_chain_of_session(ssl_st* ssl);

}  // namespace wskeep::net
