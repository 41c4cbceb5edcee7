"""A blocking socket read in exact pieces, each wait bounded."""

from __future__ import annotations

import socket
import struct
import time

from .frames import Frame, Opcode, mask_payload

DEADLINE = 20.0
"""Seconds that anything here waits at most. Long, because sanitizers and a busy machine are slow; never slept."""


class Ended(Exception):
    """The other end closed or reset the stream; `data` is what was read of the piece."""

    def __init__(self, data: bytes, reset: bool) -> None:
        super().__init__(f"{'reset' if reset else 'ended'} after {data[:80]!r}")
        self.data = data
        self.reset = reset


class ByteStream:
    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.buffer = bytearray()
        sock.settimeout(DEADLINE)

    def _receive(self, deadline: float) -> None:
        self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = self.socket.recv(262_144)
        except TimeoutError:
            raise TimeoutError(f"nothing more came; had {bytes(self.buffer[:80])!r}") from None
        except (ConnectionError, BrokenPipeError):
            raise Ended(bytes(self.buffer), reset=True) from None
        if not data:
            raise Ended(bytes(self.buffer), reset=False)
        self.buffer += data

    def read_exactly(self, size: int, timeout: float = DEADLINE) -> bytes:
        deadline = time.monotonic() + timeout
        while len(self.buffer) < size:
            self._receive(deadline)
        piece = bytes(self.buffer[:size])
        del self.buffer[:size]
        return piece

    def read_through(self, mark: bytes, timeout: float = DEADLINE) -> bytes:
        deadline = time.monotonic() + timeout
        while (end := self.buffer.find(mark)) < 0:
            self._receive(deadline)
        return self.read_exactly(end + len(mark))

    def read_frame(self, timeout: float = DEADLINE) -> Frame:
        deadline = time.monotonic() + timeout

        def read(size: int) -> bytes:
            return self.read_exactly(size, max(deadline - time.monotonic(), 0.001))

        first, second = read(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", read(8))[0]
        masked = bool(second & 0x80)
        key = read(4) if masked else b""
        payload = read(size)
        if masked:
            payload = mask_payload(payload, key)
        return Frame(first & 0x0F, payload, fin=bool(first & 0x80), rsv=first >> 4 & 7, masked=masked)

    def read_until(self, *opcodes: int, timeout: float = DEADLINE) -> Frame:
        """The next frame of these opcodes; those before it are dropped."""
        deadline = time.monotonic() + timeout
        while (found := self.read_frame(max(deadline - time.monotonic(), 0.001))).opcode not in opcodes:
            pass
        return found

    def read_close(self, timeout: float = DEADLINE) -> Frame:
        return self.read_until(Opcode.CLOSE, timeout=timeout)

    def wait_for_end(self, timeout: float = DEADLINE) -> bytes:
        """Until the other end closes; what came before that."""
        deadline = time.monotonic() + timeout
        try:
            while True:
                self._receive(deadline)
        except Ended as ended:
            return ended.data

    def send(self, data: bytes | memoryview) -> None:
        self.socket.settimeout(DEADLINE)
        self.socket.sendall(data)

    def close(self) -> None:
        self.socket.close()
