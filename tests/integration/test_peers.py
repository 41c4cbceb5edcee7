"""Upstreams and local apps that no one here wrote."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from peers import samples
from support.byte_stream import DEADLINE
from support.certificates import Leaf
from support.daemon import Daemon
from support.frames import Opcode
from support.processes import Processes, free_port, need
from support.session import StartDaemon
from support.tls_peers import TlsEnd, start_haproxy, start_nginx

PEERS = Path(__file__).resolve().parent / "peers"
NODE_ENVIRONMENT = {"NODE_PATH": "/usr/share/nodejs"}
"""Debian's node-ws lies there, which a node from elsewhere does not search."""


def _start_python(processes: Processes, leaf: Leaf, compress: bool) -> int:
    port = free_port()
    processes.start_listening([sys.executable, PEERS / "server.py", "--port", str(port), "--certificate", leaf.certificate,
                               "--key", leaf.key, *(["--compress"] if compress else [])], port)
    return port


def _start_node(processes: Processes, leaf: Leaf, compress: bool) -> int:
    port = free_port()
    processes.start_listening([need("node"), PEERS / "server.js", str(port), leaf.certificate, leaf.key,
                               "compress" if compress else "plain"], port, NODE_ENVIRONMENT)
    return port


def _start_inner(processes: Processes, compress: bool) -> int:
    """Without TLS: something else stands in front."""
    port = free_port()
    processes.start_listening([sys.executable, PEERS / "server.py", "--port", str(port),
                               *(["--compress"] if compress else [])], port)
    return port


@pytest.fixture
def start_upstream(processes: Processes, server_certificate: Leaf, folder: Path) -> Callable[[str, bool], int]:
    def start(kind: str, compress: bool) -> int:
        if kind in ("nginx", "haproxy"):
            end = TlsEnd(server_certificate, _start_inner(processes, compress))
            return {"nginx": start_nginx, "haproxy": start_haproxy}[kind](processes, folder, end)
        return {"python": _start_python, "node": _start_node}[kind](processes, server_certificate, compress)

    return start


@pytest.fixture
def daemon(start_upstream: Callable[[str, bool], int], start_daemon: StartDaemon) -> Daemon:
    """With one connection, `feed`, to a Python server."""
    port = start_upstream("python", False)
    daemon = start_daemon({"feed": f"wss://localhost:{port}/"})
    daemon.wait_state("feed", "ready")
    return daemon


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("kind", ["python", "node", "nginx", "haproxy"])
def test_upstreams(kind: str, compress: bool, start_upstream: Callable[[str, bool], int],
                   start_daemon: StartDaemon) -> None:
    port = start_upstream(kind, compress)
    daemon = start_daemon({"feed": {"url": f"wss://localhost:{port}/", "compression": compress}})
    found = daemon.wait_state("feed", "ready")
    assert (found["compression"] is not None) == compress, "the server takes compression exactly when told to"
    assert found["tls"]["version"] in ("TLSv1.2", "TLSv1.3")
    app = daemon.subscribe("feed")
    for name, expected in samples.EXPECTED.items():
        app.send_text(f"send {name}")
        message = app.read_message()
        wanted = expected.encode() if isinstance(expected, str) else expected
        assert message.opcode == (Opcode.TEXT if isinstance(expected, str) else Opcode.BINARY), name
        assert message.payload == wanted, name

    # The other direction: what the server sends back is what reached it.
    for payload in (b"", b"x", samples.LARGE_TEXT.encode()):
        app.send_text(payload)
        assert app.read_message().payload == payload
    for payload in (samples.BINARY, samples.LARGE_BINARY):
        app.send_binary(payload)
        message = app.read_message()
        assert (message.opcode, message.payload) == (Opcode.BINARY, payload)
    app.close()
    assert daemon.connection("feed")["last_error"] is None


def _websockets_path(daemon: Daemon) -> dict[str, Any]:
    return {"path": str(daemon.socket), "uri": "ws://localhost/v1/connections/feed/messages", "max_size": None}


def test_python_websockets_subscribes_and_publishes(daemon: Daemon) -> None:
    async def converse() -> None:
        async with websockets.unix_connect(**_websockets_path(daemon)) as app:
            for name, expected in samples.EXPECTED.items():
                await app.send(f"send {name}")
                assert await asyncio.wait_for(app.recv(), DEADLINE) == expected
            await app.send(["frag", "ments"])
            assert await asyncio.wait_for(app.recv(), DEADLINE) == "fragments"
            await asyncio.wait_for(await app.ping(), DEADLINE)
        assert app.close_code == 1000

    asyncio.run(converse())


def test_python_websockets_speaks_v1(daemon: Daemon) -> None:
    async def converse() -> None:
        async with websockets.unix_connect(**_websockets_path(daemon), subprotocols=["wskeep.v1"]) as app:
            assert app.subprotocol == "wskeep.v1"
            assert json.loads(await asyncio.wait_for(app.recv(), DEADLINE))["event"] == "hello"
            await app.send(b"one\nbinary")
            answers = [await asyncio.wait_for(app.recv(), DEADLINE) for _ in range(2)]
            # The echo may overtake the answer, or not.
            sent = next(answer for answer in answers if isinstance(answer, str))
            echo = next(answer for answer in answers if isinstance(answer, bytes))
            assert json.loads(sent) == {"event": "sent", "id": "one"}
            line, payload = echo.split(b"\n", 1)
            assert line.split(b" ")[0] == b"1" and payload == b"binary"

    asyncio.run(converse())


def test_node_ws_subscribes_and_publishes(daemon: Daemon) -> None:
    done = subprocess.run([need("node"), PEERS / "client.js", daemon.socket, "feed", "hello",
                           *[f"send {name}" for name in samples.EXPECTED]],
                          env=os.environ | NODE_ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == ["hello", *[expected if isinstance(expected, str) else {"binary": base64.b64encode(expected).decode()}
                                  for expected in samples.EXPECTED.values()]]


def test_curl(daemon: Daemon, processes: Processes) -> None:
    curl = need("curl")

    def run(*arguments: str) -> str:
        done = subprocess.run([curl, "-sS", "--fail", "--unix-socket", daemon.socket, *arguments],
                              capture_output=True, text=True, timeout=DEADLINE)
        assert done.returncode == 0, done.stderr
        return done.stdout

    base = "http://localhost/v1/connections"
    assert [each["name"] for each in json.loads(run(base))["connections"]] == ["feed"]
    assert json.loads(run(f"{base}/feed"))["state"] == "ready"

    follower = processes.start([curl, "-sSN", "--unix-socket", daemon.socket, f"{base}/feed/messages?from=oldest&follow=true"])
    assert json.loads(run("--data", "by curl", "-H", "Content-Type: text/plain", f"{base}/feed/messages")) == {"outcome": "written"}
    assert json.loads(run("--data-binary", "by curl", "-H", "Content-Type: application/octet-stream", f"{base}/feed/messages")) == {"outcome": "written"}
    lines = follower.wait_for_output('"binary"').splitlines()
    messages = [line for line in map(json.loads, lines) if "seq" in line]
    assert [(each["seq"], each["type"], each["data"]) for each in messages] == [
        (1, "text", "by curl"), (2, "binary", base64.b64encode(b"by curl").decode())]
    assert [json.loads(line)["data"] for line in run(f"{base}/feed/messages?from=oldest&limit=1").splitlines()
            if "seq" in json.loads(line)] == ["by curl"]
