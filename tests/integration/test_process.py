"""The process: its command line, its start, its end, its shards."""

from __future__ import annotations

import concurrent.futures
import functools
import json
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support import frames
from support.byte_stream import Ended
from support.daemon import run_program, write_configuration
from support.frames import Opcode, text
from support.local import connect
from support.session import Session, StartDaemon, StartServer, StartSession
from support.waiting import wait_for

GOOD = """
ipc: {socket: /tmp/unused.sock, mode: "0600"}
metrics: {listen: 127.0.0.1:0}
log: {level: warning, format: json}
threads: 2
shutdown: 3s
defaults:
  timeouts: {connect: 60s, address: 10s, resolve: 5s, send: 30s, receive: 30s, message: 30s, close: 5s}
  fallback: {delay: 250ms, addresses: 5, family: any}
  reconnect: {initial: 500ms, max: 30s, stable_after: 10s}
  keepalive: {ping: 10s}
  history: 2MiB
  max_message: 512KiB
  send_buffer: 1MiB
  patience: 50ms
  gap: skip
connections:
  trades:
    url: wss://stream.example.com/ws
    headers: {Authorization: "Bearer ${env:TOKEN}"}
    tls: {min_version: "1.3"}
    subprotocols: [one, two]
    compression: true
  books:
    url: wss://stream.example.com/books
"""

BAD = """
threads: 0
defaults:
  timeout: {connect: 60s}
connections:
  trades:
    url: https://stream.example.com/ws
    keepalive: {ping: 10 parsecs}
"""


def test_version() -> None:
    for program in ("wskeepd", "wskeep"):
        done = run_program(program, ["--version"])
        assert done.returncode == 0 and re.search(r"\b\d+\.\d+\.\d+\b", done.stdout), done


def test_check(folder: Path) -> None:
    good = folder / "good.yaml"
    good.write_text(GOOD.replace("127.0.0.1:0", "127.0.0.1:9464"))
    done = run_program("wskeepd", ["--check", good], environment={"TOKEN": "secret"})
    assert done.returncode == 0, done
    done = run_program("wskeepd", ["--check", good])
    assert done.returncode != 0 and "TOKEN" in done.stderr, "a variable that is not set is told before the start"
    bad = folder / "bad.yaml"
    bad.write_text(BAD)
    done = run_program("wskeepd", ["--check", bad])
    assert done.returncode != 0
    said = done.stdout + done.stderr
    for place, key in ((2, "threads"), (4, "timeout"), (7, "url"), (8, "ping")):
        assert re.search(rf"{re.escape(str(bad))}:{place}:\d+: .*{key}", said), said
    assert "timeouts" in said, "did you mean"


@pytest.mark.parametrize("content", [None, "", "connections: {a: {url: 5", BAD], ids=["missing", "empty", "not YAML", "bad"])
def test_a_bad_configuration_stops_the_start(content: str | None, folder: Path) -> None:
    file = folder / "wskeep.yaml"
    if content is not None:
        file.write_text(content)
    done = run_program("wskeepd", ["--config", file])
    assert done.returncode not in (0, 99) and done.returncode > 0, done
    assert str(file) in done.stdout + done.stderr
    assert not (folder / "wskeep.sock").exists()


def test_unknown_arguments() -> None:
    assert run_program("wskeepd", ["--nonsense"]).returncode > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals, session: Session) -> None:
    app, v1 = session.daemon.subscribe("feed"), session.daemon.subscribe_v1("feed")
    session.peer.send(text("last words"))
    assert app.read_message().payload == b"last words"
    app.send_text("mine too")
    assert session.peer.read_until(Opcode.TEXT).payload == b"mine too"
    started = time.monotonic()
    session.daemon.process.send_signal(number)
    closing = session.peer.read_close()
    assert (closing.close_code, closing.masked) == (1001, True)
    session.peer.send(frames.close(1001))
    assert session.peer.wait_for_end() == b""
    assert app.read_close().close_code == 1001
    assert v1.read_close().close_code == 1001
    assert session.daemon.wait() == 0
    assert time.monotonic() - started < 8
    assert not session.daemon.socket.exists(), "the socket file is gone"


def test_a_second_signal_ends_it_at_once(start_daemon: StartDaemon, start_server: StartServer) -> None:
    """While sessions wait for the other side's Close frame, a handshake hangs and apps are connected."""
    silent, hanging = start_server(), start_server()
    daemon = start_daemon({"feed": {"url": silent.url}, "hanging": hanging.url}, shutdown="30s")
    peer = silent.accept_and_upgrade()
    hanging.accept_tcp()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe("feed")
    started = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGINT)
    daemon.expected_exit = 128 + signal.SIGINT if daemon.wait() == 128 + signal.SIGINT else 128 + signal.SIGTERM
    assert time.monotonic() - started < 5, "nobody was waited for"
    assert app.wait_for_end() is not None and peer.wait_for_end() is not None


def test_peers_that_do_not_answer_do_not_hold_the_end_up(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "timeouts": {"close": "300ms"}}}, shutdown="1s")
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    idle = daemon.subscribe("feed")
    half = connect(daemon.socket)
    half.sendall(b"GET /hea")
    started = time.monotonic()
    daemon.terminate()
    assert daemon.wait() == 0
    assert time.monotonic() - started < 6
    assert peer.read_close().close_code == 1001
    idle.close()
    half.close()


def test_what_is_queued_is_sent_before_the_end(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    for number in range(500):
        app.publish(str(number), f"payload {number}")
    assert app.read_event()["id"] == "0"
    for number in range(1, 500):
        assert app.read_event() == {"event": "sent", "id": str(number)}
    session.daemon.terminate()
    for number in range(500):
        assert session.peer.read_until(Opcode.TEXT).payload == f"payload {number}".encode()
    assert session.peer.read_close().close_code == 1001


def test_no_new_clients_during_the_end(session: Session) -> None:
    session.daemon.terminate()
    session.peer.read_close()
    with pytest.raises((OSError, Ended)):
        session.daemon.subscribe("feed")


def test_a_second_daemon_on_the_same_socket_refuses(session: Session, folder: Path) -> None:
    file = write_configuration(folder / "second.yaml", {"ipc": {"socket": str(session.daemon.socket)}, "connections": {
        "other": {"url": "wss://localhost:1/"}}})
    done = run_program("wskeepd", ["--config", file])
    assert done.returncode > 0 and done.returncode != 99
    assert str(session.daemon.socket) in done.stdout + done.stderr
    assert session.daemon.get("/healthz").status == 200, "the first is still the one that answers"


def test_a_stale_socket_file_is_taken_over(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    path = folder / "stale.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.is_socket()
    daemon = start_daemon({"feed": start_server()}, ipc={"socket": str(path)})
    assert daemon.get("/healthz").status == 200


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_no_socket_is_not_taken_over(kind: str, folder: Path) -> None:
    path = folder / "precious"
    if kind == "file":
        path.write_text("data")
    else:
        path.mkdir()
    file = write_configuration(folder / "wskeep.yaml", {"ipc": {"socket": str(path)}, "connections": {
        "other": {"url": "wss://localhost:1/"}}})
    assert run_program("wskeepd", ["--config", file]).returncode > 0
    assert path.is_dir() if kind == "directory" else path.read_text() == "data"


def test_the_mode_of_the_socket_file(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    daemon = start_daemon({"feed": start_server()}, ipc={"socket": str(folder / "s.sock"), "mode": "0600"})
    assert daemon.socket.stat().st_mode & 0o777 == 0o600


def test_a_kill_and_a_start_have_another_epoch(start_daemon: StartDaemon, start_server: StartServer, folder: Path,
                                               session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    session.daemon.process.kill()
    session.daemon.process.wait()
    session.daemon.process.returncode = 0  # this end was ours
    assert app.wait_for_end() == b""
    server = start_server()
    again = start_daemon({"feed": server}, ipc={"socket": str(session.daemon.socket)})
    server.accept_and_upgrade()
    again.wait_state("feed", "ready")
    assert again.subscribe_v1("feed").hello["epoch"] != app.hello["epoch"]


def test_json_log(start_session: StartSession) -> None:
    session = start_session(daemon={"log": {"format": "json", "level": "debug"}})
    session.peer.reset()
    session.next_peer()
    lines = [json.loads(line) for line in session.daemon.log.splitlines()]
    assert lines and all(isinstance(line, dict) for line in lines)
    assert any("connection_reset" in json.dumps(line) and "feed" in json.dumps(line) for line in lines)


def test_several_shards(start_daemon: StartDaemon, start_server: StartServer) -> None:
    names = [f"feed{number}" for number in range(8)]
    servers = {name: start_server() for name in names}
    daemon = start_daemon(servers, threads=4)
    peers = {name: servers[name].accept_and_upgrade() for name in names}
    for name in names:
        daemon.wait_state(name, "ready")
    apps = {name: [daemon.subscribe_v1(name) for _ in range(3)] for name in names}
    count = 300

    def converse(name: str) -> None:
        peers[name].send(b"".join(text(f"{name} {number}") for number in range(count)))
        for app in apps[name]:
            for number in range(count):
                message = app.next_message()
                assert (message.sequence, message.payload) == (number + 1, f"{name} {number}".encode())
            app.publish("id", name)
            assert app.read_event() == {"event": "sent", "id": "id"}
        for _ in apps[name]:
            assert peers[name].read_until(Opcode.TEXT).payload == name.encode()

    _at_once([functools.partial(converse, name) for name in names])
    assert len(daemon.get("/v1/connections").json["connections"]) == 8
    daemon.metrics()
    # One of them in trouble: its neighbours keep their sessions.
    peers["feed3"].reset()
    servers["feed3"].accept_and_upgrade()
    daemon.wait_state("feed3", "ready")
    wait_for(lambda: {name: daemon.connection(name)["sessions"] for name in names}
             == {name: 2 if name == "feed3" else 1 for name in names})


def test_clients_come_and_go_while_others_look(start_daemon: StartDaemon, start_server: StartServer) -> None:
    """Sockets move between shards, and the state of all is read from one: what ThreadSanitizer is for."""
    names = [f"feed{number}" for number in range(4)]
    servers = {name: start_server() for name in names}
    daemon = start_daemon(servers, threads=4)
    peers = {name: servers[name].accept_and_upgrade() for name in names}
    for name in names:
        daemon.wait_state(name, "ready")

    def come_and_go(name: str) -> None:
        for number in range(40):
            app = daemon.subscribe_v1(name, "from=oldest")
            peers[name].send(text(str(number)))
            while app.next_message().payload != str(number).encode():
                pass
            app.close()

    def look() -> None:
        for _ in range(40):
            assert daemon.get("/v1/connections").status == 200
            assert daemon.get("/readyz").status == 200
            for name in names:
                daemon.connection(name)
            daemon.metrics()

    _at_once([*[functools.partial(come_and_go, name) for name in names], look, look])


def _at_once(jobs: list[Callable[[], None]]) -> None:
    """Each in a thread of its own; raises the first fault."""
    with concurrent.futures.ThreadPoolExecutor(len(jobs)) as threads:
        for job in [threads.submit(job) for job in jobs]:
            job.result()


def test_an_unused_daemon_does_nothing(session: Session) -> None:
    before = session.daemon.processor_seconds()
    with pytest.raises(TimeoutError):
        session.peer.read_exactly(1, timeout=1)
    assert session.daemon.processor_seconds() - before < 0.2
