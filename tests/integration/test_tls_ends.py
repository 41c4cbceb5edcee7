"""nginx and HAProxy as ends of TLS: one version only, and a client certificate required."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.certificates import Leaf
from support.frames import text
from support.processes import Processes
from support.scripted_server import ScriptedServer
from support.session import StartDaemon, StartServer
from support.tls_peers import SigningAuthority, TlsEnd, pkcs12, start_haproxy, start_nginx
from support.tls_world import LONG_RECONNECT, World, expect_told, leaf, make_world, root  # noqa: F401

STARTERS = {"nginx": start_nginx, "haproxy": start_haproxy}


@pytest.mark.parametrize("kind", STARTERS)
class TestOtherPeoplesEnds:
    """nginx and HAProxy, behind which a server of ours waits."""

    @pytest.fixture
    def inner(self, start_server: StartServer) -> ScriptedServer:
        return start_server(None)

    def _start(self, kind: str, processes: Processes, folder: Path, end: TlsEnd, root: SigningAuthority,
               start_daemon: StartDaemon, start_server: StartServer, **tls: Any) -> World:
        port = STARTERS[kind](processes, folder, end)
        other = start_server()
        daemon = start_daemon({"feed": {"url": f"wss://localhost:{port}/", "reconnect": LONG_RECONNECT,
                                        "tls": {"ca": str(root.certificate)} | tls},
                               "healthy": other})
        return make_world(daemon, other, other)

    def _expect_refused(self, world: World, inner: ScriptedServer, error: str, *words: str, state: str = "failed") -> None:
        expect_told(world.daemon, error, *words, state=state)
        with pytest.raises(BlockingIOError):
            inner.accept_tcp(timeout=0)
        world.check_others()

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_one_version_only(self, version: str, kind: str, inner: ScriptedServer, processes: Processes, folder: Path,
                              root: SigningAuthority, leaf: Leaf, start_daemon: StartDaemon,
                              start_server: StartServer) -> None:
        end = TlsEnd(leaf, inner.port, version)
        world = self._start(kind, processes, folder, end, root, start_daemon, start_server)
        peer = inner.accept_and_upgrade()
        assert world.daemon.wait_state("feed", "ready")["tls"]["version"] == f"TLSv{version}"
        app = world.daemon.subscribe("feed")
        peer.send(text("through"))
        assert app.read_message().payload == b"through"
        world.check_others()

    def test_older_than_asked_for(self, kind: str, inner: ScriptedServer, processes: Processes, folder: Path,
                                  root: SigningAuthority, leaf: Leaf, start_daemon: StartDaemon,
                                  start_server: StartServer) -> None:
        end = TlsEnd(leaf, inner.port, "1.2")
        world = self._start(kind, processes, folder, end, root, start_daemon, start_server, min_version="1.3")
        self._expect_refused(world, inner, "tls_version", "tls.min_version")

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_without_the_client_certificate(self, version: str, kind: str, inner: ScriptedServer, processes: Processes,
                                            folder: Path, root: SigningAuthority, leaf: Leaf,
                                            start_daemon: StartDaemon, start_server: StartServer) -> None:
        end = TlsEnd(leaf, inner.port, version, root.certificate)
        world = self._start(kind, processes, folder, end, root, start_daemon, start_server)
        self._expect_refused(world, inner, "client_certificate_required", "client certificate")

    @pytest.mark.parametrize("form", ["pem", "pkcs12"])
    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_with_the_client_certificate(self, form: str, version: str, kind: str, inner: ScriptedServer,
                                         processes: Processes, folder: Path, root: SigningAuthority, leaf: Leaf,
                                         start_daemon: StartDaemon, start_server: StartServer) -> None:
        client = root.issue("client")
        settings = {"certificate": str(client.certificate), "key": str(client.key)}
        if form == "pkcs12":
            settings = {"pkcs12": str(pkcs12(folder / "client.p12", client, "hush-hush")), "password": "hush-hush"}
        end = TlsEnd(leaf, inner.port, version, root.certificate)
        world = self._start(kind, processes, folder, end, root, start_daemon, start_server, **settings)
        inner.accept_and_upgrade()
        world.daemon.wait_state("feed", "ready")
        world.check_others()
