"""Local clients as nobody wants them, many at once.

    hostile.py SOCKET TARGET COUNT      TARGET: /v1/connections/NAME/messages

They go on until the program is ended. Prints `ready` when each has begun.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

PAUSE = 0.02
"""Seconds between two misdeeds of one client: a hundred of them leave the machine some time."""

Deed = Callable[[str, str], None]


def connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(path)
    return sock


def upgrade(path: str, target: str) -> socket.socket:
    sock = connect(path)
    sock.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):  # a byte at a time: what comes behind it is not read
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError
        head += byte
    return sock


def frame(first: int, payload: bytes, size: int | None = None) -> bytes:
    """Masked with zeros; `size` is what the header claims."""
    claimed = len(payload) if size is None else size
    if claimed < 126:
        head = struct.pack(">BB", first, 0x80 | claimed)
    elif claimed < 65_536:
        head = struct.pack(">BBH", first, 0x80 | 126, claimed)
    else:
        head = struct.pack(">BBQ", first, 0x80 | 127, claimed)
    return head + bytes(4) + payload


def never_reads(path: str, target: str) -> None:
    with upgrade(path, target):
        time.sleep(3600)


def drips(path: str, target: str) -> None:
    with upgrade(path, target) as sock:
        while sock.recv(1):
            time.sleep(1)


def half_a_request(path: str, target: str) -> None:
    with connect(path) as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHo".encode())
        sock.settimeout(60)
        sock.recv(1)


def garbage(path: str, target: str) -> None:
    with connect(path) as sock:
        sock.sendall(os.urandom(random.randrange(1, 5000)))
        sock.recv(4096)
    with upgrade(path, target) as sock:
        sock.sendall(os.urandom(random.randrange(1, 5000)))
        sock.recv(4096)


def huge_lengths(path: str, target: str) -> None:
    with connect(path) as sock:
        sock.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\nx".encode())
        sock.recv(4096)
    with upgrade(path, target) as sock:
        sock.sendall(frame(0x82, b"x", 1 << 62))
        sock.recv(4096)


def comes_and_goes(path: str, target: str) -> None:
    for _ in range(20):
        connect(path).close()
    upgrade(path, target).close()


def ends_within_a_message(path: str, target: str) -> None:
    with upgrade(path, target) as sock:
        sock.sendall(frame(0x81, b"half", 4000))


def floods_pings(path: str, target: str) -> None:
    with upgrade(path, target) as sock:
        pings = frame(0x89, b"x" * 100) * 50
        sock.settimeout(1)
        while True:
            sock.sendall(pings)
            time.sleep(PAUSE)


def tiny_fragments(path: str, target: str) -> None:
    with upgrade(path, target) as sock:
        sock.sendall(frame(0x01, b"a"))
        pieces = frame(0x00, b"a") * 100
        sock.settimeout(1)
        while True:
            sock.sendall(pieces)
            time.sleep(PAUSE)


DEEDS: tuple[Deed, ...] = (never_reads, drips, half_a_request, garbage, huge_lengths, comes_and_goes, ends_within_a_message,
                           floods_pings, tiny_fragments)


def live(deed: Deed, path: str, target: str) -> None:
    while True:
        try:
            deed(path, target)
        except OSError:  # closed, refused, timed out: as it should be
            pass
        time.sleep(PAUSE)


def main() -> None:
    path, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    for number in range(count):
        threading.Thread(target=live, args=(DEEDS[number % len(DEEDS)], path, target), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()


main()
