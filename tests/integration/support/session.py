"""What most tests begin with, and the types of the fixtures that make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .daemon import Daemon
from .scripted_server import Peer, ScriptedServer

StartDaemon = Callable[..., Daemon]
StartServer = Callable[..., ScriptedServer]


@dataclass
class Session:
    """A daemon with one ready connection, `feed`, and the server's end of it."""

    daemon: Daemon
    server: ScriptedServer
    peer: Peer

    def next_peer(self) -> Peer:
        """The daemon's next session, ready."""
        self.peer = self.server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        return self.peer


StartSession = Callable[..., Session]
