"""The session script against servers that enforce what real ones enforce: each checks what it is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from support import frames
from support.daemon import Daemon
from support.frames import Opcode, text
from support.scripted_server import Peer
from support.session import StartDaemon, StartServer

NO_PINGS = {"ping": "off"}


def _say(peer: Peer, message: Any) -> None:
    peer.send(text(message if isinstance(message, str) else json.dumps(message)))


def _hear(peer: Peer, timeout: float = 20.0) -> Any:
    """The next message, which is JSON."""
    frame = peer.read_until(Opcode.TEXT, Opcode.CLOSE, timeout=timeout)
    assert frame.opcode == Opcode.TEXT, frame
    return json.loads(frame.payload)


def _end(peer: Peer, code: int = 1000) -> None:
    peer.send(frames.close(code))
    peer.end()


def _script_of_last_session(daemon: Daemon) -> list[dict[str, Any]]:
    return daemon.get("/v1/connections/feed/attempts").json["cycles"][-1]["script"]


def test_login_by_signature_then_one_subscription_for_each_symbol(
        start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("top secret key\n")
    session = {
        "variables": {"symbols": ["btcusdt", "ethusdt", "solusdt"]},
        "open": [
            {"set": {"at": "${time_s()}"}},
            {"send": '{"op":"login","args":[{"timestamp":"${at}","sign":"${hmac_sha256(file("' + str(secret)
             + '"), concat(at, "GET/users/self/verify"), "base64")}"}]}'},
            {"wait": {"json": {"/event": "login"}}, "timeout": "10s", "refuse": {"json": {"/event": "error"}}},
            {"send": '{"op":"subscribe","args":[{"instId":"${symbol}"}]}', "repeat": {"symbol": "symbols"}, "pace": "10ms"},
            {"wait": {"json": {"/event": "subscribe"}}},
        ],
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    app = daemon.subscribe("feed")
    peer = server.accept_and_upgrade()
    login = _hear(peer)
    given = login["args"][0]
    expected = hmac.new(b"top secret key", f"{given['timestamp']}GET/users/self/verify".encode(), hashlib.sha256)
    assert login["op"] == "login"
    assert abs(int(given["timestamp"]) - time.time()) < 60
    assert given["sign"] == base64.b64encode(expected.digest()).decode()

    daemon.wait_state("feed", "opening")
    assert daemon.post("feed", b"too early").status == 503
    _say(peer, {"event": "login"})
    assert [_hear(peer)["args"][0]["instId"] for _ in range(3)] == ["btcusdt", "ethusdt", "solusdt"]
    _say(peer, {"data": "already"})
    _say(peer, {"event": "subscribe"})
    daemon.wait_state("feed", "ready")
    assert daemon.post("feed", b"now").status == 200
    assert peer.read_until(Opcode.TEXT).payload == b"now"

    assert [json.loads(app.read_until(Opcode.TEXT).payload) for _ in range(3)] == [
        {"event": "login"}, {"data": "already"}, {"event": "subscribe"}]
    steps = _script_of_last_session(daemon)
    assert [(step["step"], step["kind"]) for step in steps] == [
        ("open[0]", "set"), ("open[1]", "send"), ("open[2]", "wait"), ("open[3]", "send"), ("open[4]", "wait")]
    assert all(step["took_ms"] is not None for step in steps)
    assert "top secret" not in daemon.log and given["sign"] not in daemon.log


def test_a_wrong_token_is_final(start_daemon: StartDaemon, start_server: StartServer) -> None:
    """Home Assistant: the server speaks first, and what it says to a wrong token is its last word."""
    session = {"open": [
        {"wait": {"json": {"/type": "auth_required"}}},
        {"send": '{"type":"auth","access_token":"wrong-token-1"}'},
        {"wait": {"json": {"/type": "auth_ok"}}, "refuse": {"json": {"/type": "auth_invalid"}, "verdict": "stop"}},
    ]}
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    peer = server.accept_and_upgrade()
    _say(peer, {"type": "auth_required", "ha_version": "2024.1"})
    assert _hear(peer) == {"type": "auth", "access_token": "wrong-token-1"}
    peer.send(text(json.dumps({"type": "auth_invalid", "message": "Invalid"})) + frames.close(1000))
    peer.end()
    daemon.wait_state("feed", "failed")
    found = daemon.wait_error("feed", "script_refused")
    assert "session.open[2].refuse" in found["message"]
    next_step = daemon.get("/v1/connections/feed/attempts").json["cycles"][-1]["next"]
    assert next_step["verdict"] == "stop"
    assert "wrong-token-1" not in daemon.log


def test_ids_that_count_up(start_daemon: StartDaemon, start_server: StartServer) -> None:
    session = {
        "open": [
            {"wait": {"json": {"/type": "auth_ok"}}},
            {"set": {"id": "1"}},
            {"send": '{"id":${id},"type":"subscribe_events"}'},
            {"wait": {"json": {"/type": "result", "/success": True}}},
        ],
        "heartbeat": {"every": "50ms", "set": {"id": "${add(id, 1)}"}, "send": '{"id":${id},"type":"ping"}',
                      "expect": {"json": {"/type": "pong"}}},
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    peer = server.accept_and_upgrade()
    _say(peer, {"type": "auth_ok"})
    assert _hear(peer) == {"id": 1, "type": "subscribe_events"}
    _say(peer, {"id": 1, "type": "result", "success": True})
    daemon.wait_state("feed", "ready")
    for number in (2, 3, 4):
        assert _hear(peer) == {"id": number, "type": "ping"}
        _say(peer, {"id": number, "type": "pong"})


def test_graphql_answers_pings_and_acknowledges(start_daemon: StartDaemon, start_server: StartServer) -> None:
    session = {
        "open": [{"send": '{"type":"connection_init"}'}, {"wait": {"json": {"/type": "connection_ack"}}},
                 {"send": '{"id":"1","type":"subscribe","payload":{"query":"subscription { news }"}}'}],
        "replies": [{"on": {"json": {"/type": "ping"}}, "send": '{"type":"pong"}'}],
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "subprotocols": ["graphql-transport-ws"], "session": session}})
    peer = server.accept_and_upgrade(sec_websocket_protocol="graphql-transport-ws")
    assert peer.headers["sec-websocket-protocol"] == "graphql-transport-ws"
    assert _hear(peer) == {"type": "connection_init"}
    _say(peer, {"type": "ping"})
    assert _hear(peer) == {"type": "pong"}
    _say(peer, {"type": "connection_ack"})
    assert _hear(peer)["type"] == "subscribe"
    daemon.wait_state("feed", "ready")
    _say(peer, {"type": "ping"})
    assert _hear(peer) == {"type": "pong"}


def test_each_envelope_is_acknowledged(start_daemon: StartDaemon, start_server: StartServer) -> None:
    session = {
        "open": [{"wait": {"json": {"/type": "hello"}}}],
        "replies": [{"on": {"exists": "/envelope_id"}, "set": {"envelope_id": "/envelope_id"},
                     "send": '{"envelope_id":"${envelope_id}"}'}],
        "goodbye": [{"on": {"json": {"/type": "disconnect"}}, "renew": "now"}],
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    peer = server.accept_and_upgrade()
    _say(peer, {"type": "hello"})
    daemon.wait_state("feed", "ready")
    envelopes = [f"e\"{number}\u00e9" for number in range(100)]
    peer.send(b"".join(text(json.dumps({"envelope_id": each, "payload": {}})) for each in envelopes))
    assert [_hear(peer)["envelope_id"] for _ in envelopes] == envelopes
    _say(peer, {"type": "disconnect", "reason": "warning"})
    assert peer.read_close().close_code == 1001
    _end(peer, 1001)
    server.accept_and_upgrade()
    daemon.wait_error("feed", "goodbye")


def test_heartbeat_with_the_last_sequence_and_resume(start_daemon: StartDaemon, start_server: StartServer) -> None:
    """Discord: the interval comes from the server, beats carry the last sequence, and the next session resumes."""
    session = {
        "open": [{"wait": {"json": {"/op": 10}}, "set": {"interval": "/d/heartbeat_interval"}},
                 {"send": '{"op":2,"d":{"token":"t"}}'}, {"wait": {"json": {"/t": "READY"}}}],
        "remember": {"seq": {"on": {"json": {"/op": 0}}, "value": "/s"},
                     "sid": {"on": {"json": {"/t": "READY"}}, "value": "/d/session_id"}},
        "resume": [{"wait": {"json": {"/op": 10}}, "set": {"interval": "/d/heartbeat_interval"}},
                   {"send": '{"op":6,"d":{"token":"t","session_id":"${sid}","seq":${seq}}}'},
                   {"wait": {"json": {"/t": "RESUMED"}}, "refuse": {"json": {"/op": 9}}}],
        "heartbeat": {"every": "${interval}ms", "send": '{"op":1,"d":${default(seq, "null")}}', "jitter_first": True,
                      "expect": {"json": {"/op": 11}}, "within": "1s"},
        "close": {"code": 4000},
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "keepalive": NO_PINGS, "session": session}})
    hello = {"op": 10, "d": {"heartbeat_interval": 100}}

    peer = server.accept_and_upgrade()
    _say(peer, hello)
    assert _hear(peer)["op"] == 2
    _say(peer, {"op": 0, "t": "READY", "s": 1, "d": {"session_id": "abc"}})
    assert _hear(peer) == {"op": 1, "d": 1}
    _say(peer, {"op": 11})
    _say(peer, {"op": 0, "t": "MESSAGE", "s": 7})
    while (beat := _hear(peer))["d"] != 7:
        assert beat == {"op": 1, "d": 1}
        _say(peer, {"op": 11})
    # It goes unanswered: the session is dead, and is ended so that it can be resumed.
    assert peer.read_close().close_code == 4000
    _end(peer, 4000)
    daemon.wait_error("feed", "heartbeat_timeout")

    peer = server.accept_and_upgrade()
    _say(peer, hello)
    assert _hear(peer) == {"op": 6, "d": {"token": "t", "session_id": "abc", "seq": 7}}
    _say(peer, {"op": 9, "d": False})
    assert peer.read_close().close_code == 4000
    _end(peer, 4000)

    peer = server.accept_and_upgrade()
    _say(peer, hello)
    assert _hear(peer)["op"] == 2
    _say(peer, {"op": 0, "t": "READY", "s": 1, "d": {"session_id": "def"}})
    daemon.wait_state("feed", "ready")


def test_text_ping_and_test_request(start_daemon: StartDaemon, start_server: StartServer) -> None:
    session = {
        "heartbeat": {"every": "100ms", "send": "ping", "expect": {"text": "^pong$"}, "idle_only": True},
        "replies": [{"on": {"json": {"/params/type": "test_request"}},
                     "send": '{"jsonrpc":"2.0","id":"${uuid()}","method":"public/test"}'}],
    }
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    for _ in range(3):
        assert peer.read_until(Opcode.TEXT).payload == b"ping"
        _say(peer, "pong")
    _say(peer, {"method": "heartbeat", "params": {"type": "test_request"}})
    while (payload := peer.read_until(Opcode.TEXT).payload) == b"ping":
        _say(peer, "pong")
    assert json.loads(payload)["method"] == "public/test"


def test_no_answer_to_a_subscription(start_daemon: StartDaemon, start_server: StartServer) -> None:
    session = {"open": [{"send": "subscribe"}, {"wait": {"contains": "subscribed"}, "timeout": "200ms"}]}
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "session": session}})
    for _ in range(2):
        peer = server.accept_and_upgrade()
        assert peer.read_until(Opcode.TEXT).payload == b"subscribe"
        assert peer.read_close().close_code == 1001
        _end(peer, 1001)
    assert "session.open[1]" in daemon.wait_error("feed", "script_timeout")["message"]
