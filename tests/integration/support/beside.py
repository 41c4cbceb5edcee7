"""A connection that a test treats badly, and another of the same daemon that must not notice."""

from __future__ import annotations

from typing import Any

from .local import V1Subscriber
from .metrics import samples_with
from .scripted_server import Peer, ScriptedServer
from .session import StartDaemon, StartServer
from .steady import Steady
from .waiting import wait_for


class Beside:
    """The connections `feed`, with these settings, and `steady`; both ready."""

    def __init__(self, start_daemon: StartDaemon, start_server: StartServer, **settings: object) -> None:
        self.server: ScriptedServer = start_server()
        other = start_server()
        self.daemon = start_daemon({"feed": {"url": self.server.url} | settings, "steady": other})
        self.steady = Steady(self.daemon, other.accept_and_upgrade())
        self.peer: Peer = self.server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        self.app: V1Subscriber = self.daemon.subscribe_v1("feed")
        self.steady.check()

    def expect_end(self, error: str, closed_by: str, *words: str) -> dict[str, Any]:
        """Told to the apps, shown, counted and logged, with these words in the sentence; and then it comes back."""
        event = self.app.read_event("disconnected")
        assert (event["error"], event["closed_by"]) == (error, closed_by), event
        self.expect_reports(event, error, *words)
        self.steady.check()
        return event

    def expect_reports(self, event: dict[str, Any], error: str, *words: str) -> None:
        found = self.daemon.wait_error("feed", error)
        for word in words:
            assert word in event["message"] and word in found["message"], (event, found)
        counted = samples_with(self.daemon.metrics(), connection="feed", reason=error)
        assert ("wskeep_connection_ended_total", 1) in [(sample.name, sample.value) for sample in counted]
        # Written by a thread of its own.
        wait_for(lambda: self.daemon.log_has("feed", error, *words), f"the log says {error}: {self.daemon.log}")
        assert not self.daemon.log_has("steady", error)

    def comes_back(self) -> Peer:
        self.peer = self.server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        self.steady.check()
        return self.peer
