#pragma once

#include <cstdint>
#include <string_view>

namespace wskeep::upstream {

/// Whether the environment's NO_PROXY, `list`, names this host: it is then reached directly.
/// Elements stand between commas or spaces: `*`, or a host name (itself and all names under it,
/// with or without a dot or `*.` in front), an address (IPv6 also in brackets) or a network
/// (`10.0.0.0/8`); behind a name or an address may stand `:PORT`. What is none of these names
/// nothing. Names are compared without case; addresses only with hosts that are addresses
/// themselves, for names are not looked up.
[[nodiscard]] bool no_proxy_names(std::string_view list, std::string_view host, std::uint16_t port);

}  // namespace wskeep::upstream
