"""What people ask of a connection: reconnect, pause, resume."""

from __future__ import annotations

import os

import pytest

from support import frames
from support.frames import Opcode
from support.local import request
from support.session import Session, StartDaemon, StartServer
from support.users import NOBODY, let_in, needs_root
from support.waiting import wait_for


def _let_close(session: Session) -> str:
    close = session.peer.read_until(Opcode.CLOSE)
    session.peer.send(frames.close(1000))
    session.peer.end()
    return close.payload[2:].decode()


def test_reconnect(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    answer = session.daemon.control("feed", "reconnect")
    assert (answer.status, answer.json) == (202, {"state": "closing"})
    assert "new session" in _let_close(session)
    event = app.read_event("disconnected")
    assert (event["error"], event["closed_by"], event["close_code"]) == ("reconnect_requested", "wskeep", 1000)
    session.next_peer()
    assert app.read_event("connected")["away_ms"] < 5_000
    assert session.daemon.connection("feed")["sessions"] == 2
    wait_for(lambda: session.daemon.log_has("asked", "what=reconnect", f"uid={os.getuid()}"), "the log says who asked")


def test_pause_and_resume(session: Session) -> None:
    assert session.daemon.control("feed", "pause").status == 202
    _let_close(session)
    shown = session.daemon.wait_state("feed", "paused")
    assert shown["next_attempt"] is None and shown["last_error"]["error"] == "paused"
    attempts = session.daemon.get("/v1/connections/feed/attempts").json
    assert attempts["next_attempt"] is None and attempts["state"] == "paused"
    assert attempts["cycles"][-1]["next"] == {"verdict": "stop", "rule": "paused", "wait_ms": None}
    assert session.daemon.control("feed", "pause").json == {"state": "paused"}
    assert session.daemon.post("feed", b"x").status == 503
    with pytest.raises(TimeoutError):
        session.server.accept_tcp(timeout=0.5)
    assert session.daemon.control("feed", "resume").status == 202
    session.next_peer()
    session.daemon.wait_state("feed", "ready")


def test_what_the_policy_stopped_waits_for_a_person(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "reconnect": {"on_close": {"4000-4999": "stop"}}}})
    peer = server.accept_and_upgrade()
    peer.send(frames.close(4001, "banned"))
    shown = daemon.wait_state("feed", "failed")
    assert shown["next_attempt"] is None
    rules = shown["policy"]["on_close"]
    assert rules[0] == {"codes": "4000-4999", "verdict": "stop", "default": False}
    assert {"codes": "1008", "verdict": "slow", "default": True} in rules
    assert daemon.control("feed", "reconnect").status == 202
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


def test_what_is_refused(session: Session) -> None:
    socket = session.daemon.socket
    for what in ("reconnect", "pause", "resume"):
        assert session.daemon.control("nobody", what).status == 404
        wrong = request(socket, "GET", f"/v1/connections/feed/{what}")
        assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert session.daemon.control("feed", "explode").status == 404
    assert session.daemon.connection("feed")["state"] == "ready"


@needs_root
def test_others_may_not(session: Session) -> None:
    answer = let_in(session.daemon.socket, NOBODY).request("POST", "/v1/connections/feed/pause")
    assert (answer.status, answer.json["error"]) == (403, "not_allowed")
    assert session.daemon.connection("feed")["state"] == "ready"
    assert not session.daemon.log_has("asked", "what=pause")


def test_the_state_is_a_metric(session: Session) -> None:
    session.daemon.control("feed", "pause")
    _let_close(session)
    session.daemon.wait_state("feed", "paused")

    def paused() -> bool:
        samples = session.daemon.metrics()["wskeep_connection_state"].samples
        return any(sample.labels.get("state") == "paused" and sample.value == 1 for sample in samples)

    wait_for(paused, "the metric says so")
