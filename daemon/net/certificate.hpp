#pragma once

#include <string>
#include <vector>

#include "daemon/error.hpp"
#include "daemon/net/transport.hpp"

struct ssl_st;
struct x509_st;
struct x509_store_ctx_st;

namespace wskeep::net {

/// The chain that the peer showed, its own certificate first.
[[nodiscard]] std::vector<Certificate> describe_chain(const ssl_st* ssl);

/// Certificate::pin; empty when there is no memory.
[[nodiscard]] std::string pin_of(const x509_st* certificate);

/// What is wrong with a chain: which certificate, what about it, and what to do, in a sentence. To
/// be called in OpenSSL's verify callback, when it reports a fault: later the certificate is gone.
[[nodiscard]] daemon::Failure describe_fault(x509_store_ctx_st* verification);

/// That none of the configured pins is in the chain, of which this is the first certificate.
[[nodiscard]] daemon::Failure describe_pin_mismatch(const x509_st* certificate);

}  // namespace wskeep::net
