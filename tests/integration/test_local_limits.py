"""What local apps may take of the daemon, and that those who take too much are told so while others and the upstreams notice nothing."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE, ByteStream, Ended
from support.daemon import Daemon, write_configuration
from support.frames import Opcode
from support.handshake import parse_head
from support.local import Refused, Response, connect, request
from support.session import Session, StartDaemon, StartServer, StartSession
from support.users import ALICE, BOB, User, acting_as, needs_root, open_to_all
from support.waiting import wait_for

HEAD = b"HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def crowd() -> Iterator[list[socket.socket]]:
    sockets: list[socket.socket] = []
    yield sockets
    for sock in sockets:
        sock.close()


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 8_000:
        pytest.skip("needs 8000 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 8_000), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def _local(daemon: Daemon) -> dict[str, Any]:
    return daemon.get("/v1/status").json["local"]  # type: ignore[no-any-return]


def _value(daemon: Daemon, name: str, **labels: str) -> float:
    return next(sample.value for sample in daemon.metrics()[name].samples if sample.labels == labels)


def _reload(daemon: Daemon, **limits: Any) -> None:
    settings = json.loads(daemon.file.read_text())
    settings["ipc"].setdefault("limits", {}).update(limits)
    write_configuration(daemon.file, settings)
    answer = request(daemon.socket, "POST", "/v1/reload")
    assert answer.status == 200, answer


def _limit_descriptors(daemon: Daemon, limit: int) -> int:
    """For what is opened from now on; answers how many it could have before."""
    before, most = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (limit, most))
    return before


def _answer(sock: socket.socket) -> Response:
    """One that comes without a request, or for one that was sent."""
    stream = ByteStream(sock)
    first, headers = parse_head(stream.read_through(b"\r\n\r\n"))
    return Response(int(first.split()[1]), headers, stream.read_exactly(int(headers.get("content-length", 0))))


def _is_served(sock: socket.socket) -> bool:
    """False: it was turned away, with a reason where that could still be read."""
    with contextlib.suppress(BrokenPipeError, ConnectionError):
        sock.sendall(b"GET /healthz " + HEAD + b"\r\n")
    try:
        answer = _answer(sock)
    except Ended:
        return False
    assert answer.status in (200, 503), answer
    return answer.status == 200


def _serves(daemon: Daemon) -> bool:
    try:
        return daemon.get("/healthz").status == 200
    except (OSError, Ended):
        return False


@pytest.mark.usefixtures("many_descriptors")
def test_five_thousand_connects(session: Session, crowd: list[socket.socket]) -> None:
    daemon = session.daemon
    app = daemon.subscribe("feed")
    turned_away = 0
    for number in range(5_000):
        crowd.append(connect(daemon.socket))
        if number % 500 == 0:
            session.peer.send(frames.text(str(number)))
            assert app.read_message().payload == str(number).encode()
    for sock in crowd[::97]:
        turned_away += not _is_served(sock)
    assert turned_away > len(crowd[::97]) / 2
    # From within, for nobody else is let in.
    app.send_text("still here")
    assert session.peer.read_until(Opcode.TEXT).payload == b"still here"
    for sock in crowd:
        sock.close()
    wait_for(lambda: _serves(daemon), "room again")
    wait_for(lambda: _local(daemon)["clients"] == 2)
    assert _value(daemon, "wskeep_refused_total", limit="clients_per_user") >= 5_000 - 2_048
    assert daemon.connection("feed")["sessions"] == 1
    app.close()


@needs_root
def test_a_user_s_clients_leave_room_for_others(folder: Path, start_daemon: StartDaemon, start_server: StartServer,
                                                crowd: list[socket.socket]) -> None:
    open_to_all(folder)
    server = start_server()
    daemon = start_daemon({"feed": server}, ipc={"mode": "0666", "limits": {"clients_per_user": 5, "subscriptions_per_user": 2}})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    with acting_as(ALICE):
        crowd += [connect(daemon.socket) for _ in range(8)]
    assert [_is_served(sock) for sock in crowd] == [True] * 5 + [False] * 3
    assert {user["uid"]: user["clients"] for user in _local(daemon)["users"]} == {0: 1, ALICE: 5}
    bob = User(daemon.socket, BOB)
    readers = [bob.subscribe("feed") for _ in range(2)]
    with pytest.raises(Refused) as refused:
        bob.subscribe("feed")
    assert refused.value.status == 503 and b"too_many_subscriptions" in refused.value.body
    lines = bob.get("/v1/connections/feed/messages")
    assert lines.status == 503 and lines.json["error"] == "too_many_subscriptions"
    assert _value(daemon, "wskeep_user_subscriptions_most") == 2
    # What a reload says holds for what is asked for from then on.
    _reload(daemon, subscriptions_per_user=3)
    readers.append(bob.subscribe("feed"))
    _reload(daemon, clients_per_user=1)
    with acting_as(BOB):
        crowd.append(connect(daemon.socket))
    assert not _is_served(crowd[-1])
    for reader in readers:
        reader.close()
    wait_for(lambda: _local(daemon)["subscriptions"] == 0)


def test_descriptors_are_kept_for_upstreams(start_session: StartSession, crowd: list[socket.socket]) -> None:
    session = start_session(reconnect={"initial": "10ms", "max": "50ms"})
    daemon = session.daemon
    app = daemon.subscribe_v1("feed")
    _limit_descriptors(daemon, 160)
    crowd += [connect(daemon.socket) for _ in range(200)]
    served = [_is_served(sock) for sock in crowd]
    assert 10 < sum(served) <= 160 - 64 and not any(served[160:])
    # Upstream goes, and comes back while local apps have all that they may have.
    session.peer.reset()
    app.read_event("disconnected")
    peer = session.server.accept_and_upgrade()  # not asked for by HTTP: nobody is let in
    app.read_event("connected")
    peer.send(frames.text("back"))
    assert app.next_message().payload == b"back"
    for sock in crowd:
        sock.close()
    wait_for(lambda: _serves(daemon), "room again")
    local = _local(daemon)
    assert local["refused"]["descriptors"] >= 40 and local["limits"]["descriptors"] == 160
    assert _value(daemon, "wskeep_descriptors_reserved") == 66
    app.close()


def test_without_any_descriptor_it_waits_and_does_not_spin(session: Session, crowd: list[socket.socket]) -> None:
    daemon = session.daemon
    app = daemon.subscribe("feed")
    now = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    before_limit = _limit_descriptors(daemon, now)
    before, begun = daemon.processor_seconds(), time.monotonic()
    crowd += [connect(daemon.socket) for _ in range(50)]
    for number in range(10):
        session.peer.send(frames.text(str(number)))
        assert app.read_message().payload == str(number).encode()
        time.sleep(0.1)  # for a spinning loop to show
    assert daemon.processor_seconds() - before < 0.6 * (time.monotonic() - begun)
    _limit_descriptors(daemon, before_limit)
    assert all(_is_served(sock) for sock in crowd)
    app.close()


def _half_sent(path: Path, size: int, sent: int) -> socket.socket:
    sock = connect(path)
    sock.sendall(b"POST /v1/connections/feed/messages " + HEAD + f"Content-Length: {size}\r\n\r\n".encode())
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        sock.sendall(b"x" * sent)
    return sock


@needs_root
def test_a_user_s_unfinished_messages_leave_room_for_others(folder: Path, start_daemon: StartDaemon, start_server: StartServer,
                                                            crowd: list[socket.socket]) -> None:
    open_to_all(folder)
    server = start_server()
    daemon = start_daemon({"feed": server}, ipc={"mode": "0666", "limits": {"in_flight": "8MiB", "request": "60s"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    size = 1 << 20
    with acting_as(ALICE):
        crowd += [_half_sent(daemon.socket, size, size - 1) for _ in range(10)]
    # It has half; who asks for more is told so, and the rest waits on.
    wait_for(lambda: _local(daemon)["refused"]["in_flight"] >= 6)
    assert 3 << 20 <= _local(daemon)["in_flight_bytes"] <= 4 << 20
    assert _value(daemon, "wskeep_user_in_flight_most_bytes") <= 4 << 20
    bob = User(daemon.socket, BOB)
    assert bob.post("feed", b"b" * size).json == {"outcome": "written"}
    assert len(peer.read_until(Opcode.TEXT).payload) == size
    outcomes = []
    for sock in crowd:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            sock.sendall(b"x")
        with contextlib.suppress(Ended):
            outcomes.append(_answer(sock))
    statuses = [outcome.status for outcome in outcomes]
    assert statuses.count(200) in (3, 4) and statuses.count(503) >= 5, statuses
    assert {outcome.json["error"] for outcome in outcomes if outcome.status == 503} == {"too_much_in_flight"}
    for sock in crowd:
        sock.close()
    wait_for(lambda: _local(daemon)["in_flight_bytes"] == 0)


def test_a_websocket_message_that_is_too_much_in_flight(start_session: StartSession) -> None:
    session = start_session(max_message="4MiB", daemon={"ipc": {"limits": {"in_flight": "1MiB"}}})
    daemon = session.daemon
    # In flight may be four times the largest message, and half of that for one user: two of them.
    apps = [daemon.subscribe("feed") for _ in range(3)]
    size = 4 << 20
    message = frames.text(b"x" * size, masked=True)
    for number, app in enumerate(apps):
        app.socket.settimeout(DEADLINE)
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            app.socket.sendall(message[:-1])
        if number < 2:  # what was sent has also been read
            wait_for(lambda number=number: _local(daemon)["in_flight_bytes"] >= (number + 1) * (size - (16 << 10)))
    # Who asks for more is closed, and what came of its message is forgotten.
    close = apps[2].read_until(Opcode.CLOSE)
    assert close.payload[:2] == (1013).to_bytes(2, "big") and b"ipc.limits.in_flight" in close.payload
    for app in apps[:2]:
        app.socket.sendall(message[-1:])
    for _ in range(2):
        assert len(session.peer.read_until(Opcode.TEXT).payload) == size
    wait_for(lambda: _local(daemon)["in_flight_bytes"] == 0)
    for app in apps:
        app.close()


def test_half_a_message_then_silence_costs_what_arrived(start_session: StartSession) -> None:
    session = start_session(max_message="512MiB")
    daemon = session.daemon
    before = daemon.memory()
    apps = [daemon.subscribe("feed") for _ in range(20)]
    for app in apps:
        app.send(bytes([0x82, 0x80 | 127]) + (400 << 20).to_bytes(8, "big") + bytes(4) + b"x" * 1000)
    posts = [_half_sent(daemon.socket, 400 << 20, 1000) for _ in range(20)]
    session.peer.send(frames.text("meanwhile"))
    assert all(app.read_message().payload == b"meanwhile" for app in apps)
    assert daemon.memory() - before < 64 << 20
    for sock in (*apps, *posts):
        sock.close()


@pytest.mark.parametrize("length", ["18446744073709551615", "18446744073709551616", "99999999999999999999999999", "-1", "1e9"])
def test_huge_lengths_of_requests(length: str, session: Session) -> None:
    before = session.daemon.memory()
    sock = connect(session.daemon.socket)
    sock.sendall(b"POST /v1/connections/feed/messages " + HEAD + f"Content-Length: {length}\r\n\r\nxyz".encode())
    status = _answer(sock).status
    assert status in (400, 413)
    assert _value(session.daemon, "wskeep_refused_total", limit="request_size") == (status == 413)
    assert session.daemon.memory() - before < 32 << 20
    sock.close()


def test_garbage_ends_its_sender_alone(session: Session, crowd: list[socket.socket]) -> None:
    app = session.daemon.subscribe("feed")
    for seed in range(40):
        sock = connect(session.daemon.socket)
        crowd.append(sock)
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            sock.sendall(bytes((seed * 7 + i * 31 + i * i) % 256 for i in range(3_000)) + b"\r\n\r\n")
    for sock in crowd:
        data = b"first"
        with contextlib.suppress(ConnectionError):
            while data:
                data = sock.recv(4_096)
    session.peer.send(frames.text("undisturbed"))
    assert app.read_message().payload == b"undisturbed"
    app.close()


def test_who_publishes_too_fast_is_not_read_from(start_session: StartSession) -> None:
    session = start_session(daemon={"ipc": {"limits": {"publish_rate": "10/1s"}}})
    app, other = session.daemon.subscribe_v1("feed"), session.daemon.subscribe_v1("feed")
    begun = time.monotonic()
    for number in range(20):
        app.publish(str(number), f"message {number}")
    other.publish("o", "another app has its own")
    assert other.read_event("sent")["id"] == "o"
    for number in range(20):
        assert app.read_event("sent", "failed") == {"event": "sent", "id": str(number)}
    assert time.monotonic() - begun > 0.9  # ten at once, and ten more take a second
    assert _value(session.daemon, "wskeep_refused_total", limit="publish_rate") >= 1
    received = [session.peer.read_until(Opcode.TEXT).payload for _ in range(21)]
    assert [text for text in received if text.startswith(b"message")] == [b"message %d" % number for number in range(20)]
    # A reload holds for those that are there.
    _reload(session.daemon, publish_rate="off")
    for number in range(200):
        app.publish(f"r{number}", "fast")
    for number in range(200):
        assert app.read_event("sent", "failed")["event"] == "sent"
    app.close()
    other.close()


def test_all_publishers_of_a_connection_together(start_session: StartSession) -> None:
    session = start_session(publish_rate="5/1h", publish_bytes="1MiB/1h")
    daemon = session.daemon
    for _ in range(5):
        assert daemon.post("feed", b"x").json == {"outcome": "written"}
    refused = daemon.post("feed", b"x")
    assert refused.status == 429 and refused.json["error"] == "publish_rate" and refused.json["outcome"] == "rejected"
    app = daemon.subscribe_v1("feed")
    app.publish("1", "waits")
    app.expect_silence()
    settings = json.loads(daemon.file.read_text())
    settings["connections"]["feed"].update(publish_rate="off")
    write_configuration(daemon.file, settings)
    answer = request(daemon.socket, "POST", "/v1/reload")
    assert answer.json["changed"][0]["effect"] == "in_place"
    assert daemon.post("feed", b"y").json == {"outcome": "written"}
    app.close()


def test_what_is_used_is_shown(session: Session) -> None:
    daemon = session.daemon
    app = daemon.subscribe("feed")
    local = _local(daemon)
    assert (local["clients"], local["subscriptions"], local["in_flight_bytes"]) == (2, 1, 0)
    assert local["users"] == [{"clients": 2, "subscriptions": 1, "in_flight_bytes": 0, "uid": os.geteuid()}]
    assert local["limits"] == {"clients": 4096, "clients_per_user": 2048, "subscriptions": 4096, "subscriptions_per_user": 2048,
                               "in_flight_bytes": 256 << 20, "descriptors": local["limits"]["descriptors"],
                               "descriptors_reserved": 66}
    assert set(local["refused"]) == {"clients", "clients_per_user", "descriptors", "subscriptions", "subscriptions_per_user",
                                     "in_flight", "request", "request_size", "publish_rate"}
    for name, value in (("clients", 2), ("clients_limit", 4096), ("subscriptions", 1), ("subscriptions_limit", 4096), ("users", 1),
                        ("user_clients_limit", 2048), ("user_subscriptions_limit", 2048), ("in_flight_limit_bytes", 256 << 20)):
        assert _value(daemon, f"wskeep_{name}") == value, name
    app.close()
