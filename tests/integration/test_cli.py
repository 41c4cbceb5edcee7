"""wskeep, as people and scripts use it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support.byte_stream import DEADLINE
from support.daemon import Daemon, build_folder, program_environment, run_program
from support.frames import Opcode, frame, text
from support.processes import Processes, free_port
from support.session import Session, StartDaemon
from support.waiting import wait_for


def _run(daemon: Daemon, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return run_program("wskeep", ["--socket", daemon.socket, *arguments], stdin=stdin)


def _fill(session: Session, *messages: bytes) -> None:
    last = session.daemon.connection("feed")["ring"]["last"]
    session.peer.send(b"".join(messages))
    wait_for(lambda: session.daemon.connection("feed")["ring"]["last"] == last + len(messages))


def test_list(session: Session) -> None:
    done = _run(session.daemon, "list")
    assert done.returncode == 0, done
    assert "feed" in done.stdout and "ready" in done.stdout and "\x1b" not in done.stdout, "no colours in a pipe"
    done = _run(session.daemon, "--json", "list")
    assert "feed" in json.dumps(json.loads(done.stdout))
    assert _run(session.daemon, "list", "--names").stdout == "feed\n"


def test_the_socket_may_be_named_by_the_environment(session: Session) -> None:
    done = run_program("wskeep", ["list"], environment={"WSKEEP_SOCKET": str(session.daemon.socket)})
    assert done.returncode == 0 and "feed" in done.stdout


def test_show(session: Session) -> None:
    done = _run(session.daemon, "show", "feed")
    assert done.returncode == 0 and session.server.url in done.stdout, done
    done = _run(session.daemon, "show", "--json", "feed")
    assert json.loads(done.stdout)["name"] == "feed"
    done = _run(session.daemon, "show", "other")
    assert done.returncode == 4 and "other" in done.stderr and not done.stdout


def test_status(session: Session) -> None:
    done = _run(session.daemon, "status")
    assert done.returncode == 0 and done.stdout, done


def test_no_daemon(folder: Path) -> None:
    for command in (["list"], ["show", "feed"], ["why", "feed"], ["pause", "feed"], ["resume", "--all"], ["tail", "feed"],
                    ["send", "feed", "x"]):
        done = run_program("wskeep", ["--socket", folder / "nothing.sock", *command])
        assert done.returncode == 3, done
        assert str(folder / "nothing.sock") in done.stderr


@pytest.mark.parametrize("arguments", [[], ["frobnicate"], ["show"], ["why"], ["pause"], ["tail", "feed", "--from", "middle"], ["list", "--nonsense"]])
def test_wrong_arguments(arguments: list[str]) -> None:
    done = run_program("wskeep", arguments)
    assert done.returncode == 2 and done.stderr and not done.stdout, done


def test_tail(session: Session) -> None:
    _fill(session, text("one"), text("Grüße, 世界"), text('{"a":1}'))
    done = _run(session.daemon, "tail", "feed", "--from", "oldest", "--limit", "3")
    assert (done.returncode, done.stdout, done.stderr) == (0, 'one\nGrüße, 世界\n{"a":1}\n', "")
    epoch = session.daemon.connection("feed")["ring"]["epoch"]
    done = _run(session.daemon, "tail", "feed", "--after", f"{epoch}:2", "--limit", "1")
    assert (done.returncode, done.stdout) == (0, '{"a":1}\n')
    assert _run(session.daemon, "tail", "other").returncode == 4


def test_tail_as_it_comes(session: Session, processes: Processes) -> None:
    tail = processes.start([build_folder() / "wskeep", "--socket", session.daemon.socket, "tail", "feed", "--events"],
                           program_environment())
    tail.wait_for_output('"hello"')
    session.peer.send(text("now"))
    tail.wait_for_output("now\n")
    session.peer.reset()
    session.next_peer()
    tail.wait_for_output('"disconnected"')
    tail.wait_for_output('"connected"')
    tail.process.send_signal(signal.SIGINT)
    assert tail.process.wait(DEADLINE) == 130


def _pipeline(session: Session, rest: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-o", "pipefail", "-c", f'"$WSKEEP" tail feed --from oldest {rest}; echo "code ${{PIPESTATUS[0]}}" >&2'],
                          capture_output=True, text=True, timeout=DEADLINE, env=program_environment() | {
                              "WSKEEP": str(build_folder() / "wskeep"), "WSKEEP_SOCKET": str(session.daemon.socket)})


def test_tail_into_jq(session: Session) -> None:
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    _fill(session, *[text(json.dumps({"price": number})) for number in range(100)])
    done = _pipeline(session, "--limit 100 | jq .price")
    assert done.stdout == "".join(f"{number}\n" for number in range(100))
    assert done.stderr == "code 0\n"


def test_tail_into_head_ends_quietly(session: Session) -> None:
    _fill(session, *[text(f"{number:0200d}") for number in range(2_000)])
    done = _pipeline(session, "| head -n 1")
    assert done.stdout == f"{0:0200d}\n"
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("code "), f"no complaint: {done.stderr}"


def test_tail_ends_when_the_daemon_goes(session: Session, processes: Processes) -> None:
    _fill(session, text("kept"))
    tail = processes.start([build_folder() / "wskeep", "--socket", session.daemon.socket, "tail", "feed", "--from", "oldest"],
                           program_environment())
    tail.wait_for_output("kept\n")
    session.daemon.terminate()
    assert tail.process.wait(DEADLINE) == 6
    assert session.daemon.wait() == 0


def test_send(session: Session) -> None:
    done = _run(session.daemon, "send", "feed", "Grüße")
    assert done.returncode == 0, done
    received = session.peer.read_until(Opcode.TEXT, Opcode.BINARY)
    assert (received.opcode, received.payload.decode()) == (Opcode.TEXT, "Grüße")
    assert _run(session.daemon, "send", "feed", stdin="one\ntwo\n").returncode == 0
    assert [session.peer.read_until(Opcode.TEXT).payload for _ in range(2)] == [b"one", b"two"]
    assert _run(session.daemon, "send", "feed", "--whole", stdin="one\ntwo\n").returncode == 0
    assert session.peer.read_until(Opcode.TEXT).payload.rstrip(b"\n") == b"one\ntwo"
    assert _run(session.daemon, "send", "feed", "--binary", "bytes").returncode == 0
    received = session.peer.read_until(Opcode.TEXT, Opcode.BINARY)
    assert (received.opcode, received.payload) == (Opcode.BINARY, b"bytes")
    assert _run(session.daemon, "send", "other", "x").returncode == 4


def test_send_while_disconnected(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": f"wss://localhost:{free_port()}/"})
    done = _run(daemon, "send", "feed", "x")
    assert done.returncode == 6 and done.stderr, done


def test_check(folder: Path) -> None:
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text("connections: {feed: {url: wss://example.com/}}\n")
    bad.write_text("connections: {feed: {uri: wss://example.com/}}\n")
    assert run_program("wskeep", ["check", good]).returncode == 0
    done = run_program("wskeep", ["check", bad])
    assert done.returncode == 5
    assert f"{bad}:1:" in done.stdout + done.stderr and "url" in done.stdout + done.stderr


def test_tail_shows_binary_messages(session: Session) -> None:
    _fill(session, frame(Opcode.BINARY, b"\x00\xff\x1b[31m"), text("after"))
    done = _run(session.daemon, "tail", "feed", "--from", "oldest", "--limit", "2")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[-1] == "after" and len(lines) == 2, "a message is a line"


def test_help_names_every_command() -> None:
    done = run_program("wskeep", ["--help"])
    assert done.returncode == 0
    for command in ("list", "show", "why", "reconnect", "pause", "resume", "tail", "send", "check"):
        assert command in done.stdout
