"""Clients that nobody here wrote, by every way in: WebSocket plain and `wskeep.v1`, NDJSON, POST."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.byte_stream import DEADLINE
from support.frames import Opcode, text
from support.processes import Processes, Program, need
from support.session import Session

PEERS = Path(__file__).resolve().parent / "peers"
GO_PACKAGES = Path("/usr/share/gocode")


@pytest.fixture(scope="module")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str | Path]]:
    """Built once, from what Debian packages alone."""
    go = need("go")
    if not (GO_PACKAGES / "src/github.com/gorilla/websocket").is_dir():
        pytest.skip("golang-github-gorilla-websocket-dev is not installed")
    folder = tmp_path_factory.mktemp("go")
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": str(GO_PACKAGES), "GOCACHE": str(folder / "cache"),
                                "GOFLAGS": "-p=2", "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "build", "-o", folder / "every_way", PEERS / "every_way.go"], env=environment,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    yield [folder / "every_way"]


@pytest.fixture(params=["python", "node", "go"])
def client(request: pytest.FixtureRequest) -> list[str | Path]:
    if request.param == "python":
        return [sys.executable, "-B", PEERS / "every_way.py"]
    if request.param == "node":
        return [need("node"), PEERS / "every_way.js"]
    return request.getfixturevalue("go_client")


def _start(client: list[str | Path], way: str, session: Session, processes: Processes) -> Program:
    return processes.start([*client, session.daemon.socket, "feed", way], {"NODE_PATH": "/usr/share/nodejs"})


def _ended(program: Program) -> list[dict[str, str]]:
    assert program.process.wait(DEADLINE) == 0, program.output
    return [json.loads(line) for line in program.output.splitlines()]


def _expect_hello(session: Session) -> None:
    found = session.peer.read_until(Opcode.TEXT)
    assert found.payload == b"hello" and found.masked


def test_plain(client: list[str | Path], session: Session, processes: Processes) -> None:
    program = _start(client, "plain", session, processes)
    _expect_hello(session)
    session.peer.send(text("answer"))
    assert _ended(program) == [{"message": "answer"}]


def test_v1(client: list[str | Path], session: Session, processes: Processes) -> None:
    program = _start(client, "v1", session, processes)
    program.wait_for_output("hello")
    _expect_hello(session)
    session.peer.send(text("answer"))
    found = _ended(program)
    assert found[0] == {"event": "hello"}
    # The answer may overtake the word that the message was sent, or not.
    assert sorted(found[1:], key=str) == [{"message": "answer"}, {"sent": "id1"}]


def test_ndjson(client: list[str | Path], session: Session, processes: Processes) -> None:
    session.peer.send(text("Grüße, 世界"))
    program = _start(client, "ndjson", session, processes)
    program.wait_for_output("message")
    session.peer.send(text('"quoted"\n'))
    assert _ended(program) == [{"message": "Grüße, 世界"}, {"message": '"quoted"\n'}]


def test_post(client: list[str | Path], session: Session, processes: Processes) -> None:
    program = _start(client, "post", session, processes)
    _expect_hello(session)
    assert _ended(program) == [{"outcome": "written"}]
