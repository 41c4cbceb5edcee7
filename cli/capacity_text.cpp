#include "cli/capacity_text.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "cli/facts.hpp"
#include "cli/format.hpp"

namespace wskeep::cli {

namespace {

namespace json = boost::json;
using config::Capacity;
using config::ConnectionCapacity;

constexpr std::size_t most_shown = 3;

std::string bytes_text(std::uint64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

/// The connections that take most, without those that take as little as all others.
std::vector<ConnectionCapacity> largest(const Capacity& capacity) {
  std::vector<ConnectionCapacity> sorted = capacity.connections;
  std::ranges::stable_sort(sorted, std::ranges::greater(), &ConnectionCapacity::total);
  const bool alike = sorted.size() < 2 || sorted.front().total() == sorted.back().total();
  sorted.resize(alike ? 0 : std::min(most_shown, sorted.size()));
  return sorted;
}

std::string parts_text(const ConnectionCapacity& connection) {
  std::string text = bytes_text(connection.total()) + ": history " + bytes_text(connection.ring);
  const auto add = [&text](std::string_view name, std::uint64_t bytes) {
    if (bytes > 0) text.append(", ").append(name).append(" ").append(bytes_text(bytes));
  };
  add("sending", connection.sending);
  add("receiving", connection.receiving);
  add("outbox", connection.outbox);
  add("script", connection.script);
  return text;
}

void add_memory(Facts& facts, const Capacity& capacity) {
  facts.group("memory at the most");
  facts.add("program", bytes_text(capacity.process));
  facts.add("histories", bytes_text(capacity.rings()) + " when they are full");
  facts.add("connections", bytes_text(capacity.beside_rings()) +
                               " beside that, if upstreams take nothing of what is sent");
  facts.add("local apps", bytes_text(capacity.local.total()) +
                              " if as many as ipc.limits allows read nothing of what they get");
  facts.add("in all", bytes_text(capacity.total()) + ", without local apps " +
                          bytes_text(capacity.upstreams()));
  const std::vector<ConnectionCapacity> most = largest(capacity);
  if (!most.empty()) facts.group("the largest connections");
  for (const ConnectionCapacity& connection : most)
    facts.add(connection.name, parts_text(connection));
}

std::string or_none(const std::optional<std::uint64_t>& bytes) {
  return bytes ? bytes_text(*bytes) : "no limit";
}

void add_memory_limits(Facts& facts, const Machine& machine) {
  facts.group("memory there is");
  if (machine.memory) facts.add("machine", bytes_text(*machine.memory));
  facts.add("this cgroup", or_none(machine.cgroup_memory));
  if (machine.unit.installed)
    facts.add("wskeepd.service", or_none(machine.unit.memory) + " (MemoryMax=)");
}

void add_descriptors(Facts& facts, const Capacity& capacity, const Machine& machine) {
  const config::DescriptorCapacity& descriptors = capacity.descriptors;
  facts.group("descriptors at the most");
  facts.add("program", std::to_string(descriptors.process));
  facts.add("connections", std::to_string(descriptors.connections) +
                               " if all connect at once, each to as many "
                               "addresses as fallback.addresses allows");
  facts.add("local apps", std::to_string(descriptors.clients));
  facts.add("in all", std::to_string(descriptors.total()) + "; it does with " +
                          std::to_string(descriptors.needed) + ", and fewer local apps");
  facts.group("descriptors there are");
  if (machine.descriptors && machine.descriptors_most) {
    facts.add("this shell", std::to_string(*machine.descriptors) + ", which wskeepd raises to " +
                                std::to_string(*machine.descriptors_most));
  }
  if (machine.unit.installed) {
    facts.add("wskeepd.service", machine.unit.descriptors
                                     ? std::to_string(*machine.unit.descriptors) + " (LimitNOFILE=)"
                                     : "systemd's default");
  }
  if (machine.system_descriptors)
    facts.add("system", std::to_string(*machine.system_descriptors) + " (fs.file-max)");
}

/// A limit, what it is called, and where it is raised.
struct Limit {
  std::optional<std::uint64_t> most;
  std::string_view name;
  std::string_view where;
};

std::string more_than(std::uint64_t bytes, const Limit& limit) {
  return bytes_text(bytes) + ", more than the " + bytes_text(*limit.most) + " of " +
         std::string(limit.name);
}

void look_at_memory(const Capacity& capacity, const Limit& limit, std::vector<Finding>& findings) {
  if (!limit.most) return;
  const std::uint64_t full = capacity.process + capacity.rings();
  if (full > *limit.most) {
    findings.push_back({.message = "the histories take " + more_than(full, limit) +
                                   " when they are full: lower history, or max_message where it "
                                   "is the larger one, or " +
                                   std::string(limit.where)});
  } else if (capacity.upstreams() > *limit.most) {
    findings.push_back(
        {.message = "with upstreams that take nothing, connections hold " +
                    more_than(capacity.upstreams(), limit) +
                    ": lower send_buffer, max_message, outbox.bytes or history, or " +
                    std::string(limit.where)});
  } else if (capacity.total() > *limit.most) {
    findings.push_back({.kind = Finding::Kind::note,
                        .message = "local apps that read nothing could have wskeepd hold " +
                                   more_than(capacity.total(), limit) +
                                   ": where they are not trusted, lower ipc.limits.subscriptions, "
                                   "ipc.limits.subscriber_buffer or ipc.limits.in_flight, or " +
                                   std::string(limit.where)});
  }
}

void look_at_descriptors(const Capacity& capacity, const Limit& limit,
                         std::vector<Finding>& findings) {
  if (!limit.most) return;
  const config::DescriptorCapacity& descriptors = capacity.descriptors;
  const std::string than =
      ", more than the " + std::to_string(*limit.most) + " of " + std::string(limit.name) + ": ";
  if (descriptors.needed > *limit.most) {
    findings.push_back({.message = "it needs " + std::to_string(descriptors.needed) +
                                   " file descriptors" + than + std::string(limit.where)});
  } else if (descriptors.total() > *limit.most) {
    findings.push_back({.kind = Finding::Kind::note,
                        .message = "at the most it takes " + std::to_string(descriptors.total()) +
                                   " file descriptors" + than +
                                   "local apps are turned away before upstreams lack any; lower "
                                   "ipc.limits.clients, or " +
                                   std::string(limit.where)});
  }
}

json::value or_null(const std::optional<std::uint64_t>& value) {
  return value ? json::value(*value) : json::value();
}

}  // namespace

std::string render_capacity(const Capacity& capacity, const Machine& machine, bool colors) {
  Facts facts(colors);
  add_memory(facts, capacity);
  add_memory_limits(facts, machine);
  add_descriptors(facts, capacity, machine);
  return facts.text();
}

json::object describe_capacity(const Capacity& capacity) {
  json::array connections;
  for (const ConnectionCapacity& connection : capacity.connections) {
    connections.push_back(json::object{{"name", connection.name},
                                       {"history", connection.ring},
                                       {"fixed", connection.fixed},
                                       {"sending", connection.sending},
                                       {"receiving", connection.receiving},
                                       {"outbox", connection.outbox},
                                       {"script", connection.script},
                                       {"total", connection.total()}});
  }
  const config::DescriptorCapacity& descriptors = capacity.descriptors;
  return {{"memory",
           {{"program", capacity.process},
            {"histories", capacity.rings()},
            {"connections", capacity.beside_rings()},
            {"local_apps", capacity.local.total()},
            {"without_local_apps", capacity.upstreams()},
            {"total", capacity.total()}}},
          {"descriptors",
           {{"program", descriptors.process},
            {"connections", descriptors.connections},
            {"local_apps", descriptors.clients},
            {"needed", descriptors.needed},
            {"total", descriptors.total()}}},
          {"connections", std::move(connections)}};
}

json::object describe_machine(const Machine& machine) {
  json::object told{{"memory", or_null(machine.memory)},
                    {"cgroup_memory", or_null(machine.cgroup_memory)},
                    {"descriptors", or_null(machine.descriptors)},
                    {"descriptors_most", or_null(machine.descriptors_most)},
                    {"system_descriptors", or_null(machine.system_descriptors)}};
  if (machine.unit.installed) {
    told["unit"] = json::object{{"descriptors", or_null(machine.unit.descriptors)},
                                {"memory", or_null(machine.unit.memory)}};
  }
  return told;
}

std::vector<Finding> capacity_findings(const Capacity& capacity, const Machine& machine) {
  std::vector<Finding> findings;
  // The tightest says what the others would.
  const Limit memory{machine.memory, "this machine", "use one that has more"};
  const Limit cgroup{machine.cgroup_memory, "this cgroup", "raise the cgroup's memory limit"};
  const Limit unit{machine.unit.memory, "wskeepd.service", "raise its MemoryMax="};
  Limit least = memory;
  for (const Limit& limit : {cgroup, unit}) {
    if (limit.most && (!least.most || *limit.most < *least.most)) least = limit;
  }
  look_at_memory(capacity, least, findings);
  look_at_descriptors(
      capacity, {machine.descriptors_most, "this shell", "raise its limit (ulimit -Hn)"}, findings);
  look_at_descriptors(capacity,
                      {machine.unit.descriptors, "wskeepd.service",
                       "raise its LimitNOFILE= (systemctl edit wskeepd)"},
                      findings);
  look_at_descriptors(
      capacity, {machine.system_descriptors, "all of the system", "raise it: sysctl fs.file-max"},
      findings);
  return findings;
}

}  // namespace wskeep::cli
