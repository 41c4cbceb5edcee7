"""Half of the local clients are hostile; the others lose nothing, and neither does the daemon."""

from __future__ import annotations

import selectors
import signal
import sys
import time
from pathlib import Path

from support.byte_stream import DEADLINE
from support.frames import text
from support.processes import Processes
from support.session import Session, StartSession
from support.waiting import wait_for

HOSTILE = Path(__file__).parent / "peers" / "hostile.py"
GOOD = 100
BAD = 100


class Readers:
    """Plain subscribers that read as fast as they can, and compare each byte."""

    def __init__(self, session: Session, count: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._apps = [session.daemon.subscribe("feed") for _ in range(count)]
        self._places = dict.fromkeys(range(count), 0)
        for number, app in enumerate(self._apps):
            app.socket.setblocking(False)
            self._selector.register(app.socket, selectors.EVENT_READ, number)

    def read(self, expected: bytes, least: int) -> None:
        """Until each has got `least` bytes of `expected`, which begins where they began."""
        deadline = time.monotonic() + 3 * DEADLINE
        while any(place < least for place in self._places.values()):
            assert time.monotonic() < deadline, f"stand at {sorted(self._places.values())[:5]} of {least}"
            for key, _ in self._selector.select(0.1):
                data = self._apps[key.data].socket.recv(262_144)
                place = self._places[key.data]
                assert data and data == expected[place:place + len(data)], f"reader {key.data} differs behind {place}: {data[:60]!r}"
                self._places[key.data] += len(data)

    def close(self) -> None:
        for app in self._apps:
            app.close()
        self._selector.close()


def test_half_of_the_clients_are_hostile(start_session: StartSession, processes: Processes) -> None:
    session = start_session(history="256KiB", max_message="64KiB", daemon={"ipc": {"limits": {"request": "1s"}}})
    readers = Readers(session, GOOD)
    hostile = processes.start([sys.executable, "-B", HOSTILE, session.daemon.socket, "/v1/connections/feed/messages", str(BAD)])
    hostile.wait_for_output("ready")
    before = session.daemon.memory()
    expected = bytearray()
    # What good readers must never see: a block is sent when they have the one before it, however busy the machine is.
    for block in range(120):
        piece = b"".join(text(f"{block}.{number}:" + "x" * 400) for number in range(50))
        expected += piece
        session.peer.send(piece)
        readers.read(bytes(expected), len(expected) - len(piece))
        if block == 40:
            hostile.process.send_signal(signal.SIGSTOP)  # a hundred that do nothing at all any more
        if block == 60:
            hostile.process.send_signal(signal.SIGCONT)
    readers.read(bytes(expected), len(expected))
    assert session.daemon.connection("feed")["messages_in"] == 120 * 50
    # Those who never read were lapped by now, and only they.
    assert session.daemon.memory() - before < 64 << 20, "nothing is held for what they claim"
    hostile.process.kill()
    hostile.process.wait()
    wait_for(lambda: session.daemon.connection("feed")["subscribers"] == GOOD, "the hostile ones are gone", 3 * DEADLINE)
    expected += text("the last")
    session.peer.send(text("the last"))
    readers.read(bytes(expected), len(expected))
    readers.close()
