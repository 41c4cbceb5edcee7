// What there is to tell of local apps and of what they take.

#include <algorithm>
#include <string>

#include "daemon/metric_families.hpp"

namespace wskeep::daemon {
namespace {

using Family = MetricFamilies::Family;
using Type = MetricFamilies::Type;

/// Users are told as the one who takes most: a label for each would make as many series.
void tell_users(MetricFamilies& families, const LocalSample& local) {
  ipc::Accounts::Use most;
  for (const auto& [uid, use] : local.users) {
    most.clients = std::max(most.clients, use.clients);
    most.subscriptions = std::max(most.subscriptions, use.subscriptions);
    most.in_flight = std::max(most.in_flight, use.in_flight);
  }
  families.gauge("wskeep_clients", "Local sockets that are open.", local.use.clients);
  families.gauge("wskeep_clients_limit", "How many there may be (ipc.limits.clients).",
                 local.limits.clients);
  families.gauge("wskeep_user_clients_most", "Those of the user that has most.", most.clients);
  families.gauge("wskeep_user_clients_limit",
                 "How many a user may have (ipc.limits.clients_per_user).",
                 local.limits.clients_per_user);
  families.gauge("wskeep_users", "Users that have local sockets.",
                 static_cast<double>(local.users.size()));
  families.gauge("wskeep_subscriptions", "Local apps that read.", local.use.subscriptions);
  families.gauge("wskeep_subscriptions_limit", "How many may (ipc.limits.subscriptions).",
                 local.limits.subscriptions);
  families.gauge("wskeep_user_subscriptions_most", "Those of the user that has most.",
                 most.subscriptions);
  families.gauge("wskeep_user_subscriptions_limit",
                 "How many a user may have (ipc.limits.subscriptions_per_user).",
                 local.limits.subscriptions_per_user);
  families.gauge(
      "wskeep_in_flight_bytes",
      "Unfinished requests and messages of local apps, and answers that they have not read.",
      static_cast<double>(local.use.in_flight));
  families.gauge("wskeep_in_flight_limit_bytes", "How much there may be (ipc.limits.in_flight).",
                 static_cast<double>(local.limits.in_flight));
  families.gauge("wskeep_user_in_flight_most_bytes", "That of the user that has most.",
                 static_cast<double>(most.in_flight));
  families.gauge("wskeep_descriptors_reserved",
                 "Of them, those that local apps leave to upstreams.",
                 static_cast<double>(local.descriptors.reserved));
}

void tell_refusals(MetricFamilies& families, const LocalSample& local) {
  Family refused(Type::Counter, "wskeep_refused_total",
                 "What local apps asked for and did not get, by the limit.");
  for (const ipc::Refusal refusal : ipc::all_refusals) {
    refused.add({{"limit", std::string(ipc::refusal_name(refusal))}},
                static_cast<double>(local.refusals[static_cast<std::size_t>(refusal)]));
  }
  families.add(refused);
}

void tell_sockets(MetricFamilies& families, const LocalSample& local) {
  Family file(Type::Gauge, "wskeep_socket_file_present",
              "1 while the socket's file is the daemon's own, else 0.");
  Family renewed(Type::Counter, "wskeep_socket_file_renewed_total",
                 "Times that the socket's file was removed, and made anew.");
  for (const ipc::SocketStatus& socket : local.sockets) {
    const bool ours = socket.condition == ipc::SocketFile::Condition::ours;
    file.add({{"socket", socket.path}}, ours ? 1 : 0);
    renewed.add({{"socket", socket.path}}, static_cast<double>(socket.renewed));
  }
  families.add(file);
  families.add(renewed);
}

}  // namespace

/// Each kind that docs/ipc.md names has a value, so that a graph has no holes.
void tell_readers(MetricFamilies& families) {
  Family readers(Type::Gauge, "wskeep_readers",
                 "Local apps that read the connection, by what they are sent; 'all' are those "
                 "that read all connections in one.");
  Family filtered(Type::Counter, "wskeep_filtered_messages_total",
                  "Messages that readers' filters were asked about, once for each different "
                  "filter.");
  families.for_each_connection([&](const ConnectionSample& sample) {
    for (const char* kind : {"plain", "wskeep.v1", "ndjson", "sse", "all"}) {
      const auto found = sample.readers.find(kind);
      readers.add({{"connection", sample.name}, {"kind", kind}},
                  found == sample.readers.end() ? 0 : static_cast<double>(found->second));
    }
    const auto add = [&](const char* result, std::uint64_t count) {
      filtered.add({{"connection", sample.name}, {"result", result}}, static_cast<double>(count));
    };
    add("passed", sample.filtered.passed);
    add("left_out", sample.filtered.looked_at - sample.filtered.passed);
  });
  families.add(readers);
  families.add(filtered);
  families.gauges(
      "wskeep_filters", "Different filters that readers have.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.filters); });
}

void tell_local_side(MetricFamilies& families) {
  families.gauges(
      "wskeep_subscribers", "Local apps that read the connection.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.subscribers); });
  families.counters(
      "wskeep_subscriber_gaps_total", "Times that a local app was lapped.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.channel.gaps); });
  families.counters("wskeep_subscriber_lost_messages_total",
                    "Messages lost by that, summed over apps.", [](const ConnectionSample& sample) {
                      return static_cast<double>(sample.channel.lost_messages);
                    });
  families.counters(
      "wskeep_reader_stalls_total", "Times that upstream was not read to wait for an app.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.channel.stalls); });
  families.counters(
      "wskeep_reader_stalled_seconds_total", "How long, in all.",
      [](const ConnectionSample& sample) { return in_seconds(sample.channel.stalled); });
  families.gauges(
      "wskeep_ring_used_bytes", "Bytes of the messages that the ring keeps.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.ring_used); });
  families.gauges(
      "wskeep_ring_capacity_bytes", "Bytes that the ring can keep.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.ring_capacity); });
  families.gauges(
      "wskeep_events_kept", "Events that are kept for readers that come late.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.events); });
  families.gauges(
      "wskeep_send_queue_bytes", "Bytes that wait to be sent upstream.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.unsent); });
  families.gauges(
      "wskeep_outbox_messages", "Messages of local apps that wait for the connection.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.outbox_messages); });
  families.gauges("wskeep_outbox_bytes", "Bytes of them.", [](const ConnectionSample& sample) {
    return static_cast<double>(sample.outbox_bytes);
  });
}

void tell_local_apps(MetricFamilies& families, const LocalSample& local) {
  tell_users(families, local);
  tell_refusals(families, local);
  tell_sockets(families, local);
}

}  // namespace wskeep::daemon
