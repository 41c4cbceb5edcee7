// What there is to tell of budgets, of the daemon, and of its process.

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

#include "daemon/metric_families.hpp"
#include "daemon/version.hpp"

namespace wskeep::daemon {
namespace {

using Family = MetricFamilies::Family;
using Type = MetricFamilies::Type;

double since_1970(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void tell_reloads(MetricFamilies& families, const ProcessSample& process) {
  // The names are those that Prometheus has for its own.
  families.gauge("wskeep_config_last_reload_successful",
                 "1 if the last reload took the configuration, or there was none; else 0.",
                 process.reloads.last_succeeded ? 1 : 0);
  families.gauge("wskeep_config_last_reload_success_timestamp_seconds",
                 "When the configuration that runs was taken, in seconds since 1970.",
                 since_1970(process.reloads.taken));
  Family reloads(Type::Counter, "wskeep_config_reloads_total", "Reloads, by result.");
  reloads.add({{"result", "taken"}}, static_cast<double>(process.reloads.succeeded));
  reloads.add({{"result", "failed"}}, static_cast<double>(process.reloads.failed));
  families.add(reloads);
}

/// Of this process, those of getrusage(2).
double processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// nullopt: /proc is not there.
std::optional<std::size_t> open_descriptors() {
  std::error_code error;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  // The one that the folder was read with.
  return error || count == 0 ? std::nullopt : std::optional(count - 1);
}

}  // namespace

void tell_budgets(MetricFamilies& families, const ProcessSample& process) {
  families.gauges("wskeep_connect_budget_used",
                  "Connects of the connection that count against reconnect.budget now.",
                  [](const ConnectionSample& sample) { return sample.budget.used; });
  families.gauges("wskeep_connect_budget_limit", "How many reconnect.budget allows; 0: no limit.",
                  [](const ConnectionSample& sample) { return sample.budget.limit.count; });
  Family used(Type::Gauge, "wskeep_host_connect_budget_used",
              "Connects to the host that count against its budget in connects.hosts now.");
  Family limit(Type::Gauge, "wskeep_host_connect_budget_limit", "How many connects.hosts allows.");
  for (const auto& [host, use] : process.host_budgets) {
    used.add({{"host", host}}, use.used);
    limit.add({{"host", host}}, use.limit.count);
  }
  families.add(used);
  families.add(limit);
  families.gauge("wskeep_handshakes_in_flight", "TLS handshakes under way.",
                 static_cast<double>(process.handshakes.under_way));
  families.gauge("wskeep_handshakes_waiting", "TLS handshakes that wait for their turn.",
                 static_cast<double>(process.handshakes.waiting));
  families.gauge("wskeep_handshakes_limit",
                 "How many there may be at once (connects.handshakes, by threads).",
                 static_cast<double>(process.handshakes_limit));
}

namespace {

void tell_log(MetricFamilies& families, const Log::Statistics& log) {
  families.counter("wskeep_log_dropped_total",
                   "Lines of the log that are lost: nobody took them in time, or they could not be "
                   "written.",
                   static_cast<double>(log.dropped));
  families.counter("wskeep_log_write_failures_total",
                   "Of them, those that could not be written, for want of disk space as a rule.",
                   static_cast<double>(log.write_failures));
  families.counter("wskeep_log_left_out_total", "Lines of the log that log.rate left out.",
                   static_cast<double>(log.left_out));
  families.gauge("wskeep_log_queue_bytes", "Bytes of the log's lines that wait to be written.",
                 static_cast<double>(log.queue_bytes));
  families.gauge("wskeep_log_queue_limit_bytes", "How many there may be (log.queue).",
                 static_cast<double>(log.queue_limit));
}

}  // namespace

void tell_daemon(MetricFamilies& families, const ProcessSample& process) {
  Family build(Type::Gauge, "wskeep_build_info", "Always 1; the version is in the label.");
  build.add({{"version", std::string(version)}}, 1);
  families.add(build);
  tell_reloads(families, process);
  families.gauge("wskeep_all_readers", "Local apps that read all connections in one.",
                 static_cast<double>(process.merged_readers));
  families.gauge("wskeep_event_readers", "Local apps that read /v1/events.",
                 static_cast<double>(process.event_readers));
  families.counter("wskeep_events_total", "Events that were told at /v1/events.",
                   static_cast<double>(process.events));
  tell_log(families, process.log);
  families.counter("wskeep_state_write_failures_total",
                   "Times that connect budgets, or what scripts keep, could not be written to the "
                   "state directory.",
                   static_cast<double>(process.state_write_failures));
}

void tell_process(MetricFamilies& families, const ProcessSample& process) {
  families.gauge("process_start_time_seconds", "When the daemon began, in seconds since 1970.",
                 since_1970(process.started));
  families.counter("process_cpu_seconds_total", "Processor time that the daemon has taken.",
                   processor_seconds());
  std::uint64_t virtual_pages = 0;
  std::uint64_t resident_pages = 0;
  if (std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages) {
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    families.gauge("process_virtual_memory_bytes", "Memory that the daemon has mapped.",
                   static_cast<double>(virtual_pages) * page);
    families.gauge("process_resident_memory_bytes", "Memory of it that is there.",
                   static_cast<double>(resident_pages) * page);
  }
  if (const auto open = open_descriptors()) {
    families.gauge("process_open_fds", "File descriptors that are open.",
                   static_cast<double>(*open));
  }
  families.gauge("process_max_fds", "How many there may be.",
                 static_cast<double>(process.local.descriptors.limit));
}

}  // namespace wskeep::daemon
