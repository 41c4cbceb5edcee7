// What the log is told of a connection, by the events' names of docs/logs.md: parts of Connection.

#include <string>

#include "daemon/upstream/connection.hpp"
#include "ipc/reader.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;
using std::chrono::milliseconds;
using Level = daemon::Log::Level;

/// From then on an administrator should do something about a certificate: as the alert has it.
constexpr std::chrono::days expires_soon{14};

std::string text_of(milliseconds duration) {
  return std::to_string(duration.count()) + "ms";
}

std::string milliseconds_text(daemon::Clock::duration duration) {
  return text_of(std::chrono::duration_cast<milliseconds>(duration));
}

/// Nobody's fault: somebody wanted the session to end.
bool wanted(Error error) noexcept {
  return error == Error::stopped || error == Error::paused || error == Error::reconnect_requested ||
         error == Error::reconfigured || error == Error::lifetime;
}

}  // namespace

bool Connection::log(Level level, std::string_view event, LogFields fields) const {
  return log_.write(level, name(), event, fields, settings_.settings.log_level);
}

bool Connection::logs(Level level) const noexcept {
  return log_.writes(level, settings_.settings.log_level);
}

void Connection::log_state(State before) const {
  if (!logs(Level::debug)) return;
  log(Level::debug, "state",
      {{"state", std::string(upstream::state_name(state()))},
       {"previous", std::string(upstream::state_name(before))}});
}

/// What became of each address of the cycle that has ended.
void Connection::log_addresses() const {
  if (!logs(Level::debug)) return;
  for (const Leg& leg : timeline_.cycles().back().legs) {
    for (const AddressStep& step : leg.addresses) {
      if (step.failure.error == Error::none || !step.ended) continue;
      log(Level::debug, "address_failed",
          {{"address", step.endpoint.address().to_string()},
           {"stage", std::string(stage_name(step.reached))},
           {"error", std::string(error_name(step.failure.error))},
           {"message", step.failure.text},
           {"took", text_of(*step.ended - step.started)}});
    }
  }
}

void Connection::log_failed(const OpenFailure& failure) const {
  const Error error = failure.failure.error;
  // A spent budget is told of where it is waited for.
  if (error == Error::budget_spent) return;
  log(Level::warning, "attempt_failed",
      {{"error", std::string(error_name(error))},
       {"message", failure.failure.text},
       {"rule", timeline_.cycles().back().next->rule},
       {"next_attempt_in", wait_text()}});
}

void Connection::log_connected() const {
  const auto& opened = session_->opened();
  const net::TransportInformation& information = session_->information();
  log(Level::info, "connected",
      {{"remote_address", information.remote_address},
       {"took", milliseconds_text(*ready_since_ - cycle_begun_)},
       {"away", away_since_ ? milliseconds_text(*ready_since_ - *away_since_) : ""},
       {"tls", information.tls_version},
       {"subprotocol", opened.subprotocol},
       {"compression", opened.compression ? "permessage-deflate" : "none"}});
}

/// With each session, so that nobody forgets it: what came over this connection may be anybody's.
void Connection::log_certificate() const {
  const net::TransportInformation& information = session_->information();
  if (!settings_.settings.tls.verify && !information.tls_version.empty()) {
    log(Level::warning, "certificate_not_verified",
        {{"message",
          "tls.verify is false: anybody on the way can read and forge what this connection "
          "carries; give tls.ca or tls.pin_sha256 instead"}});
  }
  for (const daemon::Failure& fault : information.ignored_faults) {
    log(Level::warning, "certificate_fault_ignored",
        {{"error", std::string(error_name(fault.error))}, {"message", fault.text}});
  }
  if (information.certificates.empty()) return;
  const net::Certificate& certificate = information.certificates.front();
  if (certificate.expires - environment_.wall_now() > expires_soon) return;
  log(Level::warning, "certificate_expires",
      {{"not_after", certificate.not_after},
       {"subject", certificate.subject},
       {"message",
        "the server's certificate is to be renewed by whoever runs it, or connecting "
        "will fail from then on"}});
}

void Connection::log_disconnected(const SessionEnd& end, milliseconds lived) const {
  const bool as_wanted = stopping_ || wanted(end.failure.error);
  log(as_wanted ? Level::info : Level::warning, "disconnected",
      {{"error", std::string(error_name(end.failure.error))},
       {"message", end.failure.text},
       {"close_code", std::to_string(end.close_code)},
       {"closed_by", std::string(closed_by_name(end.closed_by))},
       {"lived", text_of(lived)},
       {"next_attempt_in", stopping_ ? "never" : wait_text()}});
}

void Connection::log_lapped(const ipc::Reader& reader, std::uint64_t lost) const {
  if (!logs(Level::warning)) return;
  const ipc::Client* const client = reader.client();
  log(Level::warning, "reader_lapped",
      {{"kind", std::string(reader.kind())},
       {"uid", client != nullptr ? std::to_string(client->peer.uid) : ""},
       {"lost", std::to_string(lost)}});
}

}  // namespace wskeep::upstream
