"""What a page in a browser reaches the daemon's Unix socket through: TCP to Unix, byte by byte, and the page itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class TcpProxy:
    """Passes TCP connections to a Unix socket. A GET of / gets the page, all else is the daemon's."""

    def __init__(self, path: Path, page: bytes) -> None:
        self._path = path
        self._page = page
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.closing(client):
            head = b""
            while b"\r\n\r\n" not in head:
                try:
                    received = client.recv(65536)
                except OSError:
                    return
                if not received:
                    return
                head += received
            if head.startswith(b"GET / "):
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n"
                               b"Content-Length: %d\r\n\r\n%b" % (len(self._page), self._page))
                return
            with socket.socket(socket.AF_UNIX) as daemon:
                daemon.connect(str(self._path))
                daemon.sendall(head)
                with self._lock:
                    self._open.update((client, daemon))
                # Whoever waits in recv sees the end when the other side is shut.
                back = threading.Thread(target=self._pump, args=(daemon, client), daemon=True)
                back.start()
                self._pump(client, daemon)
                back.join()
                with self._lock:
                    self._open -= {client, daemon}

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65536):
                target.sendall(received)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def cut(self) -> int:
        """Cuts all connections; how many there were."""
        with self._lock:
            sockets = list(self._open)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        return len(sockets) // 2

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join(10)
