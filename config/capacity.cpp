#include "config/capacity.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>
#include <set>
#include <variant>

#include "config/session.hpp"

namespace wskeep::config {
namespace {

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::uint64_t ring_data(std::uint64_t history, std::uint64_t max_message) {
  return std::max(history, max_message + Costs::ring_headroom);
}

std::uint64_t ring_slots(std::uint64_t history, std::uint64_t max_message) {
  return std::bit_ceil(std::max(Costs::ring_smallest_index,
                                ring_data(history, max_message) / Costs::ring_bytes_per_slot));
}

/// What a script holds in memory: its variables and its regular expressions.
class ScriptCosts {
 public:
  explicit ScriptCosts(const SessionScript& script) {
    look_at(script);
    for (const ScriptStep& step : script.open) look_at(step);
    for (const ScriptStep& step : script.resume) look_at(step);
    const bool prepares = !script.prepare.empty();
    bytes_ = (prepares ? Costs::prepare : 0) + variables_.size() * Costs::variable +
             expressions_ * Costs::expression;
  }

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  void look_at(const SessionScript& script) {
    for (const PrepareStep& step : script.prepare) {
      if (step.expect) look_at(*step.expect);
      look_at(step.set);
    }
    if (script.heartbeat) {
      look_at(script.heartbeat->set);
      if (script.heartbeat->expect) look_at(*script.heartbeat->expect);
    }
    for (const Reply& reply : script.replies) {
      look_at(reply.on);
      look_at(reply.set);
    }
    for (const Remembered& remembered : script.remember) {
      look_at(remembered.on);
      variables_.insert(remembered.variable);
    }
    for (const Goodbye& goodbye : script.goodbye) look_at(goodbye.on);
    for (const RefusalRule& refusal : script.refusals) look_at(refusal.on);
  }

  void look_at(const ScriptStep& step) {
    if (const auto* const send = std::get_if<SendStep>(&step)) {
      look_at(send->set);
    } else if (const auto* const set = std::get_if<SetStep>(&step)) {
      look_at(set->set);
    } else if (const auto* const wait = std::get_if<WaitStep>(&step)) {
      for (const MessageRule& condition : wait->conditions) look_at(condition);
      for (const RefusalRule& refusal : wait->refusals) look_at(refusal.on);
      look_at(wait->set);
    }
  }

  void look_at(const MessageRule& rule) { expressions_ += rule.text.empty() ? 0U : 1U; }

  void look_at(const std::vector<Assignment>& assignments) {
    for (const Assignment& assignment : assignments) variables_.insert(assignment.variable);
  }

  std::set<std::string> variables_;
  std::uint64_t expressions_ = 0;
  std::uint64_t bytes_ = 0;
};

ConnectionCapacity capacity_of(const Connection& connection) {
  const ConnectionSettings& settings = connection.settings;
  const std::uint64_t ring = ring_bytes(settings.history, settings.max_message);
  // Eight bytes for each page; messages are mapped twice.
  const std::uint64_t page_tables = 2 * ring / Costs::page * 8 + 2 * Costs::page;
  const bool copied = settings.compression || settings.receive == Passing::stream;
  ConnectionCapacity result{.name = connection.name,
                            .ring = ring,
                            .fixed = Costs::connection + page_tables,
                            // The message that fills the buffer is still taken; and a buffer that
                            // grows is copied.
                            .sending = 2 * (settings.send_buffer + settings.max_message)};
  if (copied) result.receiving = 2 * settings.max_message + Costs::compression;
  if (settings.compression) result.sending += settings.max_message;
  if (settings.outbox.ttl > Milliseconds(0)) {
    result.outbox =
        settings.outbox.bytes + settings.outbox.messages * std::uint64_t{Costs::outbox_message};
  }
  if (settings.session) result.script = ScriptCosts(*settings.session).bytes();
  return result;
}

std::uint64_t tls_settings_of(const Config& config) {
  std::vector<const Tls*> different;
  for (const Connection& connection : config.connections) {
    for (const Tls* const tls : {&connection.settings.tls, &connection.settings.proxy_tls}) {
      const bool known =
          std::ranges::any_of(different, [tls](const Tls* other) { return *other == *tls; });
      if (!known) different.push_back(tls);
    }
  }
  return different.size() * Costs::tls_settings;
}

/// One that a reader is sent: what it may leave unread, and the message that fills it.
std::uint64_t batch_bytes(const IpcLimits& limits, std::uint64_t max_message) {
  return limits.subscriber_buffer + 2 * max_message;
}

LocalCapacity local_capacity(const Config& config) {
  const IpcLimits& limits = config.ipc.limits;
  LocalCapacity local{.clients = limits.clients * Costs::client};
  std::uint64_t largest = 0;
  std::uint64_t largest_filter = 0;
  for (const Connection& connection : config.connections) {
    const ConnectionSettings& settings = connection.settings;
    largest = std::max(largest, settings.max_message);
    largest_filter =
        std::max(largest_filter, ring_slots(settings.history, settings.max_message) / 8);
    local.readers += Costs::encodings * batch_bytes(limits, settings.max_message);
  }
  // As ipc/server.cpp has it.
  local.in_flight = std::max(limits.in_flight, 4 * largest);
  const std::uint64_t readers = std::min(limits.clients, limits.subscriptions);
  local.readers += readers * batch_bytes(limits, largest);
  local.filters = std::min<std::uint64_t>(readers, limits.filters * config.connections.size()) *
                  (largest_filter + limits.filter);
  return local;
}

DescriptorCapacity descriptor_capacity(const Config& config) {
  const std::uint64_t listeners = 1 + config.ipc.sockets.size();
  DescriptorCapacity result{.process = Costs::program_descriptors +
                                       Costs::thread_descriptors * config.threads + listeners,
                            .clients = config.ipc.limits.clients};
  const std::uint64_t least = result.process + config.ipc.limits.reserved_descriptors;
  if (!config.metrics.listen.empty()) result.process += 1 + Costs::monitors;
  for (const Connection& connection : config.connections) {
    result.connections += std::max<std::uint64_t>(Costs::descriptors_per_connection,
                                                  connection.settings.fallback.addresses);
  }
  result.needed =
      least + Costs::descriptors_per_connection * config.connections.size() + Costs::least_clients;
  return result;
}

std::uint64_t sum(const std::vector<ConnectionCapacity>& connections,
                  const std::function<std::uint64_t(const ConnectionCapacity&)>& bytes) {
  return std::accumulate(
      connections.begin(), connections.end(), std::uint64_t{0},
      [&](std::uint64_t so_far, const ConnectionCapacity& one) { return so_far + bytes(one); });
}

}  // namespace

std::uint64_t ring_bytes(std::uint64_t history, std::uint64_t max_message) noexcept {
  return round_up(Costs::ring_header + ring_slots(history, max_message) * Costs::ring_entry,
                  Costs::page) +
         round_up(ring_data(history, max_message), Costs::page);
}

std::uint64_t Capacity::rings() const noexcept {
  return sum(connections, [](const ConnectionCapacity& one) { return one.ring; });
}

std::uint64_t Capacity::beside_rings() const noexcept {
  return sum(connections, [](const ConnectionCapacity& one) { return one.beside_ring(); });
}

Capacity capacity(const Config& config) {
  Capacity result;
  result.process = Costs::program + config.log.queue + config.threads * Costs::thread +
                   tls_settings_of(config) + ring_bytes(config.ipc.limits.events, Costs::event);
  for (const Connection& connection : config.connections)
    result.connections.push_back(capacity_of(connection));
  result.local = local_capacity(config);
  result.descriptors = descriptor_capacity(config);
  return result;
}

}  // namespace wskeep::config
