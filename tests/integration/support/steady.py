"""A connection beside the one that a test mistreats: nothing may be noticed on it."""

from __future__ import annotations

from . import frames
from .daemon import Daemon
from .scripted_server import Peer


class Steady:
    """The connection `steady` of a daemon, the server's end of it, and a subscriber."""

    def __init__(self, daemon: Daemon, peer: Peer) -> None:
        self._daemon = daemon
        self._peer = peer
        daemon.wait_state("steady", "ready")
        self._app = daemon.subscribe("steady")
        self._sent = 0

    def check(self) -> None:
        """Both directions work, in the session that there was from the beginning."""
        for _ in range(2):
            self._sent += 1
            self._peer.send(frames.text(f"down {self._sent}"))
            assert self._app.read_message().payload == f"down {self._sent}".encode()
            self._app.send_text(f"up {self._sent}")
            assert self._peer.read_until(frames.Opcode.TEXT).payload == f"up {self._sent}".encode()
        found = self._daemon.connection("steady")
        assert found["state"] == "ready"
        assert found["sessions"] == 1
        assert found["last_error"] is None
