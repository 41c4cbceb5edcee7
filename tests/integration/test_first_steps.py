"""What somebody does in the first five minutes: `wskeep init`, `check`, and an editor that knows the schema."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from support.daemon import build_folder, run_program
from support.documents import ROOT
from support.frames import Opcode, text
from support.session import StartDaemon, StartServer

jsonschema = pytest.importorskip("jsonschema", reason="python3-jsonschema is not installed")
yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    found = json.loads(run_program("wskeep", ["schema"]).stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


@pytest.mark.parametrize("broken", [
    "connections: {a: {url: ws://h/, histroy: 1MiB}}",
    "connections: {a: {history: 1MiB}}",
    "connections: {a: {url: ws://h/, timeouts: {connect: 10}}}",
    "connections: {a: {url: ws://h/, timeouts: {connect: soon}}}",
    "connections: {a: {url: ws://h/, gap: stay}}",
    "connections: {'a b': {url: ws://h/}}",
    "connections: {a: {url: ws://h/}}\nlog: {level: loud}",
    "connections: {a: {url: ws://h/}}\nthreads: many",
    "connections: {}",
])
def test_the_schema_refuses_what_the_loader_refuses(schema: jsonschema.Draft202012Validator, broken: str, folder: Path) -> None:
    file = folder / "broken.yaml"
    file.write_text(broken + "\n")
    assert run_program("wskeep", ["check", file]).returncode == 5
    assert list(schema.iter_errors(yaml.safe_load(broken)))


def test_on_a_terminal_it_asks(folder: Path) -> None:
    file = folder / "asked.yaml"
    leader, follower = pty.openpty()
    init = subprocess.Popen([build_folder() / "wskeep", "init", file], stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    # What is wrong is said at once, and asked again.
    os.write(leader, b"stream.exchange.example/ws\nwss://stream.exchange.example/ws\nmy exchange\n\n\n{\"op\":\"subscribe\"}\n")
    shown = b""
    try:
        while piece := os.read(leader, 4096):
            shown += piece
    except OSError:  # nobody has the other end any more
        pass
    os.close(leader)
    assert init.wait(timeout=60) == 0, shown
    assert shown.count(b"URL to hold") == 2 and shown.count(b"[exchange]") == 2
    assert b"begins with ws://" in shown
    assert run_program("wskeep", ["check", file]).returncode == 0
    assert '{"op":"subscribe"}' in file.read_text()


def test_what_it_writes_runs(start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    """From nothing to a message: the file, the daemon, its health."""
    server = start_server()
    (folder / "token").write_text("secret\n")
    written = run_program("wskeep", ["init", "-", "--url", server.url, "--name", "trades", "--token-file", folder / "token",
                                     "--subscribe", '{"op":"subscribe"}', "--metrics", ""])
    assert written.returncode == 0, written
    settings = yaml.safe_load(written.stdout)
    daemon = start_daemon(settings["connections"])
    peer = server.accept_and_upgrade()
    assert peer.headers["authorization"] == "Bearer secret"
    frame = peer.read_until(Opcode.TEXT)
    assert frame.payload == b'{"op":"subscribe"}'
    daemon.wait_state("trades", "ready")
    assert run_program("wskeep", ["--socket", daemon.socket, "health", "--ready"]).returncode == 0
    peer.send(text("first"))
    tail = run_program("wskeep", ["--socket", daemon.socket, "tail", "trades", "--from", "oldest", "--limit", "1"])
    assert tail.stdout == "first\n"


def test_health_says_what_is_wrong(start_daemon: StartDaemon, folder: Path) -> None:
    daemon = start_daemon({"away": "wss://localhost:1/"})
    assert run_program("wskeep", ["--socket", daemon.socket, "health"]).returncode == 0
    away = run_program("wskeep", ["--socket", daemon.socket, "health", "--ready"])
    assert away.returncode == 6 and "away" in away.stderr
    assert run_program("wskeep", ["--socket", folder / "none.sock", "health"]).returncode == 3
