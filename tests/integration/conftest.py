"""What the integration tests share: a daemon, its upstreams, certificates. Everything made is unmade at the end."""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority, Leaf
from support.daemon import QUICK_RECONNECT, Daemon, build_folder
from support.enforcing_server import Upstream
from support.examples import StartExample, example
from support.processes import Processes
from support.scripted_server import ScriptedServer
from support.service import installed, service  # noqa: F401: fixtures
from support.session import Session, StartDaemon, StartServer, StartSession

# Whoever starts the tests in the background of a script hands SIGINT down ignored; what is tested must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    for program in ("wskeepd", "wskeep"):
        if not (build_folder() / program).is_file():
            raise pytest.UsageError(f"{build_folder() / program} is not built: scripts/test builds it")


# Of what is installed: they make Debian trees, boot a systemd, need packages of a gigabyte. `scripts/test system` runs them.
_SYSTEM = {"test_package.py", "test_systemd.py", "test_systemd_life.py", "test_systemd_mistakes.py", "test_first_five_minutes.py", "test_image.py", "test_monitoring.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("WSKEEP_TEST_SYSTEM"):
        return
    for item in items:
        if item.path.name in _SYSTEM:
            item.add_marker(pytest.mark.skip(reason="scripts/test system runs it"))


@pytest.fixture(autouse=True)
def end_what_hangs() -> Iterator[None]:
    """A test that hangs ends the run and says where, instead of holding it up for ever."""
    faulthandler.dump_traceback_later(600, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def authority() -> Iterator[Authority]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-ca-"))
    yield Authority(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_certificate(authority: Authority) -> Leaf:
    return authority.issue("server")


@pytest.fixture(scope="session")
def server_context(server_certificate: Leaf) -> ssl.SSLContext:
    return server_certificate.server_context()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Like tmp_path, but short: the path of a Unix socket has at most 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="wskeep-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def processes(folder: Path) -> Iterator[Processes]:
    started = Processes(folder)
    yield started
    started.end()


@pytest.fixture
def servers() -> Iterator[list[ScriptedServer]]:
    started: list[ScriptedServer] = []
    yield started
    for server in started:
        server.close()


@pytest.fixture
def start_server(server_context: ssl.SSLContext, servers: list[ScriptedServer]) -> StartServer:
    """Starts scripted servers, with TLS unless told otherwise."""

    def start(context: ssl.SSLContext | None = server_context) -> ScriptedServer:
        servers.append(ScriptedServer(context))
        return servers[-1]

    return start


@pytest.fixture
def start_daemon(folder: Path, authority: Authority, servers: list[ScriptedServer]) -> Iterator[StartDaemon]:
    """Starts daemons: `start_daemon({"name": server_or_url_or_settings}, threads=4, ...)`.

    Connections trust the test authority and reconnect within milliseconds unless their settings say otherwise.
    """
    daemons: list[Daemon] = []

    def start(connections: dict[str, ScriptedServer | str | dict[str, Any]], **settings: Any) -> Daemon:
        environment = settings.pop("environment", None)
        entries: dict[str, dict[str, Any]] = {}
        for name, given in connections.items():
            if isinstance(given, ScriptedServer):
                given = given.url
            entries[name] = {"url": given} if isinstance(given, str) else given
        defaults = {"tls": {"ca": str(authority.certificate)}, "reconnect": QUICK_RECONNECT,
                    "timeouts": {"close": "500ms"}} | settings.pop("defaults", {})
        all_settings = {"defaults": defaults, "connections": entries, "shutdown": "2s"} | settings
        # Tests do within a second what takes others hours, and read of it in the log.
        all_settings["log"] = {"rate": "off"} | all_settings.get("log", {})
        own = folder / f"daemon{len(daemons)}"
        own.mkdir()
        daemons.append(Daemon(own, all_settings, environment))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.terminate()
    # Nobody plays the servers' part any more: so that the daemons need not wait for an answer to their Close, they go.
    for server in servers:
        server.close()
    faults = []
    for daemon in daemons:
        try:
            daemon.end()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def start_example(folder: Path, authority: Authority) -> Iterator[StartExample]:
    """Starts daemons with a file of config/examples/; see `StartExample`."""
    daemons: list[Daemon] = []
    servers: list[Upstream] = []

    def start(name: str, server: Upstream, substitutions: dict[str, str] | None = None, *,
              files: dict[str, str] | None = None, environment: dict[str, str] | None = None) -> Daemon:
        servers.append(server)
        own = folder / f"example{len(daemons)}"
        own.mkdir()
        for file, text in (files or {}).items():
            (own / file).write_text(text)
        trusted = {"SSL_CERT_FILE": str(authority.certificate)}
        daemons.append(Daemon(own, example(name, server, substitutions or {}, own), trusted | (environment or {})))
        return daemons[-1]

    yield start
    for daemon in daemons:
        daemon.terminate()
    try:
        for daemon in daemons:
            daemon.end()
    finally:
        for server in servers:
            server.close()


@pytest.fixture
def start_session(start_daemon: StartDaemon, start_server: StartServer) -> StartSession:
    """`start_session(history="64KiB", daemon={"threads": 2})`: keywords are settings of the connection."""

    def start(**settings: Any) -> Session:
        of_daemon = settings.pop("daemon", {})
        server = start_server()
        daemon = start_daemon({"feed": {"url": server.url} | settings}, **of_daemon)
        peer = server.accept_and_upgrade()
        daemon.wait_state("feed", "ready")
        return Session(daemon, server, peer)

    return start


@pytest.fixture
def session(start_session: StartSession) -> Session:
    return start_session()
