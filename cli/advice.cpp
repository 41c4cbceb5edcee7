#include "cli/advice.hpp"

#include <algorithm>
#include <array>

namespace wskeep::cli {

namespace {

constexpr auto table = std::to_array<Advice>({
    {"none", "Nothing has failed.", "Nothing needs to be done."},
    {"stopped", "wskeepd was told to stop.", "Start wskeepd again when the connection is wanted."},
    {"paused", "A person paused the connection.", "Run wskeep resume when it shall connect again."},
    {"reconnect_requested", "A person asked for a new session.", "Nothing needs to be done."},
    {"reconfigured", "The configuration was changed so that a new session is needed.",
     "Nothing needs to be done."},
    {"lifetime", "The session was as old as lifetime says, and is renewed.",
     "Nothing needs to be done; lifetime in the configuration says how often this happens."},
    {"configuration", "A variable or a file that the configuration names cannot be read now.",
     "Restore the variable or the file that the message names; it is read anew at the next "
     "attempt."},
    {"prepare_failed", "A step of session.prepare failed.",
     "See in the message which step it was and what was said; run the command, or ask for the URL, "
     "by hand."},
    {"prepare_timeout", "A step of session.prepare took too long.",
     "See why the command or the server is slow; raise the step's timeout if that is normal."},
    {"budget_spent", "The budget of connects is spent, so that no connect is allowed now.",
     "Find out why it connects so often; if that is as it should be, raise reconnect.budget or "
     "connects in the configuration."},
    {"out_of_resources", "The daemon has no file descriptors or no memory left.",
     "Raise the limits of wskeepd (LimitNOFILE, memory), or give it less to hold."},
    {"internal", "Something inside wskeepd went wrong.",
     "Keep the log around that time and report it as a bug of wskeep."},
    {"resolve_failed", "The host's name does not exist, or the name server failed.",
     "Check the host in the URL for a misprint, and ask the name server yourself: getent hosts "
     "NAME."},
    {"resolve_timeout", "No name server answered in time.",
     "Check that the name servers in /etc/resolv.conf can be reached, or give addresses under "
     "resolve."},
    {"connect_timeout", "The whole attempt took longer than timeouts.connect.",
     "See in the attempts which stage hangs; raise timeouts.connect only if the server is slow by "
     "nature."},
    {"address_timeout",
     "An address took longer than timeouts.address for TCP, proxy, TLS and upgrade together.",
     "See which stage hangs: in TCP a firewall drops packets or the host is down, later the server "
     "itself is stuck."},
    {"connection_refused", "Nothing listens on that port of that address.",
     "Check the port in the URL and that the server runs; a firewall may also refuse."},
    {"host_unreachable", "There is no route to the address, or the network is down.",
     "Check this machine's network and routes; an IPv6 address without IPv6 here is cured by "
     "fallback.family: ipv4."},
    {"connection_reset", "The server, or something on the way, reset the connection.",
     "If it happens again and again, look for a firewall or proxy between, and into the server's "
     "log."},
    {"connection_closed", "The server ended the connection without a Close frame.",
     "Usually a restart of the server or of a load balancer; if it keeps happening, look into the "
     "server's log."},
    {"proxy_unauthorized", "The proxy wants credentials, or other ones than it got.",
     "Correct the user and the password in proxy."},
    {"proxy_refused", "The proxy would not or could not reach the server.",
     "Ask whoever runs the proxy whether it allows this host and port."},
    {"proxy_protocol", "What answered at the proxy's address is no proxy of that kind.",
     "Check the scheme, host and port in proxy: http, https or socks5."},
    {"tls_truncated", "TLS was cut off in the middle of a message.",
     "Usually a restart of the server or a broken line; if it keeps happening, look into the "
     "server's log."},
    {"tls_protocol", "The TLS handshake failed, or what answered does not speak TLS.",
     "Check that this port speaks TLS (else the URL begins with ws://), and tls.ciphers if that is "
     "set."},
    {"tls_version", "The server and tls.min_version have no TLS version in common.",
     "Have the server updated to TLS 1.2 or newer, or lower tls.min_version if it is 1.3."},
    {"certificate_expired", "The server's certificate has expired.",
     "Have the server's certificate renewed; check this machine's clock too."},
    {"certificate_not_yet_valid", "The server's certificate is not valid yet.",
     "Check this machine's clock; if it is right, the server's certificate was put in place too "
     "early."},
    {"certificate_name_mismatch", "The server's certificate is for another name.",
     "Use the name in the URL that the certificate has, or set tls.server_name."},
    {"certificate_self_signed", "The server's certificate is signed by itself and not known here.",
     "If it is the right server, name that certificate in tls.ca."},
    {"certificate_issuer_unknown",
     "The issuer of the server's certificate was neither sent nor is it known here.",
     "Have the server send its intermediate certificates, or add the issuer to tls.ca."},
    {"certificate_untrusted",
     "The chain of the server's certificate ends in an authority that is not accepted.",
     "If the authority is to be accepted, name its certificate in tls.ca; else something on the "
     "way may pose as the server."},
    {"certificate_revoked", "The server's certificate was revoked by its authority.",
     "Do not trust this server until it has a new certificate; tell whoever runs it."},
    {"certificate_revocation_unknown",
     "No revocation list in force was found for an issuer in the chain.",
     "Put current lists of all issuers into the file tls.crl; it is read anew when it changes."},
    {"certificate_pin_mismatch", "None of the keys in tls.pin_sha256 is in the server's chain.",
     "If the server's key was replaced on purpose, put the new one into tls.pin_sha256; else "
     "someone may pose as the server."},
    {"certificate_invalid", "The server's certificate has another fault, which the message names.",
     "Have the server's certificate made anew without the fault that the message names."},
    {"client_certificate_required",
     "The server wants a client certificate, or another one than it got.",
     "Set tls.certificate and tls.key (or tls.pkcs12) to one that the server accepts."},
    {"http_invalid", "The answer is no HTTP, or its head is too large.",
     "Check host and port in the URL: something other than a WebSocket server answers there."},
    {"http_status", "The server answered with a status other than 101.",
     "Check the path in the URL, and what the server says of this status (404: no such path, 5xx: "
     "the server's own trouble)."},
    {"http_unauthorized", "The server answered 401 or 403: it does not accept who we are.",
     "Renew the token or password that the configuration uses, or have the account's rights "
     "checked."},
    {"http_too_many_requests", "The server answered 429: too many requests came from here.",
     "Look for others that use the same account or address; a lower reconnect.budget or "
     "connects.per_host keeps wskeep within the limit."},
    {"http_unavailable", "The server answered 503: it cannot serve now.",
     "Wait for the server; its status page may say more."},
    {"http_redirect", "The server sent us to another URL, and that is not to be followed.",
     "Put the new URL into the configuration, or allow it with redirects; never is one followed "
     "from wss to ws."},
    {"upgrade_invalid", "The server answered 101, but not with a correct WebSocket upgrade.",
     "Compare subprotocols and compression in the configuration with what the server offers; else "
     "the server or a proxy between is faulty."},
    {"protocol_error",
     "The server broke the WebSocket protocol (RFC 6455); it was closed with 1002.",
     "Report it to whoever runs the server; the message says what was wrong."},
    {"invalid_payload",
     "Text that is not UTF-8, or data that does not inflate; it was closed with 1007.",
     "Report it to whoever runs the server; with compression: true, try it without."},
    {"message_too_big", "A message was larger than max_message; it was closed with 1009.",
     "Raise max_message if messages of that size are to be expected."},
    {"receive_timeout",
     "Nothing at all came from the server for timeouts.receive, not even answers to pings.",
     "Usually the line or the server is gone; if the server does not answer pings, raise "
     "timeouts.receive."},
    {"send_timeout", "The server accepted nothing of what waited to be sent for timeouts.send.",
     "Send less, or raise timeouts.send if the server is slow by nature."},
    {"message_timeout", "A message was begun and not ended within timeouts.message.",
     "Raise timeouts.message if messages are large and the line is slow; else the server is "
     "stuck."},
    {"first_message_timeout", "No message came within timeouts.first_message.",
     "Check that what the server waits for (a subscription, a token) was sent; else raise "
     "timeouts.first_message."},
    {"silence_timeout", "No message came for timeouts.silence, though the server answers pings.",
     "Check that the subscription still stands; raise timeouts.silence if such pauses are normal."},
    {"script_failed", "A step of session could not be done: a value is missing or unfit.",
     "See in the message which step and which value it was, and with wskeep tail what upstream "
     "said instead."},
    {"script_timeout", "A step of session waited in vain.",
     "See in the message which step it was, and with wskeep tail what upstream says instead; raise "
     "the step's timeout if it is only slow."},
    {"script_refused", "A message said no to a step of session.",
     "Correct what the step sends (a token, a name, a signature), or the account that it is for."},
    {"heartbeat_timeout", "A heartbeat of session was not answered in time.",
     "Check session.heartbeat.expect against what upstream answers; else the server is stuck."},
    {"goodbye", "Upstream announced that it will end the session, and it is renewed.",
     "Nothing needs to be done."},
    {"publisher_gone",
     "A local app left, or gave nothing more, in the middle of a message that was sent in parts.",
     "See to the app; send: message sends nothing of a message that is not whole."},
    {"close_timeout", "The closing handshake was not over within timeouts.close.",
     "Nothing needs to be done: the connection was cut, as the server did not answer the Close."},
    {"closed_by_peer", "The server sent a Close frame.",
     "See the close code and the reason: 1001 and 1012 are restarts, 1008 means a breach of the "
     "server's rules, 4000 to 4999 are the server's own."},
});

}  // namespace

std::span<const Advice> all_advice() noexcept {
  return table;
}

const Advice* find_advice(std::string_view error) noexcept {
  const auto found = std::ranges::find(table, error, &Advice::error);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace wskeep::cli
