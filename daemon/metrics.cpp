#include "daemon/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "daemon/version.hpp"

namespace wskeep::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;
using Samples = std::vector<ConnectionSample>;

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

ClientMetric make_metric(MetricType type, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (type == MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

class Families {
 public:
  explicit Families(const Samples& samples) : samples_(samples) {}

  /// One value per connection.
  void add(MetricType type, const char* name, const char* help,
           const std::function<double(const ConnectionSample&)>& value) {
    MetricFamily family{name, help, type, {}};
    for (const ConnectionSample& sample : samples_) {
      family.metric.push_back(make_metric(type, {{"connection", sample.name}}, value(sample)));
    }
    families_.push_back(std::move(family));
  }

  void counter(const char* name, const char* help, std::uint64_t upstream::Statistics::*member) {
    add(MetricType::Counter, name, help, [member](const ConnectionSample& sample) {
      return static_cast<double>(sample.statistics.*member);
    });
  }

  void add(MetricFamily family) { families_.push_back(std::move(family)); }

  [[nodiscard]] std::string text() const {
    std::ostringstream output;
    prometheus::TextSerializer().Serialize(output, families_);
    return output.str();
  }

 private:
  const Samples& samples_;
  std::vector<MetricFamily> families_;
};

void add_states(Families& families, const Samples& samples) {
  MetricFamily family{"wskeep_connection_state",
                      "1 for the state that the connection is in, else 0.",
                      MetricType::Gauge,
                      {}};
  for (const ConnectionSample& sample : samples) {
    for (const upstream::State state : upstream::all_states) {
      family.metric.push_back(make_metric(
          MetricType::Gauge,
          {{"connection", sample.name}, {"state", std::string(upstream::state_name(state))}},
          state == sample.state ? 1 : 0));
    }
  }
  families.add(std::move(family));
}

/// Only reasons that have occurred: the enumeration is long, and most of it never happens to a
/// connection.
void add_endings(Families& families, const Samples& samples) {
  MetricFamily family{
      "wskeep_connection_ended_total",
      "Sessions that ended and attempts that got no session, by the reason's stable name.",
      MetricType::Counter,
      {}};
  for (const ConnectionSample& sample : samples) {
    for (std::size_t index = 0; index < error_count; ++index) {
      const std::uint64_t count = sample.statistics.ended[index];
      if (count == 0) continue;
      const std::string reason(error_name(static_cast<Error>(index)));
      family.metric.push_back(make_metric(MetricType::Counter,
                                          {{"connection", sample.name}, {"reason", reason}},
                                          static_cast<double>(count)));
    }
  }
  families.add(std::move(family));
}

void add_attempts(Families& families, const Samples& samples) {
  MetricFamily family{"wskeep_connection_attempts_total",
                      "Attempts to get a session, by result.",
                      MetricType::Counter,
                      {}};
  for (const ConnectionSample& sample : samples) {
    const auto add = [&](const char* result, std::uint64_t count) {
      family.metric.push_back(make_metric(MetricType::Counter,
                                          {{"connection", sample.name}, {"result", result}},
                                          static_cast<double>(count)));
    };
    add("ready", sample.statistics.sessions);
    add("failed", sample.statistics.attempts_failed);
  }
  families.add(std::move(family));
}

void add_traffic(Families& families) {
  using upstream::Statistics;
  families.counter("wskeep_messages_received_total", "Whole messages received from upstream.",
                   &Statistics::messages_in);
  families.counter("wskeep_messages_sent_total", "Messages taken for upstream.",
                   &Statistics::messages_out);
  families.counter("wskeep_message_received_bytes_total", "Payload of whole messages received.",
                   &Statistics::bytes_in);
  families.counter("wskeep_message_sent_bytes_total", "Payload of messages taken for upstream.",
                   &Statistics::bytes_out);
  families.counter("wskeep_wire_received_bytes_total",
                   "Bytes received within TLS, frame headers and control frames included.",
                   &Statistics::wire_bytes_in);
  families.counter("wskeep_wire_sent_bytes_total", "Bytes sent within TLS, likewise.",
                   &Statistics::wire_bytes_out);
  families.counter("wskeep_messages_discarded_total", "Messages that began and never ended.",
                   &Statistics::discarded_messages);
  families.counter("wskeep_messages_rejected_total", "Messages of local apps that were not taken.",
                   &Statistics::rejected_messages);
  families.counter("wskeep_outbox_expired_total",
                   "Messages of local apps that waited in vain for outbox.ttl.",
                   &Statistics::outbox_expired);
  families.counter("wskeep_pings_received_total", "Pings received from upstream.",
                   &Statistics::pings_in);
  families.counter("wskeep_pongs_received_total", "Pongs received from upstream.",
                   &Statistics::pongs_in);
  families.counter("wskeep_connection_close_timeouts_total",
                   "Sessions whose closing handshake was not over within timeouts.close.",
                   &Statistics::close_timeouts);
}

void add_times(Families& families) {
  families.add(
      MetricType::Gauge, "wskeep_round_trip_seconds",
      "The last round trip measured by a ping; 0: none yet.",
      [](const ConnectionSample& sample) { return seconds(sample.statistics.round_trip); });
  families.add(
      MetricType::Gauge, "wskeep_last_time_to_ready_seconds",
      "From the begin of the last successful attempt to its session; 0: none yet.",
      [](const ConnectionSample& sample) { return seconds(sample.statistics.time_to_ready); });
  families.add(
      MetricType::Counter, "wskeep_time_to_ready_seconds_total",
      "The same, summed over all sessions: divide by "
      "wskeep_connection_attempts_total{result=\"ready\"}.",
      [](const ConnectionSample& sample) { return seconds(sample.statistics.time_to_ready_sum); });
}

/// Each kind that docs/ipc.md names has a value, so that a graph has no holes.
void add_readers(Families& families, const Samples& samples) {
  MetricFamily readers{
      "wskeep_readers",
      "Local apps that read the connection, by what they are sent; 'all' are those "
      "that read all connections in one.",
      MetricType::Gauge,
      {}};
  MetricFamily filtered{"wskeep_filtered_messages_total",
                        "Messages that readers' filters were asked about, once for each different "
                        "filter.",
                        MetricType::Counter,
                        {}};
  for (const ConnectionSample& sample : samples) {
    for (const char* kind : {"plain", "wskeep.v1", "ndjson", "sse", "all"}) {
      const auto found = sample.readers.find(kind);
      readers.metric.push_back(
          make_metric(MetricType::Gauge, {{"connection", sample.name}, {"kind", kind}},
                      found == sample.readers.end() ? 0 : static_cast<double>(found->second)));
    }
    const auto add = [&](const char* result, std::uint64_t count) {
      filtered.metric.push_back(make_metric(MetricType::Counter,
                                            {{"connection", sample.name}, {"result", result}},
                                            static_cast<double>(count)));
    };
    add("passed", sample.filtered.passed);
    add("left_out", sample.filtered.looked_at - sample.filtered.passed);
  }
  families.add(std::move(readers));
  families.add(std::move(filtered));
  families.add(MetricType::Gauge, "wskeep_filters", "Different filters that readers have.",
               [](const ConnectionSample& sample) { return static_cast<double>(sample.filters); });
}

void add_local_side(Families& families) {
  families.add(
      MetricType::Gauge, "wskeep_subscribers", "Local apps that read the connection.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.subscribers); });
  families.add(
      MetricType::Counter, "wskeep_subscriber_gaps_total", "Times that a local app was lapped.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.channel.gaps); });
  families.add(MetricType::Counter, "wskeep_subscriber_lost_messages_total",
               "Messages lost by that, summed over apps.", [](const ConnectionSample& sample) {
                 return static_cast<double>(sample.channel.lost_messages);
               });
  families.add(
      MetricType::Counter, "wskeep_reader_stalls_total",
      "Times that upstream was not read to wait for an app.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.channel.stalls); });
  families.add(MetricType::Counter, "wskeep_reader_stalled_seconds_total", "How long, in all.",
               [](const ConnectionSample& sample) { return seconds(sample.channel.stalled); });
  families.add(
      MetricType::Gauge, "wskeep_ring_used_bytes", "Bytes of the messages that the ring keeps.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.ring_used); });
  families.add(
      MetricType::Gauge, "wskeep_ring_capacity_bytes", "Bytes that the ring can keep.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.ring_capacity); });
  families.add(MetricType::Gauge, "wskeep_events_kept",
               "Events that are kept for readers that come late.",
               [](const ConnectionSample& sample) { return static_cast<double>(sample.events); });
  families.add(MetricType::Gauge, "wskeep_send_queue_bytes", "Bytes that wait to be sent upstream.",
               [](const ConnectionSample& sample) { return static_cast<double>(sample.unsent); });
  families.add(
      MetricType::Gauge, "wskeep_outbox_messages",
      "Messages of local apps that wait for the connection.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.outbox_messages); });
  families.add(
      MetricType::Gauge, "wskeep_outbox_bytes", "Bytes of them.",
      [](const ConnectionSample& sample) { return static_cast<double>(sample.outbox_bytes); });
}

void add_budgets(Families& families, const ProcessSample& process) {
  families.add(MetricType::Gauge, "wskeep_connect_budget_used",
               "Connects of the connection that count against reconnect.budget now.",
               [](const ConnectionSample& sample) { return sample.budget.used; });
  families.add(MetricType::Gauge, "wskeep_connect_budget_limit",
               "How many reconnect.budget allows; 0: no limit.",
               [](const ConnectionSample& sample) { return sample.budget.limit.count; });
  MetricFamily used{"wskeep_host_connect_budget_used",
                    "Connects to the host that count against its budget in connects.hosts now.",
                    MetricType::Gauge,
                    {}};
  MetricFamily limit{
      "wskeep_host_connect_budget_limit", "How many connects.hosts allows.", MetricType::Gauge, {}};
  for (const auto& [host, use] : process.host_budgets) {
    used.metric.push_back(make_metric(MetricType::Gauge, {{"host", host}}, use.used));
    limit.metric.push_back(make_metric(MetricType::Gauge, {{"host", host}}, use.limit.count));
  }
  families.add(std::move(used));
  families.add(std::move(limit));
}

/// Connections without a certificate have none that could expire.
void add_certificates(Families& families, const Samples& samples) {
  MetricFamily family{"wskeep_certificate_not_after_seconds",
                      "When the server's certificate expires, in seconds since 1970.",
                      MetricType::Gauge,
                      {}};
  for (const ConnectionSample& sample : samples) {
    if (sample.certificate_expires == 0) continue;
    family.metric.push_back(make_metric(MetricType::Gauge, {{"connection", sample.name}},
                                        static_cast<double>(sample.certificate_expires)));
  }
  families.add(std::move(family));
}

/// Users are told as the one who takes most: a label for each would make as many series.
void add_local_apps(Families& families, const LocalSample& local) {
  const auto gauge = [&](const char* name, const char* help, double value) {
    families.add(
        MetricFamily{name, help, MetricType::Gauge, {make_metric(MetricType::Gauge, {}, value)}});
  };
  ipc::Accounts::Use most;
  for (const auto& [uid, use] : local.users) {
    most.clients = std::max(most.clients, use.clients);
    most.subscriptions = std::max(most.subscriptions, use.subscriptions);
    most.in_flight = std::max(most.in_flight, use.in_flight);
  }
  gauge("wskeep_clients", "Local sockets that are open.", local.use.clients);
  gauge("wskeep_clients_limit", "How many there may be (ipc.limits.clients).",
        local.limits.clients);
  gauge("wskeep_user_clients_most", "Those of the user that has most.", most.clients);
  gauge("wskeep_user_clients_limit", "How many a user may have (ipc.limits.clients_per_user).",
        local.limits.clients_per_user);
  gauge("wskeep_users", "Users that have local sockets.", static_cast<double>(local.users.size()));
  gauge("wskeep_subscriptions", "Local apps that read.", local.use.subscriptions);
  gauge("wskeep_subscriptions_limit", "How many may (ipc.limits.subscriptions).",
        local.limits.subscriptions);
  gauge("wskeep_user_subscriptions_most", "Those of the user that has most.", most.subscriptions);
  gauge("wskeep_user_subscriptions_limit",
        "How many a user may have (ipc.limits.subscriptions_per_user).",
        local.limits.subscriptions_per_user);
  gauge("wskeep_in_flight_bytes",
        "Unfinished requests and messages of local apps, and answers that they have not read.",
        static_cast<double>(local.use.in_flight));
  gauge("wskeep_in_flight_limit_bytes", "How much there may be (ipc.limits.in_flight).",
        static_cast<double>(local.limits.in_flight));
  gauge("wskeep_user_in_flight_most_bytes", "That of the user that has most.",
        static_cast<double>(most.in_flight));
  gauge("wskeep_descriptors_limit", "File descriptors that the daemon may have.",
        static_cast<double>(local.descriptors.limit));
  gauge("wskeep_descriptors_reserved", "Of them, those that local apps leave to upstreams.",
        static_cast<double>(local.descriptors.reserved));
  MetricFamily refused{"wskeep_refused_total",
                       "What local apps asked for and did not get, by the limit.",
                       MetricType::Counter,
                       {}};
  for (const ipc::Refusal refusal : ipc::all_refusals) {
    refused.metric.push_back(
        make_metric(MetricType::Counter, {{"limit", std::string(ipc::refusal_name(refusal))}},
                    static_cast<double>(local.refusals[static_cast<std::size_t>(refusal)])));
  }
  families.add(std::move(refused));
  MetricFamily file{"wskeep_socket_file_present",
                    "1 while the socket's file is the daemon's own, else 0.",
                    MetricType::Gauge,
                    {}};
  MetricFamily renewed{"wskeep_socket_file_renewed_total",
                       "Times that the socket's file was removed, and made anew.",
                       MetricType::Counter,
                       {}};
  for (const ipc::SocketStatus& socket : local.sockets) {
    const Labels labels{{"socket", socket.path}};
    const bool ours = socket.condition == ipc::SocketFile::Condition::ours;
    file.metric.push_back(make_metric(MetricType::Gauge, labels, ours ? 1 : 0));
    renewed.metric.push_back(
        make_metric(MetricType::Counter, labels, static_cast<double>(socket.renewed)));
  }
  families.add(std::move(file));
  families.add(std::move(renewed));
}

void add_process(Families& families, const ProcessSample& process) {
  const auto gauge = [&](const char* name, const char* help, Labels labels, double value) {
    families.add(MetricFamily{
        name, help, MetricType::Gauge, {make_metric(MetricType::Gauge, std::move(labels), value)}});
  };
  gauge("wskeep_build_info", "Always 1; the version is in the label.",
        {{"version", std::string(version)}}, 1);
  gauge("wskeep_start_time_seconds", "When the daemon began, in seconds since 1970.", {},
        std::chrono::duration<double>(process.started.time_since_epoch()).count());
  gauge("wskeep_handshakes_in_flight", "TLS handshakes under way.", {},
        static_cast<double>(process.handshakes.under_way));
  gauge("wskeep_handshakes_waiting", "TLS handshakes that wait for their turn.", {},
        static_cast<double>(process.handshakes.waiting));
  gauge("wskeep_handshakes_limit",
        "How many there may be at once (connects.handshakes, by threads).", {},
        static_cast<double>(process.handshakes_limit));
  gauge("wskeep_all_readers", "Local apps that read all connections in one.", {},
        static_cast<double>(process.merged_readers));
  gauge("wskeep_event_readers", "Local apps that read /v1/events.", {},
        static_cast<double>(process.event_readers));
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    families.add(MetricFamily{name,
                              help,
                              MetricType::Counter,
                              {make_metric(MetricType::Counter, {}, static_cast<double>(value))}});
  };
  counter("wskeep_events_total", "Events that were told at /v1/events.", process.events);
  counter("wskeep_log_dropped_total", "Lines of the log that were dropped, for nobody took them.",
          process.log_dropped);
  counter("wskeep_state_write_failures_total",
          "Times that connect budgets, or what scripts keep, could not be written to the state "
          "directory.",
          process.state_write_failures);
}

}  // namespace

ConnectionSample sample_connection(const upstream::Connection& connection) {
  const ipc::Channel& channel = connection.channel();
  const net::TransportInformation* transport = connection.transport();
  const bool certified = transport != nullptr && !transport->certificates.empty();
  return {.name = connection.name(),
          .state = connection.state(),
          .statistics = connection.statistics(),
          .channel = channel.statistics(),
          .subscribers = channel.readers(),
          .readers = channel.readers_by_kind(),
          .filters = channel.filters() != nullptr ? channel.filters()->size() : 0,
          .filtered = channel.filters() != nullptr ? channel.filters()->statistics()
                                                   : ipc::Filters::Statistics{},
          .ring_used = channel.ring().used(),
          .ring_capacity = channel.ring().capacity(),
          .unsent = connection.unsent(),
          .outbox_messages = connection.outbox() ? connection.outbox()->messages() : 0,
          .outbox_bytes = connection.outbox() ? connection.outbox()->bytes() : 0,
          .events = channel.events().next() - channel.events().first(),
          .budget = connection.budget_use(),
          .certificate_expires =
              certified ? transport->certificates.front().expires.time_since_epoch().count() : 0};
}

std::string write_metrics(const std::vector<ConnectionSample>& connections,
                          const ProcessSample& process) {
  Families families(connections);
  add_process(families, process);
  add_local_apps(families, process.local);
  add_states(families, connections);
  add_attempts(families, connections);
  add_endings(families, connections);
  add_traffic(families);
  add_times(families);
  add_readers(families, connections);
  add_local_side(families);
  add_budgets(families, process);
  add_certificates(families, connections);
  return families.text();
}

}  // namespace wskeep::daemon
