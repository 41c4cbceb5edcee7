"""Time that passed without the daemon: it was stopped, as a machine is that sleeps."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from support import frames
from support.daemon import Daemon
from support.session import StartDaemon, StartServer, StartSession
from support.waiting import wait_for


@contextmanager
def stopped(daemon: Daemon, seconds: float) -> Iterator[None]:
    """Stopped while the body runs, and for that long at least."""
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        yield
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)


def test_a_daemon_that_was_stopped_keeps_a_session_that_lives(start_session: StartSession) -> None:
    session = start_session(timeouts={"receive": "600ms"}, keepalive={"ping": "200ms"})
    with stopped(session.daemon, 1.5):
        session.peer.send(frames.text("said meanwhile"))
    reader = session.daemon.subscribe("feed", "from=oldest")
    assert reader.read_message().payload == b"said meanwhile"
    for _ in range(5):  # and it is not given up behind that
        ping = session.peer.read_until(frames.Opcode.PING)
        session.peer.send(frames.frame(frames.Opcode.PONG, ping.payload))
    assert session.daemon.connection("feed")["state"] == "ready"
    assert session.daemon.metrics()["wskeep_connection_ended_total"].samples == []


def test_a_daemon_that_was_stopped_finds_what_has_died(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, healthy = start_server(), start_server()
    daemon = start_daemon({"feed": server, "other": healthy})
    peer, other = server.accept_and_upgrade(), healthy.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    daemon.wait_state("other", "ready")
    with stopped(daemon, 0.5):
        peer.reset()
        other.send(frames.text("alive"))
    server.accept_and_upgrade()
    wait_for(lambda: daemon.connection("other")["messages_in"] == 1, "the other goes on")
    assert daemon.wait_state("feed", "ready")["last_error"]["error"] == "connection_reset"
    assert daemon.connection("other")["last_error"] is None
