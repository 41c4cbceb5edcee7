"""The HTTP side of the local socket, and clients that misbehave on it."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from support import metrics
from support.byte_stream import ByteStream, Ended
from support.daemon import Daemon
from support.frames import Opcode, text
from support.handshake import parse_head
from support.local import Response, UnixConnection, connect, request
from support.processes import free_port
from support.session import Session, StartDaemon, StartServer
from support.waiting import wait_for


def _raw(daemon: Daemon, sent: bytes, timeout: float = 10) -> tuple[int, bytes]:
    """The status that answers these bytes, 0 for none, and all that came."""
    stream = ByteStream(connect(daemon.socket))
    try:
        stream.send(sent)
    except OSError:
        pass  # it may have been refused before all of it was there
    received = stream.wait_for_end(timeout)
    stream.close()
    return (int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else 0), received


def test_list_and_show(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    session.peer.send(text("hello"))
    app.read_message()
    listed = session.daemon.get("/v1/connections")
    assert listed.status == 200 and listed.headers["content-type"] == "application/json"
    (summary,) = listed.json["connections"]
    shown = session.daemon.connection("feed")
    summary_fields = {"name", "state", "since", "url", "remote_address", "messages_in", "messages_out", "bytes_in",
                      "bytes_out", "round_trip_ms", "last_error", "subscribers", "slowest_reader", "ring"}
    assert summary.keys() == summary_fields
    assert shown.keys() == summary_fields | {"local_address", "http_status", "http_headers", "subprotocol", "compression",
                                             "tls", "connected_url", "renewal", "sessions", "bandwidth", "next_attempt",
                                             "urls", "proxy", "policy", "budgets", "rights", "warnings", "readers",
                                             "certificate_faults"}
    assert (shown["state"], shown["url"], shown["remote_address"]) == (
        "ready", session.server.url, f"127.0.0.1:{session.server.port}")
    assert (shown["messages_in"], shown["bytes_in"], shown["subscribers"], shown["sessions"]) == (1, 5, 1, 1)
    assert (shown["http_status"], shown["last_error"], shown["next_attempt"]) == (101, None, None)
    assert ["Upgrade", "websocket"] in [[name.title(), value] for name, value in shown["http_headers"]]
    certificate = shown["tls"]["certificates"][0]
    assert certificate["subject"] == "CN=server" and certificate["issuer"] == "CN=wskeep test authority"
    assert sorted(certificate["names"]) == ["DNS:localhost", "IP:127.0.0.1"]
    assert len(certificate["sha256"]) == 64
    assert shown["since"].endswith("Z") and certificate["not_after"].endswith("Z")
    assert (shown["ring"]["first"], shown["ring"]["last"]) == (1, 1)
    assert shown["ring"]["capacity"] >= 1 << 20


def test_the_connections_stand_in_the_order_of_the_file(start_daemon: StartDaemon) -> None:
    port = free_port()
    names = ["zebra", "apple", "Mango", "b.c_d-e"]
    daemon = start_daemon({name: f"wss://user:secret@localhost:{port}/" for name in names})
    listed = daemon.get("/v1/connections")
    assert [each["name"] for each in listed.json["connections"]] == names
    assert b"secret" not in listed.body and "secret" not in daemon.log
    assert all(each["state"] != "ready" for each in listed.json["connections"])


def test_attempts(session: Session) -> None:
    session.server.stop_listening()
    session.peer.reset()
    session.daemon.wait_error("feed", "connection_refused")
    cycles = session.daemon.get("/v1/connections/feed/attempts").json["cycles"]
    assert len(cycles) >= 2
    assert "connection_refused" in str(cycles)
    assert "127.0.0.1" in str(cycles)


def test_status(session: Session) -> None:
    status = session.daemon.get("/v1/status").json
    assert str(session.daemon.process.pid) in str(status)
    assert "0.1.0" in str(status)


@pytest.mark.parametrize(("method", "target", "status", "error"), [
    ("GET", "/", 404, "not_found"),
    ("GET", "/v1/connections/other", 404, "not_found"),
    ("GET", "/v1/connections/other/messages", 404, "not_found"),
    ("GET", "/v1/connections/feed/nothing", 404, "not_found"),
    ("POST", "/v1/connections/other/messages", 404, "not_found"),
    ("GET", "/v1/connections/..%2fstatus", 404, "not_found"),
    ("POST", "/v1/connections", 405, "method_not_allowed"),
    ("DELETE", "/v1/connections/feed", 405, "method_not_allowed"),
    ("PUT", "/v1/connections/feed/messages", 405, "method_not_allowed"),
    ("POST", "/metrics", 405, "method_not_allowed"),
])
def test_errors(method: str, target: str, status: int, error: str, session: Session) -> None:
    response = request(session.daemon.socket, method, target, b"" if method in ("POST", "PUT") else None)
    assert (response.status, response.json["error"]) == (status, error)
    assert response.json["message"]
    assert ("allow" in response.headers) == (status == 405)


def test_a_connection_is_kept_for_the_next_request(session: Session) -> None:
    connection = UnixConnection(session.daemon.socket)
    for target, status in (("/healthz", 200), ("/nothing", 404), ("/v1/connections", 200)):
        connection.request("GET", target)
        response = connection.getresponse()
        assert response.status == status
        response.read()
        assert connection.sock is not None, "kept alive"
    connection.close()


def test_garbage(session: Session) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, b"hello\r\n\r\n", b"GET /healthz HTTP/9.9\r\n\r\n",
                    b"\0" * 1_000, b"GET / HTTP/1.1\r\nno colon\r\n\r\n"):
        status, _ = _raw(session.daemon, garbage)
        assert status in (0, 400), garbage
    status, _ = _raw(session.daemon, b"POST /v1/connections/feed/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n")
    assert status == 413
    assert session.daemon.get("/healthz").status == 200


def test_huge_headers(session: Session) -> None:
    status, body = _raw(session.daemon, b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * 100_000 + b"\r\n\r\n")
    assert status == 431, body


def test_half_a_request_then_silence(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server}, ipc={"limits": {"request": "200ms", "idle": "300ms"}})
    started = time.monotonic()
    for half in (b"GET /hea", b"POST /v1/connections/feed/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"):
        status, _ = _raw(daemon, half)
        assert status in (0, 408)
    assert _raw(daemon, b"")[0] == 0, "one that asks nothing is ended too"
    assert time.monotonic() - started < 8


def test_a_dripped_request_has_a_deadline(start_daemon: StartDaemon, start_server: StartServer) -> None:
    daemon = start_daemon({"feed": start_server()}, ipc={"limits": {"request": "300ms"}})
    sock = connect(daemon.socket)
    started = time.monotonic()
    try:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nX-Filler: ")
        while time.monotonic() - started < 10:
            sock.sendall(b"x")
            time.sleep(0.02)  # what dripping is
        raise AssertionError("dripped for ten seconds")
    except OSError:
        pass
    sock.close()


@pytest.mark.parametrize(("header", "status"), [("Sec-WebSocket-Version: 12\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", 426),
                                                ("Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short", 400),
                                                ("Sec-WebSocket-Version: 13", 400)])
def test_bad_upgrades(header: str, status: int, session: Session) -> None:
    stream = ByteStream(connect(session.daemon.socket))
    stream.send(f"GET /v1/connections/feed/messages HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"{header}\r\n\r\n".encode())
    first, headers = parse_head(stream.read_through(b"\r\n\r\n"))
    assert int(first.split()[1]) == status
    if status == 426:
        assert headers["sec-websocket-version"] == "13"
    stream.close()


def test_too_many_clients(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server}, ipc={"limits": {"clients": 10}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    apps = [daemon.subscribe("feed") for _ in range(9)]
    crowd = [connect(daemon.socket) for _ in range(20)]

    def refused(sock: socket.socket) -> bool:
        sock.settimeout(2)
        try:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        except OSError:
            return True
        try:
            return b" 503 " in sock.recv(4_096)[:20]
        except OSError:
            return True

    assert sum(refused(sock) for sock in crowd) >= 19
    peer.send(text("x"))
    assert [app.read_message().payload for app in apps] == [b"x"] * 9
    for sock in crowd:
        sock.close()
    wait_for(lambda: _healthy(daemon), "room again")


def _healthy(daemon: Daemon) -> bool:
    try:
        return daemon.get("/healthz").status == 200
    except (OSError, http.client.HTTPException, Ended):
        return False


def test_many_connects_at_once(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    before = session.daemon.memory()
    for number in range(20):
        crowd = [connect(session.daemon.socket) for _ in range(100)]
        for sock in crowd[::2]:
            sock.sendall(b"GET /v1/connections HTTP/1.1\r\nHost: x\r\n\r\n")
        for sock in crowd:
            sock.close()
        session.peer.send(text(str(number)))
        assert app.read_message().payload == str(number).encode()
    assert session.daemon.memory() - before < 32 << 20


NEEDED_FAMILIES = {
    "wskeep_connection_state", "wskeep_connection_ended_total", "wskeep_connection_attempts_total",
    "wskeep_messages_received_total", "wskeep_messages_sent_total", "wskeep_message_received_bytes_total",
    "wskeep_message_sent_bytes_total", "wskeep_messages_discarded_total", "wskeep_messages_rejected_total",
    "wskeep_ping_round_trip_seconds", "wskeep_time_to_ready_seconds", "wskeep_ring_used_bytes",
    "wskeep_ring_capacity_bytes", "wskeep_subscribers", "wskeep_subscriber_gaps_total",
    "wskeep_subscriber_lost_messages_total", "wskeep_clients", "wskeep_build_info",
}


def test_metrics(session: Session) -> None:
    response = session.daemon.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = metrics.parse(response.body.decode())
    assert NEEDED_FAMILIES <= families.keys(), NEEDED_FAMILIES - families.keys()
    for family in families.values():
        assert family.name.startswith(("wskeep_", "process_")), family.name
        assert family.help, family.name
        assert (family.kind == "counter") == family.name.endswith("_total"), family.name
        for unit in ("_ms", "_milliseconds", "_kb", "_mb"):
            assert not family.name.endswith(unit), "base units only"
        for sample in family.samples:
            assert sample.labels.get("connection", "feed") == "feed", "labels come from the configuration only"


def test_metrics_count(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    session.peer.send(text("12345") * 7)
    for _ in range(7):
        app.read_message()
    app.send_text("up")
    session.peer.read_until(Opcode.TEXT)
    values = {sample.name: sample.value for sample in metrics.samples_with(session.daemon.metrics(), connection="feed")}
    assert values["wskeep_messages_received_total"] == 7
    assert values["wskeep_message_received_bytes_total"] == 35
    assert values["wskeep_messages_sent_total"] == 1
    assert values["wskeep_message_sent_bytes_total"] == 2
    assert values["wskeep_subscribers"] == 1
    states = {sample.labels["state"]: sample.value
              for sample in session.daemon.metrics()["wskeep_connection_state"].samples}
    assert states.pop("ready") == 1 and set(states.values()) == {0}


def _tcp_get(port: int, target: str) -> Response:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return Response(response.status, {}, response.read())
    finally:
        connection.close()


def test_the_metrics_listener_serves_three_things(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, port = start_server(), free_port()
    daemon = start_daemon({"feed": server}, metrics={"listen": f"127.0.0.1:{port}"})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    assert metrics.parse(_tcp_get(port, "/metrics").body.decode())
    assert _tcp_get(port, "/healthz").status == 200
    assert _tcp_get(port, "/readyz").status == 200
    for target in ("/v1/connections", "/v1/status", "/v1/connections/feed", "/v1/connections/feed/messages", "/"):
        assert _tcp_get(port, target).status == 404
    # Half a request holds nobody else up.
    with socket.create_connection(("127.0.0.1", port)) as half:
        half.sendall(b"GET /met")
        assert _tcp_get(port, "/healthz").status == 200


def test_readiness(start_daemon: StartDaemon, start_server: StartServer) -> None:
    up, down = start_server(), start_server()
    daemon = start_daemon({"up": up, "down": down})
    up.accept_and_upgrade()
    daemon.wait_state("up", "ready")
    response = daemon.get("/readyz")
    assert (response.status, response.body.split()) == (503, [b"down"])
    peer = down.accept_and_upgrade()
    daemon.wait_state("down", "ready")
    response = daemon.get("/readyz")
    assert (response.status, response.body.strip()) == (200, b"ready")
    down.stop_listening()
    peer.reset()
    wait_for(lambda: daemon.get("/readyz").status == 503)
    assert daemon.get("/healthz").body.strip() == b"ok"
