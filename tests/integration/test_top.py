"""wskeep top, on a terminal and off it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.daemon import Daemon, build_folder, program_environment, run_program
from support.frames import text
from support.session import Session, StartDaemon, StartServer
from support.terminal import Terminal
from support.waiting import wait_for

StartTop = Callable[..., Terminal]


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in program_environment().items() if name not in ("NO_COLOR", "LC_ALL", "LANG")}
    return kept | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | more


@pytest.fixture
def start_top() -> Iterator[StartTop]:
    started: list[Terminal] = []

    def start(daemon: Daemon, *arguments: str, columns: int = 80, rows: int = 24, **environment: str) -> Terminal:
        started.append(Terminal([build_folder() / "wskeep", "--socket", daemon.socket, "top", "--interval", "200ms", *arguments],
                                _environment(**environment), columns, rows))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


@pytest.fixture
def three(start_daemon: StartDaemon, start_server: StartServer) -> Iterator[tuple[Daemon, Any]]:
    """A daemon with `alpha`, ready and with traffic, `beta`, which nobody answers, and `gamma`, ready."""
    server, other = start_server(), start_server()
    nobody = start_server(None)
    url = nobody.url
    nobody.stop_listening()
    daemon = start_daemon({"alpha": server, "beta": url, "gamma": other})
    peer = server.accept_and_upgrade()
    other.accept_and_upgrade()
    daemon.wait_state("alpha", "ready")
    daemon.wait_state("gamma", "ready")
    daemon.wait_error("beta", "connection_refused")
    yield daemon, peer


def _row(screen: str, name: str) -> str:
    found = [line for line in screen.splitlines() if name in line.split()[:2]]
    assert len(found) == 1, f"{name}: {found} in\n{screen}"
    return found[0]


def _order(screen: str) -> list[str]:
    words = [line.replace("▸", " ").split() for line in screen.splitlines()]
    return [line[0] for line in words if line and line[0] in ("alpha", "beta", "gamma")]


def _wait_for_order(top: Any, *names: str) -> None:
    """Of those that stand first. A screen may be seen half drawn, and `beta` is at times about to connect."""
    def shown() -> bool:
        top.take(0.05)
        return _order(top.screen.text)[:len(names)] == list(names)

    wait_for(shown, f"{names} stand first")


def test_on_a_terminal(three: tuple[Daemon, Any], start_top: StartTop) -> None:
    daemon, peer = three
    app = daemon.subscribe("alpha")
    top = start_top(daemon)
    screen = top.wait_for("alpha", "beta", "gamma", "3 connections", "MSG/S", "LAG", "READERS")
    assert top.screen.alternate and not top.screen.cursor_shown and top.screen.colored
    _wait_for_order(top, "alpha", "beta", "gamma")
    assert "1" in _row(screen, "alpha").split(), "a reader"
    # Rates are of the last interval.
    def has_a_rate() -> bool:
        peer.send(text("x" * 1000))
        top.take(0.01)
        return "KiB/s" in _row(top.screen.text, "alpha")

    wait_for(has_a_rate)
    app.close()
    top.press("q")
    assert top.wait_for_end() == 0
    assert not top.screen.alternate and top.screen.cursor_shown, "the terminal is as it was"
    assert top.screen.cleared == 1, "it is cleared at the begin alone: drawing anew would flicker"


def test_keys(three: tuple[Daemon, Any], start_top: StartTop) -> None:
    daemon, _ = three
    top = start_top(daemon)
    top.wait_for("alpha", "beta", "gamma")
    top.press("t")
    top.wait_for("by state")
    _wait_for_order(top, "beta")  # what is broken
    top.press("nr")
    top.wait_for("by name, turned round")
    _wait_for_order(top, "gamma", "beta", "alpha")
    top.press("r/ALPH")
    top.wait_for("filter: ALPH_", without="gamma ")
    top.press("\r")
    top.wait_for("filter: ALPH (1)")
    _wait_for_order(top, "alpha")
    top.press("\x1b")
    top.wait_for("alpha", "beta", "gamma", without="filter: ALPH")
    top.press(" ")
    top.wait_for("PAUSED")
    top.press(" ?")
    top.wait_for("Enter", "look into it", without="beta")
    top.press("q")
    # Down to beta, and into it.
    top.wait_for("beta")
    top.press("\x1b[B")
    top.wait_for("▸  beta")
    top.press("\r")
    screen = top.wait_for("beta", "Escape leads back", "Last error")
    assert "gamma" not in screen
    top.press("\x1b")
    top.wait_for("gamma")
    top.press("\x04")
    assert top.wait_for_end() == 0


def test_a_window_of_another_size(three: tuple[Daemon, Any], start_top: StartTop) -> None:
    daemon, _ = three
    top = start_top(daemon, columns=200, rows=40)
    top.wait_for("alpha", "BYTES", "OUT/S")
    top.resize(40, 10)
    top.wait_for("alpha", "NAME", without="OUT/S")
    top.resize(120, 5)
    top.wait_for("alpha")
    # However few rows there are, the chosen one is in sight.
    top.press("\x1b[F")
    top.wait_for("▸  gamma")
    top.press("q")
    assert top.wait_for_end() == 0


def test_without_colours(three: tuple[Daemon, Any], start_top: StartTop) -> None:
    top = start_top(three[0], NO_COLOR="1")
    top.wait_for("alpha", "gamma")
    assert not top.screen.colored
    top.press("q")
    assert top.wait_for_end() == 0


def test_a_daemon_that_goes_away_and_comes_back(session: Session, start_daemon: StartDaemon, start_top: StartTop) -> None:
    first = session.daemon
    top = start_top(first)
    top.wait_for("feed", "ready")
    first.end()
    top.wait_for("no daemon listens", "feed")
    start_daemon({"feed": session.server.url}, ipc={"socket": str(first.socket)})
    session.server.accept_and_upgrade()
    top.wait_for("feed", "ready", without="no daemon listens")
    top.press("q")
    assert top.wait_for_end() == 0


def _run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program("wskeep", ["--socket", daemon.socket, "top", "--interval", "100ms", *arguments])


def test_off_a_terminal(three: tuple[Daemon, Any]) -> None:
    daemon, _ = three
    for arguments in ([], ["--once"]):
        done = _run(daemon, *arguments)
        assert done.returncode == 0 and "\x1b" not in done.stdout, done
        assert _order(done.stdout) == ["alpha", "beta", "gamma"] and "0" in _row(done.stdout, "alpha")
    done = _run(daemon, "--batch", "3", "--sort", "state", "--filter", "a")
    assert _order(done.stdout) == ["beta", "alpha", "gamma"] * 3 and done.stdout.count("NAME") == 3
    done = _run(daemon, "--filter", "refused")
    assert _order(done.stdout) == ["beta"], "by its error"
    lines = [json.loads(line) for line in _run(daemon, "--batch", "2", "--json").stdout.splitlines()]
    assert [len(line["connections"]) for line in lines] == [3, 3]
    assert _run(daemon, "--sort", "colour").returncode == 2
    assert _run(daemon, "--once", "--batch", "2").returncode == 2


def test_what_it_shows_of_readers(session: Session) -> None:
    """The slowest reader's lag is in the list; who reads how far is in the connection."""
    assert session.daemon.connection("feed")["slowest_reader"] is None
    quick = session.daemon.subscribe_v1("feed")
    slow = session.daemon.subscribe("feed", receive_buffer=4096)
    lines = session.daemon.get("/v1/connections/feed/messages").lines  # one that has come and gone
    assert lines[0]["event"] == "hello"
    message = text("x" * 10_000)
    for _ in range(60):
        session.peer.send(message)
    for _ in range(60):
        quick.next_message()
    found = wait_for(lambda: (all_of_it := session.daemon.connection("feed"))["messages_in"] == 60
                     and len(all_of_it["readers"]) == 2 and all_of_it)
    kinds = {reader["kind"]: reader for reader in found["readers"]}
    assert set(kinds) == {"plain", "wskeep.v1"}
    behind, ahead = kinds["plain"], kinds["wskeep.v1"]
    assert found["readers"][0]["kind"] == "plain", "who is furthest behind stands first"
    assert behind["lag_messages"] > 0 and behind["waits"] and behind["unread_bytes"] > 0
    assert ahead["lag_messages"] == 0 and ahead["lag_ms"] == 0 and not ahead["waits"]
    assert ahead["sent_bytes"] > 600_000 > behind["sent_bytes"] and behind["lost_messages"] == 0
    assert (ahead["uid"], ahead["pid"]) == (os.getuid(), os.getpid())
    assert found["slowest_reader"]["lag_messages"] == behind["lag_messages"]
    assert found["ring"]["span_ms"] >= 0 and found["ring"]["bytes"] > 600_000
    shown = run_program("wskeep", ["--socket", session.daemon.socket, "show", "feed"]).stdout
    assert "Readers" in shown and "plain" in shown and "behind" in shown
    slow.close()


def test_bandwidth_and_how_it_varies(session: Session) -> None:
    def after_traffic() -> Any:
        session.peer.send(text("x" * 1000))
        bandwidth = session.daemon.connection("feed")["bandwidth"]
        return bandwidth["window_ms"] >= 1000 and bandwidth["in"]["most"] > 0 and bandwidth

    found = wait_for(after_traffic)
    assert 0 <= found["in"]["least"] <= found["in"]["mean"] <= found["in"]["most"]
    assert found["in"]["deviation"] <= found["in"]["most"]
    assert set(found["out"]) == {"mean", "least", "most", "deviation"}
    shown = run_program("wskeep", ["--socket", session.daemon.socket, "show", "feed"]).stdout
    assert "deviation" in shown
