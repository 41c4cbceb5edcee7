"""`wskeep why`, and what people do about it: reconnect, pause, resume."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.byte_stream import DEADLINE
from support.certificates import Authority
from support.daemon import Daemon, build_folder, program_environment, run_program
from support.frames import Opcode, text
from support.processes import free_port
from support.scripted_server import ScriptedServer
from support.session import Session, StartDaemon, StartServer
from support.waiting import wait_for

# What fails stays failed for long enough to be asked about.
CALM = {"initial": "1h", "max": "1h"}


def _why(daemon: Daemon, name: str, *arguments: str) -> str:
    done = run_program("wskeep", ["--socket", daemon.socket, "why", name, *arguments])
    assert done.returncode == 0, done
    return done.stdout


def _run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_program("wskeep", ["--socket", daemon.socket, *arguments])


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops what asks for a connection."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    yield listener.getsockname()[1]
    for each in [*fillers, listener]:
        each.close()


@pytest.fixture
def answer_all(start_server: StartServer) -> Iterator[Callable[[ScriptedServer, bytes], None]]:
    """Gives one answer to each client of a server, for as long as the test runs."""
    threads = []

    def start(server: ScriptedServer, answer: bytes) -> None:
        def serve() -> None:
            while True:
                try:
                    peer = server.accept()
                    peer.send(answer)
                    peer.close()
                except (OSError, AssertionError):
                    return

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()

    yield start


@pytest.fixture
def broken(start_daemon: StartDaemon, start_server: StartServer, folder: Path, silent_port: int,
           answer_all: Callable[[ScriptedServer, bytes], None]) -> Daemon:
    """A daemon with a connection for each way to fail, all of which have failed."""
    forbidding = start_server()
    answer_all(forbidding, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    stranger = Authority(folder / "stranger", "somebody else").issue("stranger")
    untrusted = start_server(stranger.server_context())

    def shake_hands() -> None:
        try:
            untrusted.accept()
        except (OSError, AssertionError):
            pass  # the daemon hangs up: that is what is tested

    threading.Thread(target=shake_hands, daemon=True).start()
    daemon = start_daemon({
        "refused": f"wss://127.0.0.1:{free_port()}/",
        "silent": f"wss://127.0.0.1:{silent_port}/",
        "untrusted": untrusted.url,
        "forbidden": {"url": forbidding.url, "reconnect": CALM | {"on_status": {"403": "slow"}}},
        "nameless": "wss://no-such-host.invalid/",
    }, defaults={"reconnect": CALM, "timeouts": {"address": "300ms", "close": "500ms"}})
    for name in ("refused", "silent", "untrusted", "forbidden", "nameless"):
        daemon.wait_state(name, "backing_off", "failed")
    return daemon


@pytest.mark.parametrize(("name", "error", "words"), [
    ("refused", "connection_refused", ["tcp", "the usual back-off", "Check the port"]),
    ("silent", "address_timeout", ["tcp 3", "the usual back-off", "See which stage hangs"]),
    ("untrusted", "certificate_issuer_unknown", ["tls", "reconnect.on_lasting says slow", "tls.ca"]),
    ("forbidden", "http_unauthorized", ["http", "because reconnect.on_status 403 says slow", "Renew the token"]),
    ("nameless", "resolve_failed", ["DNS no-such-host.invalid", "the usual back-off", "Check the host"]),
])
def test_why_names_the_error_the_stage_and_what_comes_next(broken: Daemon, name: str, error: str, words: list[str]) -> None:
    shown = _why(broken, name)
    first, *rest = shown.splitlines()
    assert first.startswith(f"x {name} is not connected: {error}; next attempt in "), shown
    # Wrapped lines count as one.
    joined = " ".join(line.strip() for line in rest)
    for each in words:
        assert each in joined, shown
    assert max(map(len, shown.splitlines())) <= 80 and shown.isascii(), shown

    told = json.loads(_why(broken, name, "--json"))
    assert told["name"] == name and told["last_error"]["error"] == error
    assert told["advice"] and told["next_attempt"]
    last = told["cycles"][-1]
    assert last["failure"]["error"] == error and last["next"]["rule"]


def test_the_whole_of_show_and_list_goes_with_it(broken: Daemon) -> None:
    shown = _run(broken, "show", "forbidden").stdout
    assert "403: slow" in shown and "reconnect.budget" in shown and "next attempt" in shown, shown
    assert "NOT VERIFIED" not in shown


def test_a_certificate_that_is_not_verified_is_shown_loudly(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "tls": {"ca": "", "verify": False}}})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    shown = _run(daemon, "show", "feed").stdout
    assert "NOT VERIFIED" in shown and "Warnings" in shown, shown


def test_why_of_a_ready_connection(session: Session) -> None:
    shown = _why(session.daemon, "feed")
    assert shown.startswith("* feed is connected") and "nothing has failed" in shown, shown
    session.peer.reset()
    session.next_peer()
    shown = _why(session.daemon, "feed")
    assert shown.startswith("* feed is connected") and "connection_reset" in shown, shown
    assert "the session lived" in shown and "attempt 2" in shown, shown


def _on_a_terminal(daemon: Daemon, columns: int, *arguments: str) -> str:
    """What the command writes to a terminal of that width."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run(["stty", "cols", str(columns), "rows", "50"], stdin=theirs, check=True, timeout=DEADLINE)
        environment = program_environment() | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        environment.pop("NO_COLOR", None)
        process = subprocess.Popen([build_folder() / "wskeep", "--socket", daemon.socket, *arguments], stdin=theirs, stdout=theirs,
                                   stderr=theirs, env=environment)
        os.close(theirs)
        theirs = -1
        output = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            output += piece
        assert process.wait(DEADLINE) == 0, output
        return output.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_the_picture_fits_the_terminal(broken: Daemon, columns: int) -> None:
    for name in ("forbidden", "untrusted"):
        shown = _on_a_terminal(broken, columns, "why", name)
        assert "\x1b[31m" in shown and "✗" in shown and "▒" in shown, shown
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        assert "\x1b" not in plain
        assert max(map(len, plain.splitlines())) <= columns, plain


def test_what_a_server_says_is_not_obeyed(start_daemon: StartDaemon, start_server: StartServer,
                                          answer_all: Callable[[ScriptedServer, bytes], None]) -> None:
    server = start_server()
    answer_all(server, b"HTTP/1.1 403 \x1b[2JGone\r\nContent-Length: 9\r\n\r\n\x1b]0;evil\x07")
    daemon = start_daemon({"feed": server.url}, defaults={"reconnect": CALM})
    daemon.wait_state("feed", "failed", "backing_off")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", _on_a_terminal(daemon, 80, "why", "feed"))
    assert "\x1b" not in shown and "\x07" not in shown, repr(shown)


def test_pause_resume_reconnect(session: Session) -> None:
    daemon = session.daemon
    done = _run(daemon, "pause", "feed")
    assert done.returncode == 0 and done.stdout.startswith("feed: "), done
    session.peer.read_close()
    session.peer.close()
    daemon.wait_state("feed", "paused")
    assert "feed is paused" in _why(daemon, "feed") and "wskeep resume feed" in _why(daemon, "feed")
    assert "paused" in _run(daemon, "list").stdout

    # Whoever waits leaves when it is ready, and not before.
    done = _run(daemon, "resume", "feed", "--wait=1ms")
    assert done.returncode == 6 and "wskeep why feed" in done.stderr, done
    session.next_peer()
    assert _run(daemon, "resume", "feed", "--wait").stdout == "feed: ready\n"

    waiting = _start(daemon, "reconnect", "--all", "--wait")
    session.peer.read_close()
    session.peer.close()
    session.next_peer()
    assert waiting.communicate(timeout=DEADLINE)[0] == "feed: ready\n" and waiting.returncode == 0
    session.peer.send(text("after"))
    wait_for(lambda: daemon.connection("feed")["messages_in"] == 1)
    assert daemon.connection("feed")["sessions"] == 3


def _start(daemon: Daemon, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([build_folder() / "wskeep", "--socket", daemon.socket, *arguments], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True, env=program_environment())


def test_controls_of_what_is_not_there(session: Session) -> None:
    for command in ("reconnect", "pause", "resume"):
        done = _run(session.daemon, command, "other")
        assert done.returncode == 4 and "other" in done.stderr, done
    assert _run(session.daemon, "why", "other").returncode == 4
    assert session.daemon.connection("feed")["state"] == "ready"


def test_a_policy_that_says_stop_says_how_to_go_on(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    settings: dict[str, Any] = {"url": server.url, "reconnect": {"on_status": {"410": "stop"}}}
    daemon = start_daemon({"feed": settings})
    peer = server.accept()
    peer.send(b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")
    daemon.wait_state("feed", "failed")
    shown = " ".join(_why(daemon, "feed").split())
    assert "nothing more is tried" in shown and "reconnect.on_status 410 says stop" in shown, shown
    assert "wskeep reconnect feed" in shown
    waiting = _start(daemon, "reconnect", "feed", "--wait")
    server.accept_and_upgrade()
    assert waiting.communicate(timeout=DEADLINE)[0] == "feed: ready\n" and waiting.returncode == 0


def test_the_step_that_an_opening_is_at_and_the_one_that_was_in_vain(start_daemon: StartDaemon, start_server: StartServer) -> None:
    def connection(server: ScriptedServer, timeout: str) -> dict[str, Any]:
        return {"url": server.url, "reconnect": CALM, "session": {"open": [
            {"send": "hello"}, {"wait": {"json": {"/event": "subscribed"}}, "timeout": timeout}]}}

    patient, hasty = start_server(), start_server()
    daemon = start_daemon({"patient": connection(patient, "1h"), "hasty": connection(hasty, "100ms")})
    peers = [patient.accept_and_upgrade(), hasty.accept_and_upgrade()]
    assert [peer.read_until(Opcode.TEXT).payload for peer in peers] == [b"hello", b"hello"]

    shown = wait_for(lambda: text if "open[1] wait" in (text := _why(daemon, "patient")) else None)
    assert "step open[1], waits for a message with /event = subscribed" in shown
    assert "is being opened" in shown
    assert "is being done: waits for a message with /event = subscribed" in _run(daemon, "show", "patient").stdout

    daemon.wait_error("hasty", "script_timeout")
    shown = _why(daemon, "hasty")
    assert re.search(r"x open\[1\] wait .*\n +waited in vain for a message with /event = subscribed\n", shown), shown
    assert "waited in vain for a message with /event = subscribed" in _run(daemon, "show", "hasty").stdout
