"""An upstream whose every byte the test decides.

A test reads as a dialogue with the daemon: `peer = server.accept(); peer.upgrade(); peer.send(...)`. All calls block,
with a deadline; there are no threads.
"""

from __future__ import annotations

import os
import socket
import ssl
import struct
from collections.abc import Iterable

from .byte_stream import DEADLINE, ByteStream
from .handshake import accept_key, parse_head


class ScriptedServer:
    def __init__(self, context: ssl.SSLContext | None, port: int = 0) -> None:
        self.context = context
        self._listener: socket.socket | None = None
        self.port = port
        self.peers: list[Peer] = []
        self.listen()

    @property
    def url(self) -> str:
        return f"{'wss' if self.context else 'ws'}://localhost:{self.port}/feed"

    def listen(self) -> None:
        """Listens, on the port it had before when it was stopped."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        listener.settimeout(DEADLINE)
        self.port = listener.getsockname()[1]
        self._listener = listener

    def stop_listening(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def accept_tcp(self, timeout: float = DEADLINE) -> socket.socket:
        """A client as it comes, before TLS."""
        assert self._listener is not None
        self._listener.settimeout(timeout)
        client, _ = self._listener.accept()
        client.settimeout(DEADLINE)
        return client

    def accept(self, timeout: float = DEADLINE) -> Peer:
        """A client whose TLS is up and whose upgrade request has been read."""
        client = self.accept_tcp(timeout)
        if self.context is not None:
            client = self.context.wrap_socket(client, server_side=True)
        peer = Peer(client)
        self.peers.append(peer)
        return peer

    def accept_and_upgrade(self, **options: str) -> Peer:
        peer = self.accept()
        peer.upgrade(**options)
        return peer

    def close(self) -> None:
        self.stop_listening()
        for peer in self.peers:
            peer.close()


class Peer(ByteStream):
    """The daemon, as the server sees it."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.request_line, self.headers = parse_head(self.read_through(b"\r\n\r\n"))

    def upgrade_answer(self, **headers: str) -> bytes:
        """The 101; keyword `sec_websocket_protocol` is the header Sec-WebSocket-Protocol, and so on."""
        all_headers = {"Upgrade": "websocket", "Connection": "Upgrade",
                       "Sec-WebSocket-Accept": accept_key(self.headers["sec-websocket-key"])}
        all_headers |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
        return f"HTTP/1.1 101 Switching Protocols\r\n{lines}\r\n".encode()

    def upgrade(self, **headers: str) -> None:
        self.send(self.upgrade_answer(**headers))

    def send_pieces(self, pieces: Iterable[bytes]) -> None:
        """Each piece as a TLS record and, Nagle off, a segment of its own."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.send(piece)

    def reset(self) -> None:
        """Ends with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def cut(self) -> None:
        """Ends TCP with no word of TLS or WebSocket."""
        os.close(self.socket.detach())

    def end(self) -> None:
        """Ends TLS with close_notify, then TCP; no Close frame of its own."""
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.settimeout(1)
            try:
                self.socket.unwrap()
            except (OSError, ValueError):
                pass  # the daemon need not answer a close_notify
        self.close()
