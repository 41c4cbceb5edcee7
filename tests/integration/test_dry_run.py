"""`wskeep dry-run`: one session in the foreground, everything printed, nothing kept."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.certificates import Authority
from support.daemon import build_folder, program_environment, run_program, write_configuration
from support.frames import Opcode, text
from support.processes import free_port
from support.scripted_server import Peer, ScriptedServer
from support.session import StartServer
from support.waiting import wait_for

SECRET = "correct-horse-battery"


class DryRun:
    """`wskeep dry-run feed` in the background."""

    def __init__(self, folder: Path, authority: Authority, connection: dict[str, Any], *arguments: str) -> None:
        self.folder = folder
        self.file = write_configuration(folder / "wskeep.yaml", {
            "ipc": {"socket": str(folder / "no.sock")}, "state_directory": str(folder / "state"),
            "defaults": {"tls": {"ca": str(authority.certificate)}, "timeouts": {"close": "2s"}},
            "connections": {"feed": connection},
        })
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [build_folder() / "wskeep", "dry-run", "feed", "--config", self.file, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=program_environment() | {"DRY_RUN_SECRET": SECRET})

    @property
    def output(self) -> str:
        return self._output.read_text()

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.output, f"'{words}' in\n{self.output}")

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output.splitlines()]

    def end(self) -> int:
        return self.process.wait(DEADLINE)


Start = Callable[..., DryRun]


@pytest.fixture
def dry_run(folder: Path, authority: Authority) -> Iterator[Start]:
    started: list[DryRun] = []

    def start(connection: ScriptedServer | dict[str, Any], *arguments: str) -> DryRun:
        given = {"url": connection.url} if isinstance(connection, ScriptedServer) else connection
        started.append(DryRun(folder, authority, given, *arguments))
        return started[-1]

    yield start
    for run in started:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
        assert "Sanitizer" not in run.output, run.output


def _session() -> dict[str, Any]:
    return {
        "variables": {"channel": "trades", "symbols": ["btc", "eth"]},
        "open": [
            {"send": '{"op":"login","key":"${env:DRY_RUN_SECRET}","mac":"${hmac_sha256(env(\'DRY_RUN_SECRET\'), \'x\')}"}'},
            {"wait": {"json": {"/event": "login"}}, "set": {"sid": "/sid"}, "refuse": {"json": {"/event": "error"}}},
            {"send": '{"sub":"${channel}@${symbol}","sid":"${sid}"}', "repeat": {"symbol": "symbols"}},
        ],
        "heartbeat": {"every": "100ms", "send": '{"op":"ping"}', "expect": {"json": {"/op": "pong"}}},
        "close": {"send": '{"op":"bye"}', "code": 1000},
    }


def _say(peer: Peer, message: Any) -> None:
    peer.send(text(json.dumps(message)))


def _hear(peer: Peer) -> Any:
    return json.loads(peer.read_until(Opcode.TEXT, timeout=DEADLINE).payload)


def _log_in(server: ScriptedServer) -> Peer:
    peer = server.accept_and_upgrade()
    assert _hear(peer)["key"] == SECRET
    _say(peer, {"event": "login", "sid": "server-sid-1"})
    assert [_hear(peer)["sub"] for _ in range(2)] == ["trades@btc", "trades@eth"]
    return peer


def _answer_close(peer: Peer) -> int:
    """What our side closed with."""
    frame = peer.read_until(Opcode.CLOSE, timeout=DEADLINE)
    peer.send(frames.close(1000))
    peer.end()
    return int.from_bytes(frame.payload[:2], "big")


def test_every_step_and_message_is_shown_and_no_secret(dry_run: Start, start_server: StartServer) -> None:
    server = start_server()
    run = dry_run({"url": server.url, "session": _session()})
    peer = _log_in(server)
    assert _hear(peer) == {"op": "ping"}
    _say(peer, {"op": "pong"})
    run.wait_for("heartbeat: answered")
    peer.send(text("x" * 10_000) + frames.frame(Opcode.BINARY, b"\x00\xff"))
    run.wait_for("binary 2 B  \\x00\\xff")
    # Ctrl-C: it says farewell and closes as the script says.
    run.process.send_signal(signal.SIGINT)
    while _hear(peer) != {"op": "bye"}:
        pass
    assert _answer_close(peer) == 1000
    assert run.end() == 0, run.output

    lines = [line[12:].rstrip() for line in run.output.splitlines()]
    url = server.url
    for expected in (
        f"connecting to {url}",
        'open[0]: send {"op":"login","key":"${env:DRY_RUN_SECRET}","mac":"${hmac_sha256(env(\'DRY_RUN_SECRET\'), \'x\')}"}',
        "open[1]: wait up to 10s for a message with /event = login, then set sid to /sid of the message; "
        "but a message with /event = error ends the session, and a new one is tried at the slowest pace",
        "open[1]: condition 1 is met",
        "open[1]: sets sid",
        "open[1]: done",
        'open[2].send: 41 B  {"sub":"trades@btc","sid":"***"}',
        'open[2].send: 41 B  {"sub":"trades@eth","sid":"***"}',
        "ready",
        '14 B  {"op": "pong"}',
        'close.send: 12 B  {"op":"bye"}',
    ):
        assert expected in lines, f"{expected}\nin\n{run.output}"
    assert any(line.startswith("open[0].send: ") and line.endswith('{"op":"login","key":"***","mac":"***"}')
               for line in lines), run.output
    assert any(line.startswith("9.8 KiB  xxx") for line in lines), run.output
    assert lines[-2].startswith("closed after ") and lines[-2].endswith("close code 1000"), run.output
    assert lines[-1].startswith("was ready; 4 messages ("), run.output
    assert SECRET not in run.output


def test_values_are_shown_when_asked_for(dry_run: Start, start_server: StartServer) -> None:
    server = start_server()
    run = dry_run({"url": server.url, "session": _session()}, "--show-values", "--messages", "1")
    peer = _log_in(server)
    assert _answer_close(peer) == 1000
    assert run.end() == 0
    assert SECRET in run.output and "sets sid to server-sid-1" in run.output, run.output


def test_what_was_not_met_is_named(dry_run: Start, start_server: StartServer) -> None:
    session = {"open": [{"send": "hello"}, {"wait": {"json": {"/event": "subscribed"}}, "timeout": "200ms"}]}
    server = start_server()
    run = dry_run({"url": server.url, "session": session})
    peer = server.accept_and_upgrade()
    assert peer.read_until(Opcode.TEXT).payload == b"hello"
    _answer_close(peer)
    assert run.end() == 6, "it never became ready"
    assert "script_timeout" in run.output and "open[1] waited in vain for a message with /event = subscribed" in run.output
    assert "never became ready" in run.output


def test_a_failed_attempt_is_explained_and_is_the_only_one(dry_run: Start) -> None:
    run = dry_run({"url": f"wss://localhost:{free_port()}/"})
    assert run.end() == 6
    assert "not connected: connection_refused" in run.output
    assert "Check the port in the URL" in run.output, "advice, as `why` has it"
    assert run.output.count("connecting to") == 1


def test_events_as_json_nothing_kept_and_an_end_by_time(dry_run: Start, start_server: StartServer, folder: Path) -> None:
    server = start_server()
    run = dry_run(server, "--json", "--for", "1s")
    peer = server.accept_and_upgrade()
    _say(peer, {"n": 1})
    _answer_close(peer)
    assert run.end() == 0
    events = run.events()
    assert [event["event"] for event in events] == ["connecting", "opened", "ready", "received", "ended", "finished"]
    assert events[3]["text"] == '{"n": 1}' and events[3]["size"] == 8
    assert events[-1]["reason"] == "time" and events[-1]["ready"] is True and events[-1]["messages_in"] == 1
    assert {path.name for path in folder.iterdir()} == {"wskeep.yaml", "output"}, "no socket, no state"


def test_upstream_ends_it(dry_run: Start, start_server: StartServer) -> None:
    server = start_server()
    run = dry_run(server)
    peer = server.accept_and_upgrade()
    peer.send(frames.close(4001, "token expired"))
    peer.end()
    assert run.end() == 0, "it was ready"
    assert "close code 4001: closed_by_peer: upstream closed with 4001: token expired" in run.output


def test_wrong_names_and_files(folder: Path) -> None:
    file = write_configuration(folder / "c.yaml", {"connections": {"trades": {"url": "ws://127.0.0.1:1/"}}})
    done = run_program("wskeep", ["dry-run", "trade", "--config", file])
    assert done.returncode == 4 and "did you mean 'trades'" in done.stderr, done
    file.write_text("connections: {trades: {uri: 1}}\n")
    done = run_program("wskeep", ["dry-run", "trades", "--config", file])
    assert done.returncode == 5 and f"{file}:1:" in done.stderr, done
    done = run_program("wskeep", ["dry-run", "trades", "--for", "soon"])
    assert done.returncode == 2 and "no duration" in done.stderr, done
