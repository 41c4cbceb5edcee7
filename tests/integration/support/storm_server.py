"""A TLS WebSocket server for a thousand clients, which counts the handshakes that are in flight."""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from .handshake import accept_key


@dataclass
class _Client:
    socket: socket.socket
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    tls: ssl.SSLObject
    hello_at: float | None = None
    secured: bool = False
    request: bytes = b""
    upgraded: bool = False


class StormServer:
    """One thread and one selector. A handshake is in flight from the ClientHello until the client's Finished has arrived."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: dict[socket.socket, _Client] = {}
        self._in_flight: set[socket.socket] = set()
        self._drop = self._stop = False
        self.most_in_flight = 0
        self.longest_handshake = 0.0
        self.accepted_at: list[float] = []
        self.upgraded = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"wss://localhost:{self.port}/"

    def drop_all(self) -> None:
        """All clients that are there lose their connection at once; the counts begin anew."""
        self._drop = True
        while self._drop:
            assert self._thread.is_alive()
            time.sleep(0.005)

    def close(self) -> None:
        self._stop = True
        self._thread.join()

    def _run(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(0.02):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj in self._clients:
                    self._serve(self._clients[key.fileobj])  # type: ignore[index]
            if self._drop:
                self._drop_now()
        self._drop_now()
        self._listener.close()
        self._selector.close()

    def _drop_now(self) -> None:
        for client in list(self._clients.values()):
            self._lose(client)
        self.most_in_flight = self.upgraded = 0
        self.accepted_at = []
        self._drop = False

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setblocking(False)
            self.accepted_at.append(time.monotonic())
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
            self._clients[client] = _Client(client, incoming, outgoing, tls)
            self._selector.register(client, selectors.EVENT_READ)

    def _lose(self, client: _Client) -> None:
        self._selector.unregister(client.socket)
        self._in_flight.discard(client.socket)
        del self._clients[client.socket]
        client.socket.close()

    def _count(self, client: _Client) -> None:
        client.hello_at = time.monotonic()
        # Whose Finished lies in our socket has ended its handshake before this one began, though it is not read yet.
        waiting = [other for other in self._in_flight if not self._has_sent(other)]
        self.most_in_flight = max(self.most_in_flight, len(waiting) + 1)
        self._in_flight.add(client.socket)

    @staticmethod
    def _has_sent(client: socket.socket) -> bool:
        try:
            client.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _serve(self, client: _Client) -> None:
        try:
            data = client.socket.recv(65536)
            if not data:
                return self._lose(client)
            if client.hello_at is None:
                self._count(client)
            client.incoming.write(data)
            self._go_on(client)
            if pending := client.outgoing.read():
                client.socket.sendall(pending)
        except ssl.SSLError:
            self._lose(client)
        except OSError:
            self._lose(client)

    def _go_on(self, client: _Client) -> None:
        try:
            if not client.secured:
                client.tls.do_handshake()
                client.secured = True
                self._in_flight.discard(client.socket)
                assert client.hello_at is not None
                self.longest_handshake = max(self.longest_handshake, time.monotonic() - client.hello_at)
            while True:
                data = client.tls.read(65536)
                if not data:
                    raise ssl.SSLZeroReturnError  # its close_notify: there is no more
                client.request += data
                if not client.upgraded and client.request.endswith(b"\r\n\r\n"):
                    self._upgrade(client)
        except ssl.SSLWantReadError:
            pass

    def _upgrade(self, client: _Client) -> None:
        lines = client.request.decode("latin-1").split("\r\n")
        key = next(line.split(": ", 1)[1] for line in lines if line.lower().startswith("sec-websocket-key:"))
        client.tls.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n").encode())
        client.upgraded = True
        self.upgraded += 1
