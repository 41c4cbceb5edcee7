"""Local apps that use the daemon's Unix socket: a WebSocket subscriber, and plain HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import frames
from .byte_stream import DEADLINE, ByteStream, Ended
from .frames import Frame, Opcode
from .handshake import accept_key, parse_head


def connect(path: Path, receive_buffer: int | None = None) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(DEADLINE)
    sock.connect(str(path))
    return sock


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=DEADLINE)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path)


def request(path: Path, method: str, target: str, body: bytes | None = None, **headers: str) -> Response:
    connection = UnixConnection(path)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        response = connection.getresponse()
        return Response(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Message:
    sequence: int
    time_ns: int
    opcode: int
    payload: bytes


class Refused(Exception):
    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body!r}")
        self.status = status
        self.body = body


class Subscriber(ByteStream):
    """One WebSocket to one connection; `protocol` is None (plain) or "wskeep.v1"."""

    def __init__(self, path: Path, name: str, query: str = "", protocol: str | None = None,
                 receive_buffer: int | None = None, resource: str | None = None) -> None:
        """`resource` is the path of what is read where it is not a connection."""
        super().__init__(connect(path, receive_buffer))
        key = base64.b64encode(os.urandom(16)).decode()
        target = (resource or f"/v1/connections/{name}/messages") + (f"?{query}" if query else "")
        offer = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        self.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n".encode())
        first, self.headers = parse_head(self.read_through(b"\r\n\r\n"))
        status = int(first.split()[1])
        if status != 101:
            body = self.read_exactly(int(self.headers.get("content-length", 0)))
            self.close()
            raise Refused(status, body)
        assert self.headers["sec-websocket-accept"] == accept_key(key)
        self.protocol = self.headers.get("sec-websocket-protocol")

    def read_message(self, timeout: float = DEADLINE) -> Frame:
        """The next text or binary message; pings are answered, a Close fails the test."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.read_frame(max(deadline - time.monotonic(), 0.001))
            assert not found.masked
            if found.opcode == Opcode.PING:
                self.send(frames.frame(Opcode.PONG, found.payload, masked=True))
            elif found.opcode in (Opcode.TEXT, Opcode.BINARY):
                assert found.fin and found.rsv == 0, "each message is one frame"
                return found
            else:
                raise AssertionError(f"expected a message, got {found}")

    def send_text(self, text: str | bytes) -> None:
        self.send(frames.text(text, masked=True))

    def send_binary(self, payload: bytes) -> None:
        self.send(frames.frame(Opcode.BINARY, payload, masked=True))

    def expect_silence(self, seconds: float = 0.15) -> None:
        """Nothing comes. The only wait for time in these tests, for absence has no sign."""
        try:
            found = self.read_frame(seconds)
        except TimeoutError:
            return
        raise AssertionError(f"expected nothing, got {found}")


class V1Subscriber(Subscriber):
    """A subscriber that speaks wskeep.v1; `hello` has been read when it is made."""

    def __init__(self, path: Path, name: str, query: str = "", receive_buffer: int | None = None) -> None:
        super().__init__(path, name, query, "wskeep.v1", receive_buffer)
        assert self.protocol == "wskeep.v1"
        hello = self.read_item()
        assert isinstance(hello, dict) and hello["event"] == "hello", hello
        self.hello: dict[str, Any] = hello

    def read_item(self, timeout: float = DEADLINE) -> Message | dict[str, Any]:
        """A message, or an event."""
        found = self.read_message(timeout)
        if found.opcode == Opcode.TEXT and found.payload.startswith(b"{"):
            return json.loads(found.payload)
        line, newline, payload = found.payload.partition(b"\n")
        assert newline, found
        sequence, time_ns = line.split(b" ")
        return Message(int(sequence), int(time_ns), found.opcode, payload)

    def read_event(self, *names: str, timeout: float = DEADLINE) -> dict[str, Any]:
        """The next event of these names, or of any; messages and other events before it are dropped."""
        deadline = time.monotonic() + timeout
        while True:
            item = self.read_item(max(deadline - time.monotonic(), 0.001))
            if isinstance(item, dict) and (not names or item["event"] in names):
                return item

    def next_message(self, timeout: float = DEADLINE) -> Message:
        """The next message; events before it are dropped."""
        deadline = time.monotonic() + timeout
        while True:
            item = self.read_item(max(deadline - time.monotonic(), 0.001))
            if isinstance(item, Message):
                return item

    def publish(self, identifier: str, text: str) -> None:
        self.send_text(f"{identifier}\n{text}")


__all__ = ["Ended", "Message", "Refused", "Response", "Subscriber", "UnixConnection", "V1Subscriber", "connect", "request"]
