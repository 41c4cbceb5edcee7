"""One run of one workload through one relay."""

import contextlib
import dataclasses
import hashlib
import os
import socket
import time

from .processes import LOAD_CORE, RELAY_CORE, Failure, Process
from .relays import Place

PATH = "/v1/connections/bench/messages"
# A run that takes longer is stopped, and counts as one that lost messages.
RUN_SECONDS = 40
SETTLE_SECONDS = 0.3


def _program(build, name):
    return os.path.join(build, "bench", f"bench_{name}")


def _wait_for_socket(relay, path, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        relay.require_alive()
        with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
            probe.connect(path)
            return
        time.sleep(0.01)
    raise relay.failure(f"does not listen after {seconds} s")


class Setting:
    """A source, a relay and a sink, connected to one another."""

    def __init__(self, stack, kind, build, folder, subscribers, connections):
        source = [_program(build, "source"), "server.pem", "server.key"]
        source[1:] = [os.path.join(folder, name) for name in source[1:]]
        self.source = stack.enter_context(Process("source", source, LOAD_CORE, folder))
        port = self.source.wait_for(lambda e: e["event"] == "listening", "listened", 5)["port"]
        place = Place(folder, build, port)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.socket)
        self.relay = stack.enter_context(
            Process(kind.name, kind.command(place, connections), RELAY_CORE, folder, kind.environment)
        )
        _wait_for_socket(self.relay, place.socket)
        if kind.upstream_each:
            subscribers = max(subscribers, connections)
        upstreams = subscribers if kind.upstream_each else connections
        if not kind.upstream_each:
            self._wait_for_upstreams(upstreams)
        sink = [_program(build, "sink"), place.socket, PATH, str(subscribers)]
        sink += [kind.subprotocol] if kind.subprotocol else []
        self.sink = stack.enter_context(Process("sink", sink, LOAD_CORE, folder))
        self.sink.wait_for(lambda e: e["event"] == "connected", "connected", 60)
        if kind.upstream_each:
            self._wait_for_upstreams(upstreams)
        time.sleep(SETTLE_SECONDS)
        self.relay.require_alive()

    def _wait_for_upstreams(self, count):
        self.source.wait_for(
            lambda e: e["event"] == "open" and e["open"] >= count, f"{count} connections", 60
        )

    def send(self, workload, count):
        """Sends `count` messages through the relay; what the sink says of them."""
        kind = workload.kind if workload.kind in ("paced", "json") else "flood"
        self.sink.command(f"expect {count}")
        self.sink.wait_for(lambda e: e["event"] == "expecting", "begun to count", 5)
        self.source.command(f"{kind} {count} {workload.size} {workload.rate}")
        try:
            return self.sink.wait_for(lambda e: e["event"] == "done", "all messages", RUN_SECONDS)
        except Failure:
            for process in (self.relay, self.source, self.sink):
                process.require_alive()
            self.sink.command("stop")
            return self.sink.wait_for(lambda e: e["event"] == "done", "stopped", 5)


def run_messages(kind, workload, build, folder, quick):
    """A flood or a paced run: the figures of the relay, and whether they are worth anything."""
    count = workload.count(kind.pace, quick)
    with contextlib.ExitStack() as stack:
        setting = Setting(stack, kind, build, folder, workload.subscribers, 1)
        # The first messages pay for page faults, socket buffers that grow, and compiling at run time.
        warmed = setting.send(workload, max(count // 10, 1000))
        load = [setting.source, setting.sink]
        cpu_begin = setting.relay.cpu_ns()
        load_begin = sum(process.cpu_ns() for process in load)
        begin = time.monotonic_ns()
        seen = setting.send(workload, count)
        setting.relay.require_alive()
        elapsed = time.monotonic_ns() - begin
        cpu = setting.relay.cpu_ns() - cpu_begin
        load_cpu = sum(process.cpu_ns() for process in load) - load_begin
        memory = setting.relay.memory()
    lost = warmed["lost"] + seen["lost"]
    return {
        "messages": count,
        "lost": lost,
        "disordered": seen["disordered"],
        "closed": seen["closed"],
        "close_code": seen["close_code"],
        "valid": lost == 0 and seen["disordered"] == 0 and seen["closed"] == 0,
        "cpu_us": cpu / 1000 / count,
        "rate": seen["messages"] / workload.subscribers / max(seen["seconds"], 1e-9),
        "relay_busy": cpu / elapsed,
        "load_busy": load_cpu / elapsed,
        "p50_us": seen["p50_ns"] / 1000,
        "p99_us": seen["p99_ns"] / 1000,
        "rss_kib": memory["rss"],
        "pss_kib": memory["pss"],
    }


def run_idle(kind, workload, build, folder, quick):
    """What each further connection costs in memory: many against one."""
    many = workload.connections // 4 if quick else workload.connections
    taken = []
    for connections in (1, many):
        with contextlib.ExitStack() as stack:
            setting = Setting(stack, kind, build, folder, 1, connections)
            time.sleep(1)
            taken.append(setting.relay.memory())
    per_connection = {
        f"{name}_kib": (taken[1][name] - taken[0][name]) / (many - 1) for name in taken[0]
    }
    return {"connections": many, "valid": True, **per_connection, "total_rss_kib": taken[1]["rss"]}


def run_readers(kind, workload, build, folder, quick):
    """What each further subscriber costs in memory: many against one, when all have read some."""
    many = workload.subscribers // 4 if quick else workload.subscribers
    some = dataclasses.replace(workload, kind="flood", rate=1000)
    taken = []
    for subscribers in (1, many):
        with contextlib.ExitStack() as stack:
            setting = Setting(stack, kind, build, folder, subscribers, 1)
            setting.send(some, 2000)
            taken.append(setting.relay.memory())
    per_subscriber = {
        f"{name}_kib": (taken[1][name] - taken[0][name]) / (many - 1) for name in taken[0]
    }
    return {"subscribers": many, "valid": True, **per_subscriber, "total_rss_kib": taken[1]["rss"]}


def run(kind, workload, build, folder, quick):
    one = {"idle": run_idle, "readers": run_readers}.get(workload.kind, run_messages)
    return one(kind, workload, build, folder, quick)


def fixed_work():
    """Milliseconds for a piece of work that never changes, on the relay's core: were the machine
    quiet, it would always take the same."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {RELAY_CORE})
    data = bytes(1 << 20)
    begin = time.monotonic_ns()
    for _ in range(20):
        hashlib.sha256(data).digest()
    elapsed = time.monotonic_ns() - begin
    os.sched_setaffinity(0, before)
    return elapsed / 1e6


def stolen_ticks():
    """Time that the host gave to others, and all time, of all cores together."""
    with open("/proc/stat", encoding="ascii") as lines:
        fields = [int(field) for field in lines.readline().split()[1:9]]
    return fields[7], sum(fields)
