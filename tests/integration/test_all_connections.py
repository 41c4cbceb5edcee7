"""All connections in one stream."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from typing import Any

import pytest

from support.byte_stream import DEADLINE
from support.daemon import Daemon, run_program
from support.frames import Opcode, close, frame, text
from support.local import Refused, Subscriber, request
from support.scripted_server import Peer, ScriptedServer
from support.session import StartDaemon, StartServer
from support.streams import Events, Lines
from support.waiting import wait_for

ALL = "/v1/connections/*/messages"


class World:
    """A daemon with some connections over several shards."""

    def __init__(self, start_daemon: StartDaemon, start_server: StartServer, names: list[str], **settings: Any) -> None:
        self.servers: dict[str, ScriptedServer] = {name: start_server(None) for name in names}
        own = settings.pop("connection", {})
        self.daemon: Daemon = start_daemon({name: {"url": server.url} | own for name, server in self.servers.items()},
                                           **({"threads": 3} | settings))
        self.peers: dict[str, Peer] = {name: server.accept_and_upgrade() for name, server in self.servers.items()}
        for name in names:
            self.daemon.wait_state(name, "ready")

    def wait_received(self, name: str, count: int) -> None:
        wait_for(lambda: self.daemon.connection(name)["messages_in"] >= count)


class AllSubscriber(Subscriber):
    """Speaks wskeep.v1; items are events, or (name, sequence, payload)."""

    def __init__(self, daemon: Daemon, query: str = "", receive_buffer: int | None = None) -> None:
        super().__init__(daemon.socket, "*", query, "wskeep.v1", receive_buffer)
        assert self.protocol == "wskeep.v1"

    def read_item(self, timeout: float = DEADLINE) -> Any:
        found = self.read_message(timeout)
        if found.opcode == Opcode.TEXT and found.payload.startswith(b"{"):
            return json.loads(found.payload)
        line, _, payload = found.payload.partition(b"\n")
        name, sequence, _ = line.decode().split(" ")
        return (name, int(sequence), payload)

    def read_hellos(self, *names: str) -> dict[str, Any]:
        hellos: dict[str, Any] = {}
        while set(hellos) != set(names):
            event = self.read_item()
            assert event["event"] == "hello", event
            hellos[event["connection"]] = event
        return hellos


@pytest.fixture
def world(start_daemon: StartDaemon, start_server: StartServer) -> World:
    return World(start_daemon, start_server, ["a", "b", "c"])


def test_messages_of_all_with_their_names(world: World) -> None:
    app = AllSubscriber(world.daemon)
    hellos = app.read_hellos("a", "b", "c")
    assert all(hello["state"] == "ready" and hello["next"] == 1 for hello in hellos.values())
    for name, peer in world.peers.items():
        peer.send(b"".join(text(f"{name}{number}") for number in range(100)))
    found = defaultdict(list)
    for _ in range(300):
        name, sequence, payload = app.read_item()
        found[name].append((sequence, payload.decode()))
    assert found == {name: [(number + 1, f"{name}{number}") for number in range(100)] for name in "abc"}
    world.peers["b"].reset()
    gone = app.read_item()
    assert (gone["event"], gone["connection"]) == ("disconnected", "b")
    world.peers["b"] = world.servers["b"].accept_and_upgrade()
    back = app.read_item()
    assert (back["event"], back["connection"]) == ("connected", "b")
    world.peers["a"].send(frame(Opcode.BINARY, b"\x00"))
    assert app.read_item() == ("a", 101, b"\x00")


def test_ndjson_and_its_end(world: World) -> None:
    for name, peer in world.peers.items():
        peer.send(text(name) * 3)
        world.wait_received(name, 3)
    lines = Lines(world.daemon.socket, ALL + "?from=oldest")
    items = list(iter(lines.read, None))
    messages = [(each["connection"], each["seq"], each["data"]) for each in items if "seq" in each]
    assert sorted(messages) == [(name, number, name) for name in "abc" for number in (1, 2, 3)]
    assert sorted(each["connection"] for each in items if each.get("event") == "hello") == ["a", "b", "c"]


def _resume(hellos: dict[str, Any], seen: dict[str, int]) -> str:
    return ",".join(f"{name}={hellos[name]['epoch']}:{sequence}" for name, sequence in seen.items())


def test_cursors_of_all(world: World) -> None:
    app = AllSubscriber(world.daemon)
    hellos = app.read_hellos("a", "b", "c")
    for name, peer in world.peers.items():
        peer.send(b"".join(text(str(number)) for number in range(10)))
        world.wait_received(name, 10)
    seen = {"a": 0, "b": 0, "c": 0}
    for _ in range(13):
        name, sequence, _ = app.read_item()
        assert sequence == seen[name] + 1
        seen[name] = sequence
    app.close()
    again = AllSubscriber(world.daemon, "after=" + _resume(hellos, seen))
    rest = 0
    while rest < 30 - 13:
        item = again.read_item()
        if isinstance(item, dict):
            assert item["event"] == "hello" and item["next"] == seen[item["connection"]] + 1
            continue
        name, sequence, _ = item
        assert sequence == seen[name] + 1
        seen[name] = sequence
        rest += 1
    # Of one that the cursors do not name, nothing has been seen.
    some = Lines(world.daemon.socket, f"{ALL}?after={_resume(hellos, {'a': 10, 'b': 10})}")
    assert [each["connection"] for each in iter(some.read, None) if "seq" in each] == ["c"] * 10


def test_what_cannot_be(world: World) -> None:
    v1 = "wskeep.v1"
    for query, protocol, word in [
        ("", None, v1), ("after=x", v1, "NAME=EPOCH:SEQUENCE"), ("limit=3", v1, "one connection"),
        ("after=0123456789abcdef:1", v1, "NAME=EPOCH:SEQUENCE"), ("from=middle", v1, "oldest"),
    ]:
        with pytest.raises(Refused) as refused:
            Subscriber(world.daemon.socket, "*", query, protocol)
        assert refused.value.status == 400 and word.encode() in refused.value.body


def test_a_cursor_ahead_and_other_methods(world: World) -> None:
    epoch = world.daemon.connection("b")["ring"]["epoch"]
    ahead = request(world.daemon.socket, "GET", f"{ALL}?after=b={epoch}:7")
    assert ahead.status == 400 and "cursor of b" in ahead.json["message"]
    assert request(world.daemon.socket, "POST", ALL, b"x").status == 405
    app = AllSubscriber(world.daemon)
    app.send_text("1\nhello")
    while (found := app.read_frame()).opcode != Opcode.CLOSE:
        pass
    assert found.close_code == 1008


def test_server_sent_events_resume(world: World) -> None:
    app = Events(world.daemon.socket, ALL)
    for _ in range(3):
        assert app.read().name == "hello"
    for name, peer in world.peers.items():
        peer.send(b"".join(text(f"{name}{number}") for number in range(20)))
        world.wait_received(name, 20)
    account = [app.read_message().json for _ in range(35)]
    # It is told with the next batch, or at the end of what there is; the cut may be anywhere.
    cut_at = app.last_id
    app.close()
    assert cut_at.count("=") == 3
    again = Events(world.daemon.socket, ALL, cut_at)
    seen = {(each["connection"], each["seq"]) for each in account}
    wanted = {(name, number) for name in "abc" for number in range(1, 21)}
    while seen != wanted:
        event = again.read_message("message")
        seen.add((event.json["connection"], event.json["seq"]))
    # When it is at rest, the place is exact.
    for line in again.lines():
        if line.startswith("id: ") and line.count(":20") == 3:
            break


def test_reload_adds_and_removes(world: World, start_server: StartServer) -> None:
    app = AllSubscriber(world.daemon)
    app.read_hellos("a", "b", "c")
    added = start_server(None)
    settings = json.loads(world.daemon.file.read_text())
    del settings["connections"]["b"]
    settings["connections"]["d"] = {"url": added.url}
    settings["connections"]["c"]["history"] = "2MiB"
    world.daemon.file.write_text(json.dumps(settings))
    assert run_program("wskeep", ["--socket", world.daemon.socket, "reload"]).returncode == 0
    peer = added.accept_and_upgrade()
    peer.send(text("new here"))
    renewed = world.servers["c"].accept_and_upgrade()
    renewed.send(text("larger ring"))
    told: list[Any] = []
    while ("d", 1, b"new here") not in told or ("c", 1, b"larger ring") not in told:
        told.append(app.read_item())
    events = [(each["event"], each["connection"]) for each in told if isinstance(each, dict)]
    assert ("removed", "b") in events and ("hello", "d") in events and ("hello", "c") in events
    assert ("removed", "c") not in events and ("hello", "a") not in events
    world.peers["a"].send(text("still here"))
    while app.read_item() != ("a", 1, b"still here"):
        pass


def test_filters(world: World) -> None:
    app = AllSubscriber(world.daemon, "contains=7")
    app.read_hellos("a", "b", "c")
    for peer in world.peers.values():
        peer.send(b"".join(text(str(number)) for number in range(1, 31)))
    found = sorted(app.read_item()[:2] for _ in range(9))
    assert found == [(name, number) for name in "abc" for number in (7, 17, 27)]


def test_a_slow_reader_is_told_the_gaps_of_each(start_daemon: StartDaemon, start_server: StartServer) -> None:
    names = ["a", "b", "c", "d"]
    world = World(start_daemon, start_server, names, connection={"history": "64KiB", "max_message": "4KiB", "patience": "1ms"},
                  ipc={"limits": {"subscriber_buffer": "16KiB"}})
    app = AllSubscriber(world.daemon, receive_buffer=4096)
    app.read_hellos(*names)
    count = 3000

    def send(name: str) -> None:
        for first in range(0, count, 100):
            world.peers[name].send(b"".join(text(f"{number} ".ljust(500, "x")) for number in range(first, first + 100)))

    threads = [threading.Thread(target=send, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        world.wait_received(name, count)
        world.peers[name].send(text("end"))
    account = {name: 0 for name in names}
    lost = 0
    ended: set[str] = set()
    while ended != set(names):
        item = app.read_item()
        if isinstance(item, dict):
            assert item["event"] == "gap" and item["from"] == account[item["connection"]] + 1
            account[item["connection"]] = item["to"]
            lost += item["to"] - item["from"] + 1
            continue
        name, sequence, payload = item
        assert sequence == account[name] + 1
        account[name] = sequence
        if payload == b"end":
            ended.add(name)
        else:
            assert int(payload.split()[0]) == sequence - 1
    assert lost > 0 and set(account.values()) == {count + 1}
    memory = world.daemon.memory()
    assert memory < 200 << 20


def test_gap_close_ends_all(start_daemon: StartDaemon, start_server: StartServer) -> None:
    world = World(start_daemon, start_server, ["a", "b"], ipc={"limits": {"subscriber_buffer": "16KiB"}},
                  connection={"history": "64KiB", "max_message": "4KiB", "patience": "1ms"})
    app = AllSubscriber(world.daemon, "gap=close", receive_buffer=4096)
    app.read_hellos("a", "b")
    for _ in range(40):
        world.peers["a"].send(text("x" * 500) * 100)
    world.wait_received("a", 4000)
    last: Any = None
    while (found := app.read_frame()).opcode != Opcode.CLOSE:
        last = found
    assert found.close_code == 1013 and "lost" in found.close_reason
    assert json.loads(last.payload)["event"] == "gap"


def test_only_what_one_may_read(start_daemon: StartDaemon, start_server: StartServer) -> None:
    others = {right: ["uid:12345"] for right in ("subscribe", "publish", "control")}
    servers = {name: start_server(None) for name in ("open", "hidden")}
    daemon = start_daemon({"open": {"url": servers["open"].url}, "hidden": {"url": servers["hidden"].url, "access": others}},
                          threads=2)
    peers = {name: server.accept_and_upgrade() for name, server in servers.items()}
    daemon.wait_state("open", "ready")
    app = AllSubscriber(daemon)
    app.read_hellos("open")
    happenings = Lines(daemon.socket, "/v1/events?from=oldest&follow=true")
    for peer in peers.values():
        peer.send(text("x"))
    assert app.read_item() == ("open", 1, b"x")
    # What is taken away is gone at once.
    settings = json.loads(daemon.file.read_text())
    settings["connections"]["open"]["access"] = others
    del settings["connections"]["hidden"]["access"]
    daemon.file.write_text(json.dumps(settings))
    assert run_program("wskeep", ["--socket", daemon.socket, "reload"]).returncode == 0
    told = [app.read_item(), app.read_item()]
    assert {(each["event"], each["connection"]) for each in told} == {("removed", "open"), ("hello", "hidden")}
    # Everything of what one had no right to before is news.
    assert app.read_item() == ("hidden", 1, b"x")
    peers["open"].send(text("unseen"))
    peers["hidden"].send(text("seen"))
    assert app.read_item() == ("hidden", 2, b"seen")
    while (event := happenings.read())["event"] != "reloaded":
        assert event.get("connection") != "hidden" or event["event"] == "changed", event


def test_the_end_of_the_daemon(world: World) -> None:
    app = AllSubscriber(world.daemon)
    app.read_hellos("a", "b", "c")
    lines = Lines(world.daemon.socket, ALL + "?follow=true")
    for _ in range(3):
        lines.read()
    world.daemon.terminate()
    assert app.read_close().close_code == 1001
    assert lines.read_event("closed")["code"] == 1001
    assert lines.read() is None


def test_at_the_end_of_the_daemon_all_that_was_received_is_given(start_daemon: StartDaemon, start_server: StartServer) -> None:
    world = World(start_daemon, start_server, ["a", "b"], shutdown="20s", connection={"history": "4MiB"})
    app = AllSubscriber(world.daemon, receive_buffer=4096)
    app.read_hellos("a", "b")
    count = 1_000
    for name, peer in world.peers.items():
        peer.send(b"".join(text(f"{name} {number} {'x' * 1_000}") for number in range(count)))
        world.wait_received(name, count)
    world.daemon.terminate()
    for peer in world.peers.values():
        peer.read_close()
        peer.send(text("the last") + close(1001))
        peer.close()
    received: dict[str, list[bytes]] = {"a": [], "b": []}
    while (found := app.read_frame()).opcode != Opcode.CLOSE:
        if not found.payload.startswith(b"{"):
            line, _, payload = found.payload.partition(b"\n")
            received[line.decode().split()[0]].append(payload)
    assert (found.close_code, found.close_reason) == (1001, "wskeepd is stopping")
    for name, payloads in received.items():
        assert payloads == [*(f"{name} {number} {'x' * 1_000}".encode() for number in range(count)), b"the last"]
    app.close()
    assert world.daemon.wait() == 0


def test_apps_that_go_leave_nothing_behind(world: World) -> None:
    for _ in range(20):
        apps = [AllSubscriber(world.daemon) for _ in range(3)]
        world.peers["a"].send(text("x"))
        for app in apps:
            app.close()

    def readers() -> float:
        return sum(each.value for each in world.daemon.metrics()["wskeep_readers"].samples)

    wait_for(lambda: readers() == 0)
    wait_for(lambda: world.daemon.metrics()["wskeep_all_readers"].samples[0].value == 0)


def test_the_command(world: World) -> None:
    for name, peer in world.peers.items():
        peer.send(text(f'{{"from":"{name}"}}'))
        world.wait_received(name, 1)
    socket = ["--socket", world.daemon.socket]
    shown = run_program("wskeep", [*socket, "tail", "*", "--from", "oldest", "--limit", "3"])
    assert sorted(shown.stdout.splitlines()) == [f'{name} {{"from":"{name}"}}' for name in "abc"], shown
    one = run_program("wskeep", [*socket, "tail", "--all", "--from", "oldest", "--limit", "1", "--json", "--where", "/from:b"])
    assert json.loads(one.stdout)["connection"] == "b"
    filtered = run_program("wskeep", [*socket, "tail", "a", "--from", "oldest", "--limit", "1", "--contains", "from"])
    assert filtered.stdout == '{"from":"a"}\n'
    nobody = run_program("wskeep", [*socket, "tail"])
    assert nobody.returncode == 2 and "--all" in nobody.stderr
