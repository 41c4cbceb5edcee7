#include "daemon/metric_families.hpp"

#include <prometheus/text_serializer.h>

#include <sstream>
#include <utility>

namespace wskeep::daemon {

using prometheus::ClientMetric;

namespace {

/// Metrics that are held before they become text, which is smaller.
constexpr std::size_t most_held = 1'024;

}  // namespace

ClientMetric& MetricFamilies::Family::add_one() {
  if (alone_.front().metric.size() == most_held) write();
  return alone_.front().metric.emplace_back();
}

void MetricFamilies::Family::add(Labels labels, double value) {
  ClientMetric& metric = add_one();
  metric.label = std::move(labels);
  if (alone_.front().type == Type::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

/// HELP and TYPE, two lines that the serializer writes each time, stand before the first only.
void MetricFamilies::Family::write() {
  std::ostringstream part;
  prometheus::TextSerializer().Serialize(part, alone_);
  const std::string lines = std::move(part).str();
  std::size_t begin = 0;
  if (!text_.empty()) begin = lines.find('\n', lines.find('\n') + 1) + 1;
  text_.append(lines, begin);
  alone_.front().metric.clear();
}

void MetricFamilies::add(Family& family) {
  family.write();
  text_ = text_.empty() ? std::move(family.text_) : std::move(text_) + family.text_;
}

void MetricFamilies::gauge(const char* name, const char* help, double value) {
  Family family(Type::Gauge, name, help);
  family.add({}, value);
  add(family);
}

void MetricFamilies::counter(const char* name, const char* help, double value) {
  Family family(Type::Counter, name, help);
  family.add({}, value);
  add(family);
}

void MetricFamilies::values(Type type, const char* name, const char* help, const Value& value) {
  Family family(type, name, help);
  for_each_connection([&](const ConnectionSample& sample) {
    family.add({{"connection", sample.name}}, value(sample));
  });
  add(family);
}

void MetricFamilies::gauges(const char* name, const char* help, const Value& value) {
  values(Type::Gauge, name, help, value);
}

void MetricFamilies::counters(const char* name, const char* help, const Value& value) {
  values(Type::Counter, name, help, value);
}

void MetricFamilies::counters(const char* name, const char* help,
                              std::uint64_t upstream::Counts::*member) {
  counters(name, help, [member](const ConnectionSample& sample) {
    return static_cast<double>(sample.counts.*member);
  });
}

/// One that has observed nothing would be a dozen lines of nothing.
void MetricFamilies::add_histogram(Family& family, const std::string& connection,
                                   const ipc::HistogramBounds& bounds,
                                   const std::vector<std::uint64_t>& counts,
                                   std::chrono::nanoseconds sum) {
  ClientMetric::Histogram told;
  for (std::size_t index = 0; index < bounds.size(); ++index) {
    told.sample_count += counts[index];
    told.bucket.push_back({told.sample_count, bounds[index] / 1e6});
  }
  told.sample_count += counts[bounds.size()];
  if (told.sample_count == 0) return;
  told.sample_sum = in_seconds(sum);
  ClientMetric& metric = family.add_one();
  metric.label = {{"connection", connection}};
  metric.histogram = std::move(told);
}

std::string MetricFamilies::take_text() {
  return std::exchange(text_, {});
}

}  // namespace wskeep::daemon
