"""What follows an answer that is not 101, and a Close frame: Retry-After, verdicts."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest

from support import frames
from support.daemon import Daemon
from support.refusals import assert_nobody_comes, refuse
from support.session import StartDaemon, StartServer, StartSession
from support.waiting import wait_for


def next_step(daemon: Daemon, name: str = "feed") -> dict[str, Any]:
    """What was decided last. Another cycle may have begun since."""
    def decided() -> dict[str, Any] | None:
        cycles = daemon.get(f"/v1/connections/{name}/attempts").json["cycles"]
        return next((cycle["next"] for cycle in reversed(cycles) if cycle["next"]), None)

    return wait_for(decided, "the daemon has decided what comes next")


@pytest.mark.parametrize("form", ["seconds", "date", "clamped"])
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_retry_after_is_obeyed(status: str, form: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    value = {"seconds": "60", "date": email.utils.formatdate(time.time() + 90, usegmt=True), "clamped": "99999999"}[form]
    refuse(server, status, retry_after=value)
    step = next_step(daemon)
    assert "Retry-After" in step["rule"] and step["verdict"] == "retry"
    # A date has whole seconds, and the jitter of QUICK_RECONNECT comes on top.
    least, most = {"seconds": (60_000, 61_000), "date": (60_000, 91_000), "clamped": (3_600_000, 3_601_000)}[form]
    assert least <= step["wait_ms"] <= most
    assert daemon.connection("feed")["state"] == "backing_off"
    assert_nobody_comes(server)


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_unauthorized_is_retried_at_the_slowest_pace(status: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "reconnect": {"initial": "10ms", "max": "1h"}}})
    refuse(server, status)
    daemon.wait_error("feed", "http_unauthorized")
    step = next_step(daemon)
    assert step["verdict"] == "slow" and 1_800_000 <= step["wait_ms"] <= 3_600_000
    assert daemon.connection("feed")["state"] == "failed"


def test_an_endless_body_is_not_waited_for(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    peer = server.accept()
    peer.send(b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n")
    daemon_read_enough = False
    for _ in range(1000):
        try:
            peer.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        except OSError:
            daemon_read_enough = True
            break
    assert daemon_read_enough
    daemon.wait_error("feed", "http_unauthorized")


def test_a_status_that_says_stop(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "reconnect": {"initial": "1ms", "max": "1ms", "on_status": {"4xx": "stop", 404: "retry"}}}})
    refuse(server, "404 Not Found")  # the narrower rule goes before the wider
    refuse(server, "410 Gone")
    wait_for(lambda: daemon.connection("feed")["state"] == "failed", "it has stopped")
    assert next_step(daemon)["verdict"] == "stop" and "on_status" in next_step(daemon)["rule"]
    assert daemon.get("/v1/connections/feed/attempts").json["next_attempt"] is None
    assert_nobody_comes(server)
    daemon_answer = daemon.control("feed", "reconnect")
    assert daemon_answer.status == 202, daemon_answer
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


VERDICTS = {1000: "retry", 1001: "retry", 1008: "slow", 1011: "retry", 1012: "retry", 1013: "retry", 3000: "retry",
            4001: "stop", 4002: "slow", 4999: "slow"}


@pytest.mark.parametrize(("code", "verdict"), VERDICTS.items())
def test_close_codes(code: int, verdict: str, start_session: StartSession) -> None:
    session = start_session(reconnect={"initial": "1ms", "max": "1h", "on_close": {"4000-4999": "slow", 4001: "stop"}})
    session.peer.send(frames.close(code, "because"))
    step = next_step(session.daemon)
    assert step["verdict"] == verdict
    assert step["rule"] == ("default" if code < 4000 else f"reconnect.on_close {'4001' if code == 4001 else '4000-4999'}")
    cycle = session.daemon.get("/v1/connections/feed/attempts").json["cycles"]
    ended = next(each["session"] for each in reversed(cycle) if each["session"])
    assert (ended["close_code"], ended["failure"]["error"]) == (code, "closed_by_peer")
    if verdict == "retry":
        session.next_peer()
    else:
        session.daemon.wait_state("feed", "failed")
