#pragma once

#include <prometheus/metric_family.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/metrics.hpp"
#include "ipc/histogram.hpp"

namespace wskeep::daemon {

/// Writes families of metrics as Prometheus text. For the files that say what there is to tell; see
/// metrics.cpp.
class MetricFamilies {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;
  using Type = prometheus::MetricType;

  /// Values of one name. It becomes text as it grows.
  class Family {
   public:
    Family(Type type, const char* name, const char* help) : alone_{{name, help, type, {}}} {}
    void add(Labels labels, double value);

   private:
    friend MetricFamilies;
    prometheus::ClientMetric& add_one();
    void write();

    std::vector<prometheus::MetricFamily> alone_;  ///< as its serializer wants it
    std::string text_;
  };

  explicit MetricFamilies(const ConnectionSamples& connections) : connections_(connections) {}

  void add(Family& family);

  /// One value without labels.
  void gauge(const char* name, const char* help, double value);
  void counter(const char* name, const char* help, double value);

  /// One value for each connection.
  using Value = std::function<double(const ConnectionSample&)>;
  void gauges(const char* name, const char* help, const Value& value);
  void counters(const char* name, const char* help, const Value& value);
  void counters(const char* name, const char* help, std::uint64_t upstream::Counts::*member);

  /// One histogram for each connection that has observed anything.
  template <const ipc::HistogramBounds& bounds, typename HistogramOf>
  void histograms(const char* name, const char* help, const HistogramOf& histogram_of) {
    Family family(Type::Histogram, name, help);
    for_each_connection([&](const ConnectionSample& sample) {
      const auto& histogram = histogram_of(sample);
      const auto& counts = histogram.counts();
      add_histogram(family, sample.name, bounds, {counts.begin(), counts.end()}, histogram.sum());
    });
    add(family);
  }

  template <typename Function>
  void for_each_connection(const Function& function) const {
    for (const auto& part : connections_) {
      for (const ConnectionSample& sample : part) function(sample);
    }
  }

  /// All that was added since the last call.
  [[nodiscard]] std::string take_text();

 private:
  void values(Type type, const char* name, const char* help, const Value& value);
  static void add_histogram(Family& family, const std::string& connection,
                            const ipc::HistogramBounds& bounds,
                            const std::vector<std::uint64_t>& counts, std::chrono::nanoseconds sum);

  const ConnectionSamples& connections_;
  std::string text_;
};

// What there is to tell, by topic.
void tell_connections(MetricFamilies& families);
void tell_traffic(MetricFamilies& families);
void tell_times_to_ready(MetricFamilies& families);
void tell_round_trips(MetricFamilies& families);
void tell_delivery_lags(MetricFamilies& families);
void tell_readers(MetricFamilies& families);
void tell_local_side(MetricFamilies& families);
void tell_budgets(MetricFamilies& families, const ProcessSample& process);
void tell_local_apps(MetricFamilies& families, const LocalSample& local);
/// New metrics of the daemon itself have their place here.
void tell_daemon(MetricFamilies& families, const ProcessSample& process);
/// What Prometheus' client libraries tell of every process; of this one, as it is now.
void tell_process(MetricFamilies& families, const ProcessSample& process);

[[nodiscard]] inline double in_seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace wskeep::daemon
