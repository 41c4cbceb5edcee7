// What there is to tell of connections and of what they receive and send.

#include <string>

#include "daemon/metric_families.hpp"

namespace wskeep::daemon {
namespace {

using Family = MetricFamilies::Family;
using Type = MetricFamilies::Type;

void tell_states(MetricFamilies& families) {
  Family family(Type::Gauge, "wskeep_connection_state",
                "1 for the state that the connection is in, else 0.");
  families.for_each_connection([&](const ConnectionSample& sample) {
    for (const upstream::State state : upstream::all_states) {
      family.add({{"connection", sample.name}, {"state", std::string(upstream::state_name(state))}},
                 state == sample.state ? 1 : 0);
    }
  });
  families.add(family);
}

void tell_attempts(MetricFamilies& families) {
  Family family(Type::Counter, "wskeep_connection_attempts_total",
                "Attempts to get a session, by result.");
  families.for_each_connection([&](const ConnectionSample& sample) {
    const auto add = [&](const char* result, std::uint64_t count) {
      family.add({{"connection", sample.name}, {"result", result}}, static_cast<double>(count));
    };
    add("ready", sample.counts.sessions);
    add("failed", sample.counts.attempts_failed);
  });
  families.add(family);
}

/// Only reasons that have occurred: the enumeration is long, and most of it never happens to a
/// connection.
void tell_endings(MetricFamilies& families) {
  Family family(
      Type::Counter, "wskeep_connection_ended_total",
      "Sessions that ended and attempts that got no session, by the reason's stable name.");
  families.for_each_connection([&](const ConnectionSample& sample) {
    for (std::size_t index = 0; index < error_count; ++index) {
      const std::uint64_t count = sample.counts.ended[index];
      if (count == 0) continue;
      family.add({{"connection", sample.name},
                  {"reason", std::string(error_name(static_cast<Error>(index)))}},
                 static_cast<double>(count));
    }
  });
  families.add(family);
}

/// Connections without a certificate have none that could expire.
void tell_certificates(MetricFamilies& families) {
  Family family(Type::Gauge, "wskeep_certificate_expiration_timestamp_seconds",
                "When the server's certificate expires, in seconds since 1970.");
  families.for_each_connection([&](const ConnectionSample& sample) {
    if (sample.certificate_expires == 0) return;
    family.add({{"connection", sample.name}}, static_cast<double>(sample.certificate_expires));
  });
  families.add(family);
}

}  // namespace

void tell_connections(MetricFamilies& families) {
  tell_states(families);
  tell_attempts(families);
  tell_endings(families);
  tell_certificates(families);
}

void tell_traffic(MetricFamilies& families) {
  using upstream::Counts;
  families.counters("wskeep_messages_received_total", "Whole messages received from upstream.",
                    &Counts::messages_in);
  families.counters("wskeep_messages_sent_total", "Messages taken for upstream.",
                    &Counts::messages_out);
  families.counters("wskeep_message_received_bytes_total", "Payload of whole messages received.",
                    &Counts::bytes_in);
  families.counters("wskeep_message_sent_bytes_total", "Payload of messages taken for upstream.",
                    &Counts::bytes_out);
  families.counters("wskeep_wire_received_bytes_total",
                    "Bytes received within TLS, frame headers and control frames included.",
                    &Counts::wire_bytes_in);
  families.counters("wskeep_wire_sent_bytes_total", "Bytes sent within TLS, likewise.",
                    &Counts::wire_bytes_out);
  families.counters("wskeep_messages_discarded_total", "Messages that began and never ended.",
                    &Counts::discarded_messages);
  families.counters("wskeep_messages_rejected_total", "Messages of local apps that were not taken.",
                    &Counts::rejected_messages);
  families.counters("wskeep_outbox_expired_total",
                    "Messages of local apps that waited in vain for outbox.ttl.",
                    &Counts::outbox_expired);
  families.counters("wskeep_pings_received_total", "Pings received from upstream.",
                    &Counts::pings_in);
  families.counters("wskeep_pongs_received_total", "Pongs received from upstream.",
                    &Counts::pongs_in);
  families.counters("wskeep_connection_close_timeouts_total",
                    "Sessions whose closing handshake was not over within timeouts.close.",
                    &Counts::close_timeouts);
}

void tell_times_to_ready(MetricFamilies& families) {
  families.histograms<upstream::time_to_ready_bounds>(
      "wskeep_time_to_ready_seconds",
      "From the begin of an attempt that got a session until the session was ready.",
      [](const ConnectionSample& sample) -> const auto& { return sample.counts.times_to_ready; });
}

void tell_round_trips(MetricFamilies& families) {
  families.histograms<upstream::round_trip_bounds>(
      "wskeep_ping_round_trip_seconds", "From a ping to the pong that answered it.",
      [](const ConnectionSample& sample) -> const auto& { return sample.counts.round_trips; });
}

void tell_delivery_lags(MetricFamilies& families) {
  families.histograms<ipc::delivery_lag_bounds>(
      "wskeep_delivery_lag_seconds",
      "How old the oldest message of a batch was when local apps had been given the batch.",
      [](const ConnectionSample& sample) -> const auto& { return sample.delivery_lag; });
}

}  // namespace wskeep::daemon
