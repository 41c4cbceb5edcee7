"""What happens to all connections, in one stream."""

from __future__ import annotations

import json

from support.daemon import Daemon, run_program
from support.frames import Opcode
from support.local import Subscriber, request
from support.session import Session, StartDaemon, StartServer
from support.streams import Events, Lines
from support.waiting import wait_for

EVENTS = "/v1/events"


def _lines(daemon: Daemon, query: str = "follow=true") -> Lines:
    return Lines(daemon.socket, f"{EVENTS}?{query}")


def test_a_life_in_states(session: Session) -> None:
    stream = _lines(session.daemon)
    hello = stream.read()
    assert hello["event"] == "hello" and "connection" not in hello
    session.peer.reset()
    gone = stream.read_event("disconnected")
    assert gone["connection"] == "feed" and gone["closed_by"] == "network" and gone["seq"] > hello["last"]
    session.next_peer()
    back = stream.read_event("connected")
    assert back["connection"] == "feed" and back["remote_address"] == f"127.0.0.1:{session.server.port}"
    history = Lines(session.daemon.socket, f"{EVENTS}?from=oldest")
    told = [event for event in iter(history.read, None) if event["event"] == "state"]
    assert all(each["connection"] == "feed" for each in told)
    assert [each["previous"] for each in told[1:]][-1] != ""
    states = [each["state"] for each in told]
    assert states[-1] == "ready" and "backing_off" in states
    backing_off = next(each for each in told if each["state"] == "backing_off")
    assert backing_off["error"] and backing_off["message"] and backing_off["time"].endswith("Z")
    numbers = [each["seq"] for each in told]
    assert numbers == sorted(set(numbers))


def test_pause_and_resume(session: Session) -> None:
    stream = _lines(session.daemon)
    session.daemon.control("feed", "pause")
    while stream.read_event("state")["state"] != "paused":
        pass
    session.daemon.control("feed", "resume")
    session.next_peer()
    while stream.read_event("state")["state"] != "ready":
        pass


def test_many_connections_over_shards(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server(None)
    names = [f"c{number}" for number in range(6)]
    daemon = start_daemon({name: server.url for name in names}, threads=3)
    stream = _lines(daemon, "from=oldest&follow=true")
    peers = [server.accept_and_upgrade() for _ in names]
    ready: set[str] = set()
    while ready != set(names):
        event = stream.read_event("state")
        if event["state"] == "ready":
            ready.add(event["connection"])
    assert len(peers) == len(names)


def test_the_same_by_sse_and_websocket(session: Session) -> None:
    sse = Events(session.daemon.socket, EVENTS)
    assert sse.read().name == "hello"
    plain = Subscriber(session.daemon.socket, "", resource=EVENTS)
    v1 = Subscriber(session.daemon.socket, "", protocol="wskeep.v1", resource=EVENTS)
    assert json.loads(v1.read_message().payload)["event"] == "hello"
    session.peer.reset()
    event = sse.read_message("disconnected")
    assert event.json["event"] == "disconnected"
    cursor = event.last_id
    found = plain.read_message()
    while json.loads(found.payload)["event"] != "disconnected":
        found = plain.read_message()
    assert json.loads(found.payload) == event.json and found.opcode == Opcode.TEXT
    line, _, payload = v1.read_message().payload.partition(b"\n")
    while json.loads(payload)["event"] != "disconnected":
        line, _, payload = v1.read_message().payload.partition(b"\n")
    assert json.loads(payload) == event.json and int(line.split()[0]) == event.json["seq"]
    session.next_peer()
    again = Events(session.daemon.socket, EVENTS, cursor)
    assert again.read().name == "hello"
    assert again.read().last_id.split(":")[1] == str(event.json["seq"] + 1)
    # Nothing can be published to it.
    plain.send_text("hello")
    while (closed := plain.read_frame()).opcode != Opcode.CLOSE:
        pass
    assert b"only be read" in closed.payload
    assert request(session.daemon.socket, "POST", EVENTS, b"x").status == 405


def test_filters(session: Session) -> None:
    stream = _lines(session.daemon, "follow=true&json=/event:state&json=/state:%5B%22ready%22,%22paused%22%5D")
    stream.read()
    session.daemon.control("feed", "pause")
    session.daemon.wait_state("feed", "paused")
    session.daemon.control("feed", "resume")
    session.next_peer()
    assert [stream.read()["state"] for _ in range(2)] == ["paused", "ready"]


def _write(daemon: Daemon, connections: dict[str, str]) -> None:
    settings = json.loads(daemon.file.read_text())
    settings["connections"] = {name: {"url": url} for name, url in connections.items()}
    daemon.file.write_text(json.dumps(settings))


def test_a_reload(session: Session) -> None:
    stream = _lines(session.daemon)
    stream.read()
    url = session.server.url
    _write(session.daemon, {"feed": url, "other": url})
    assert run_program("wskeep", ["--socket", session.daemon.socket, "reload"]).returncode == 0
    assert stream.read_event("added")["connection"] == "other"
    reloaded = stream.read_event("reloaded")
    assert (reloaded["added"], reloaded["removed"], reloaded["changed"], reloaded["unchanged"]) == (1, 0, 0, 1)
    session.server.accept_and_upgrade()
    _write(session.daemon, {"feed": url})
    run_program("wskeep", ["--socket", session.daemon.socket, "reload"])
    assert stream.read_event("removed")["connection"] == "other"
    session.daemon.file.write_text("connections: [")
    run_program("wskeep", ["--socket", session.daemon.socket, "reload"])
    assert stream.read_event("reload_failed")["problems"] >= 1


def test_a_slow_reader_is_told_what_it_lost(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": server.url}, ipc={"limits": {"events": "64KiB"}})
    stream = _lines(daemon, "from=oldest&follow=true")
    first = stream.read()["epoch"]
    stream.close()
    # The ring keeps a few hundred events, and each round is some.
    for _ in range(1000):
        daemon.control("feed", "pause")
        daemon.control("feed", "resume")
        if Lines(daemon.socket, f"{EVENTS}?from=oldest").read()["first"] > 1:
            break
    again = _lines(daemon, f"after={first}:0")
    again.read()
    gap = again.read()
    assert gap["event"] == "gap" and gap["from"] == 1
    assert again.read()["seq"] == gap["to"] + 1 > 2


def test_the_daemon_s_end_is_told(session: Session) -> None:
    stream = _lines(session.daemon)
    session.daemon.terminate()
    assert stream.read_event("stopping")
    assert stream.read_event("closed")["code"] == 1001
    assert stream.read() is None


def test_the_command(session: Session) -> None:
    wait_for(lambda: session.daemon.connection("feed")["state"] == "ready")
    shown = run_program("wskeep", ["--socket", session.daemon.socket, "events", "--from", "oldest", "--limit", "2"])
    assert shown.returncode == 0 and len(shown.stdout.splitlines()) == 2 and "feed" in shown.stdout, shown
    as_json = run_program("wskeep", ["--socket", session.daemon.socket, "events", "--from", "oldest", "--json", "--limit", "1",
                                     "--where", "/state:ready"])
    assert json.loads(as_json.stdout)["state"] == "ready"
