#pragma once

#include <vector>

#include "daemon/error.hpp"
#include "daemon/net/transport.hpp"

struct ssl_st;
struct x509_store_ctx_st;

namespace wskeep::net {

/// The chain that the peer showed, its own certificate first.
[[nodiscard]] std::vector<Certificate> describe_chain(const ssl_st* ssl);

/// Why a chain was refused, in a sentence that names the certificate and what is wrong with it. To
/// be called in OpenSSL's verify callback, when it reports a fault: later the certificate is gone.
[[nodiscard]] daemon::Failure describe_refusal(x509_store_ctx_st* verification);

}  // namespace wskeep::net
