#include "daemon/metrics.hpp"

#include <array>

#include "daemon/metric_families.hpp"

namespace wskeep::daemon {
namespace {

/// In the order of docs/metrics.md, more or less; each is written in one go.
constexpr std::array<void (*)(MetricFamilies&, const MetricsSample&), 11> sections{
    [](MetricFamilies& families, const MetricsSample& sample) {
      tell_daemon(families, sample.process);
    },
    [](MetricFamilies& families, const MetricsSample& sample) {
      tell_process(families, sample.process);
    },
    [](MetricFamilies& families, const MetricsSample& sample) {
      tell_local_apps(families, sample.process.local);
    },
    [](MetricFamilies& families, const MetricsSample&) { tell_connections(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_traffic(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_times_to_ready(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_round_trips(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_delivery_lags(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_readers(families); },
    [](MetricFamilies& families, const MetricsSample&) { tell_local_side(families); },
    [](MetricFamilies& families, const MetricsSample& sample) {
      tell_budgets(families, sample.process);
    },
};

}  // namespace

ConnectionSample sample_connection(const upstream::Connection& connection) {
  const ipc::Channel& channel = connection.channel();
  const net::TransportInformation* transport = connection.transport();
  const ipc::Channel::DeliveryLag* const lag = channel.delivery_lag();
  const bool certified = transport != nullptr && !transport->certificates.empty();
  return {.name = connection.name(),
          .state = connection.state(),
          .counts = connection.statistics(),
          .channel = channel.statistics(),
          .delivery_lag = lag != nullptr ? *lag : ipc::Channel::DeliveryLag{},
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

std::size_t MetricsSample::count() const noexcept {
  std::size_t count = 0;
  for (const auto& part : connections) count += part.size();
  return count;
}

std::string MetricsText::next() {
  if (at_end()) return {};
  MetricFamilies families(sample_->connections);
  sections[section_++](families, *sample_);
  std::string text = families.take_text();
  if (section_ == sections.size()) sample_.reset();
  return text;
}

}  // namespace wskeep::daemon
