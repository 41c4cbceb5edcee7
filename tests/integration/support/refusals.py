"""Answers other than 101, and their absence."""

from __future__ import annotations

import pytest

from .scripted_server import ScriptedServer


def refuse(server: ScriptedServer, status: str, body: bytes = b"", **headers: str) -> ScriptedServer:
    peer = server.accept()
    lines = "".join(f"{name.replace('_', '-').title()}: {value}\r\n" for name, value in headers.items())
    peer.send(f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return server


def assert_nobody_comes(server: ScriptedServer, seconds: float = 0.3) -> None:
    with pytest.raises(TimeoutError):
        server.accept_tcp(seconds)
