"""Connect budgets, which outlive the daemon, and a thousand connections that are dropped at once."""

from __future__ import annotations

import json
import resource
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import free_port
from support.session import StartDaemon, StartServer
from support.storm_server import StormServer
from support.waiting import wait_for

MANY = 1_000


def _used(daemon: object, name: str = "feed") -> int:
    return daemon.connection(name)["budgets"][0]["used"]  # type: ignore[attr-defined]


def test_a_spent_budget_is_waited_for(start_daemon: StartDaemon) -> None:
    url = f"ws://127.0.0.1:{free_port()}/"
    daemon = start_daemon({"feed": {"url": url, "reconnect": {"initial": "1ms", "max": "5ms", "budget": "3/1h"}}})
    error = daemon.wait_error("feed", "budget_spent")
    assert "reconnect.budget" in error["message"] and "3/1h" in error["message"]
    shown = daemon.wait_state("feed", "backing_off")
    assert shown["budgets"] == [{"rule": "reconnect.budget", "host": None, "used": 3, "limit": 3, "per_ms": 3_600_000}]
    assert shown["next_attempt"] is not None
    attempts = daemon.get("/v1/connections/feed/attempts").json
    assert len(attempts["cycles"]) == 3 and attempts["cycles"][-1]["next"]["rule"] == "reconnect.budget"
    samples = daemon.metrics()["wskeep_connect_budget_used"].samples
    assert [(sample.labels, sample.value) for sample in samples] == [({"connection": "feed"}, 3)]


def test_a_hosts_budget_is_shared(start_daemon: StartDaemon) -> None:
    url = f"ws://127.0.0.1:{free_port()}/"
    daemon = start_daemon({"one": url, "two": url}, connects={"hosts": {"127.0.0.1": "4/1h"}})
    for name in ("one", "two"):
        assert "connects.hosts 127.0.0.1" in daemon.wait_error(name, "budget_spent")["message"]
    assert daemon.metrics()["wskeep_host_connect_budget_used"].samples[0].value == 4


@pytest.mark.parametrize("by_environment", [False, True], ids=["state_directory", "STATE_DIRECTORY"])
def test_budgets_outlive_the_daemon(by_environment: bool, folder: Path, start_daemon: StartDaemon,
                                    start_server: StartServer) -> None:
    state = folder / "state"
    server = start_server()
    # By its number: of a name with several addresses, each that is tried counts.
    url = f"wss://127.0.0.1:{server.port}/"
    settings = {"url": url, "reconnect": {"initial": "1ms", "max": "5ms", "budget": "5/1h"}}
    given = ({"environment": {"STATE_DIRECTORY": f"{state}:{folder}/other"}} if by_environment
             else {"state_directory": str(state)})
    for life in range(5):
        daemon = start_daemon({"feed": settings}, **given)
        server.accept_and_upgrade()
        daemon.wait_state("feed", "ready")
        assert _used(daemon) == life + 1
        if life % 2:  # without a word: what it did is in the file within a second all the same
            wait_for(lambda: len(json.loads((state / "connects.json").read_text())["connections"]["feed"]["times"])
                     == life + 1, "it is written")
            daemon.expected_exit = -9
            daemon.process.kill()
            daemon.process.wait()
        else:
            daemon.end()
    assert stat.S_IMODE((state / "connects.json").stat().st_mode) == 0o600
    daemon = start_daemon({"feed": settings}, **given)
    daemon.wait_error("feed", "budget_spent")
    with pytest.raises(TimeoutError):
        server.accept_tcp(timeout=0.5)


def test_a_broken_state_file_is_replaced(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    (folder / "connects.json").write_text('{"version": 1, "connec')
    server = start_server()
    daemon = start_daemon({"feed": server}, state_directory=str(folder))
    server.accept_and_upgrade()
    wait_for(lambda: daemon.log_has("state_unreadable", "connects.json"), "it says so")
    wait_for(lambda: (folder / "connects.json").read_text().endswith("}\n"), "it is written anew")


def test_two_daemons_do_not_share_a_directory(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    servers = [start_server(), start_server()]
    first = start_daemon({"feed": servers[0]}, state_directory=str(folder))
    second = start_daemon({"feed": servers[1]}, state_directory=str(folder))
    for server in servers:
        server.accept_and_upgrade()
    wait_for(lambda: second.log_has("state_not_kept", "another wskeepd"), "the second says so")
    second.wait_state("feed", "ready")
    assert not first.log_has("state_not_kept")


def test_a_directory_that_cannot_be_used_is_told_of(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server}, state_directory=str(folder / "not" / "there"))
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: daemon.log_has("state_not_kept", "state_directory"), "it says what to do")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MANY
    if before[1] != resource.RLIM_INFINITY and before[1] < wanted:
        pytest.skip(f"needs {wanted} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], wanted), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_descriptors")
def test_a_thousand_dropped_at_once_come_back(start_daemon: StartDaemon, server_context: ssl.SSLContext) -> None:
    limit = 8
    server = StormServer(server_context)
    try:
        daemon = start_daemon({f"c{number}": server.url for number in range(MANY)},
                              defaults={"history": "4KiB", "max_message": "1KiB", "reconnect": {"initial": "3s", "max": "6s"},
                                        "timeouts": {"close": "500ms", "connect": "60s", "address": "30s", "resolve": "30s"},
                                        "tls": {"verify": False}},
                              connects={"handshakes": limit}, shutdown="20s")
        wait_for(lambda: server.upgraded >= MANY, "all are there", timeout=120)
        server.drop_all()
        wait_for(lambda: server.upgraded >= MANY, "all are back", timeout=120)
        assert server.upgraded == MANY, "each once"

        def ready() -> bool:
            return daemon.get("/v1/status").json["states"]["ready"] == MANY

        wait_for(ready, "all are ready", timeout=30)
        # One that lasts a second loses its place, for the server may hang.
        if server.longest_handshake < 0.9:
            assert server.most_in_flight <= limit
        assert server.most_in_flight > 1, "they do overlap"
        spread = max(server.accepted_at) - min(server.accepted_at)
        assert spread > 1.5, "drawn from three seconds"
        assert daemon.metrics()["wskeep_handshakes_limit"].samples[0].value == limit
        daemon.terminate()
    finally:
        server.close()
