"""A daemon with a connection whose server has some fault of TLS, and one that is not to notice."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from .certificates import Leaf
from .daemon import Daemon
from .frames import text
from .metrics import samples_with
from .scripted_server import Peer, ScriptedServer
from .session import StartDaemon, StartServer
from .streams import Lines
from .tls_peers import SigningAuthority
from .waiting import wait_for

LONG_RECONNECT = {"initial": "1h", "max": "1h"}
"""So that what is refused stays refused while it is looked at."""


@dataclass
class World:
    """A daemon with two connections: `feed`, to a server with some fault, and `healthy`."""

    daemon: Daemon
    server: ScriptedServer
    healthy: Peer

    def expect_refusal(self, error: str, *words: str, state: str = "failed", stays: bool = True) -> dict[str, Any]:
        """The next handshake fails, with that error everywhere, and the server sees nothing of HTTP."""
        client = self.server.accept_tcp()
        assert self.server.context is not None
        with pytest.raises(OSError):
            # It reads the request, should one come in spite of all.
            Peer(self.server.context.wrap_socket(client, server_side=True))
        client.close()
        return expect_told(self.daemon, error, *words, state=state, stays=stays)

    def expect_ready(self) -> Peer:
        peer = self.server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        return peer

    def check_others(self) -> None:
        """Nothing came to the healthy connection but time."""
        found = self.daemon.connection("healthy")
        assert (found["state"], found["sessions"], found["last_error"]) == ("ready", 1, None)
        app = self.daemon.subscribe("healthy")
        self.healthy.send(text("well"))
        assert app.read_message().payload == b"well"


def expect_told(daemon: Daemon, error: str, *words: str, state: str, stays: bool = True) -> dict[str, Any]:
    """The connection's state, its last error, the timeline, the metric and the log all say so.

    A state that does not stay, for it is tried again within milliseconds, may be over when it is looked at: the events tell of it.
    """
    found = daemon.wait_error("feed", error)
    for word in words:
        assert word in found["message"], found["message"]
    if stays:
        daemon.wait_state("feed", state)
    else:
        wait_for(lambda: any((event["event"], event.get("connection"), event.get("state"), event.get("error")) == ("state", "feed", state, error)
                             for event in iter(Lines(daemon.socket, "/v1/events?from=oldest").read, None)), f"it was {state}")
    cycle = [each for each in daemon.get("/v1/connections/feed/attempts").json["cycles"] if each["ended_ms"] is not None][-1]
    assert cycle["failure"]["error"] == error, cycle
    counted = [sample for sample in samples_with(daemon.metrics(), connection="feed", reason=error)
               if sample.name == "wskeep_connection_ended_total"]
    assert len(counted) == 1 and counted[0].value >= 1
    wait_log(daemon, error)
    return found


def wait_log(daemon: Daemon, *words: str) -> None:
    """A line about `feed`; the log is written behind the daemon's back."""
    wait_for(lambda: daemon.log_has("feed", *words), f"the log has {words}")


def make_world(daemon: Daemon, server: ScriptedServer, other: ScriptedServer) -> World:
    world = World(daemon, server, other.accept_and_upgrade())
    daemon.wait_state("healthy", "ready")
    return world


StartWorld = Callable[..., World]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> SigningAuthority:
    return SigningAuthority(tmp_path_factory.mktemp("tls") / "root", "Root of the tests")


@pytest.fixture(scope="session")
def intermediate(root: SigningAuthority, tmp_path_factory: pytest.TempPathFactory) -> SigningAuthority:
    return SigningAuthority(tmp_path_factory.mktemp("tls") / "intermediate", "Intermediate of the tests", root)


@pytest.fixture(scope="session")
def leaf(root: SigningAuthority) -> Leaf:
    return root.issue("good")


@pytest.fixture
def start_world(root: SigningAuthority, start_daemon: StartDaemon, start_server: StartServer) -> StartWorld:
    """`start_world(context, crl=..., ignore=[...])`: keywords are settings of TLS of `feed`."""

    def start(context: ssl.SSLContext, reconnect: dict[str, Any] | None = None, **tls: Any) -> World:
        server, other = start_server(context), start_server()
        daemon = start_daemon({"feed": {"url": server.url, "reconnect": reconnect or LONG_RECONNECT,
                                        # What is not checked has nothing to be checked by.
                                        "tls": ({"ca": str(root.certificate)} if tls.get("verify", True) else {}) | tls},
                               "healthy": other})
        return make_world(daemon, server, other)

    return start


def subject_of(peer: Peer) -> str:
    assert isinstance(peer.socket, ssl.SSLSocket)
    certificate = peer.socket.getpeercert()
    assert certificate
    return dict(each[0] for each in certificate["subject"])["commonName"]  # type: ignore[misc]
