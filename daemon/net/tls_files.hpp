#pragma once

#include <vector>

#include "config/config.hpp"
#include "daemon/error.hpp"
#include "daemon/net/file_stamp.hpp"

struct ssl_ctx_st;

/// Reads the files that the settings of TLS name into a context. What does not succeed is
/// Error::configuration, with a sentence that names the file; never a password.
namespace wskeep::net {

/// The system's where `ca` is empty; of a directory all that are in it.
[[nodiscard]] daemon::Failure load_authorities(ssl_ctx_st* context, const config::Tls& settings);

/// From two PEM files or one of PKCS#12. The password is read now, and gone afterwards.
[[nodiscard]] daemon::Failure load_client_certificate(ssl_ctx_st* context,
                                                      const config::Tls& settings);

/// And has them used.
[[nodiscard]] daemon::Failure load_revocation_lists(ssl_ctx_st* context,
                                                    const config::Tls& settings);

/// All that the three above would read, as it is now. Of the system's authorities the directory
/// counts and not each file in it: whoever installs one makes a link there.
[[nodiscard]] std::vector<FileStamp> stamps_of(const config::Tls& settings);

}  // namespace wskeep::net
