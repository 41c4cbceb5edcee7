"""A million messages through the default ring, whole and in order; and readers that do not keep up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.frames import Opcode
from support.local import Message, Subscriber
from support.session import Session, StartSession
from support.waiting import wait_for

COUNT = 1_000_000
BLOCK = 2_000
"""Messages that are made, sent and compared at once."""
PAYLOAD = 100


SMALL = {"history": "64KiB", "max_message": "8KiB", "patience": "1ms"}
"""A ring that a reader is soon lapped in."""


def numbered_block(first: int) -> bytes:
    """The frames of BLOCK messages that hold their own number and are all equally long."""
    head = frames.header(Opcode.TEXT, PAYLOAD).decode("latin-1")
    padding = "." * (PAYLOAD - 8)
    return "".join(f"{head}{number:08d}{padding}" for number in range(first, first + BLOCK)).encode("latin-1")


def numbered_blocks() -> Iterator[bytes]:
    for first in range(0, COUNT, BLOCK):
        yield numbered_block(first)


class Flood:
    """Sends all of it from a thread, so that the test can read at the same time.

    With `window` it is at most so many blocks ahead of what `read_all` has read: then a reader is not lapped, however long the
    machine keeps it from reading.
    """

    def __init__(self, session: Session, window: int | None = None) -> None:
        self._session = session
        self._window = threading.Semaphore(window) if window else None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for block in numbered_blocks():
                if self._window and not self._window.acquire(timeout=60):
                    raise AssertionError("nothing of what was sent was read")
                self._session.peer.send(block)
        except BaseException as fault:  # shown by `join`, in the test's own thread
            self._fault = fault

    def was_read(self) -> None:
        if self._window:
            self._window.release()

    def join(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the daemon stopped reading"
        if self._fault:
            raise self._fault


def read_all(app: Subscriber, flood: Flood) -> None:
    """Compares the very bytes: a plain subscriber gets each message as one shortest frame, as it was sent."""
    for number, expected in enumerate(numbered_blocks()):
        received = app.read_exactly(len(expected), timeout=60)
        if received != expected:
            place = next(index for index in range(len(expected)) if received[index] != expected[index])
            raise AssertionError(f"differs at message {number * BLOCK + place // (PAYLOAD + 2)}: "
                                 f"{received[place - 20:place + 60]!r}")
        flood.was_read()


def test_a_million_messages_reach_a_reader(start_session: StartSession) -> None:
    """As fast as it can read: upstream waits for it."""
    session = start_session(patience="10s")
    app = session.daemon.subscribe("feed")
    flood = Flood(session)
    read_all(app, flood)
    flood.join()
    found = session.daemon.connection("feed")
    assert found["messages_in"] == COUNT
    assert found["bytes_in"] == COUNT * PAYLOAD
    assert found["ring"]["last"] == COUNT


@pytest.mark.parametrize("query", ["gap=skip", "gap=close"])
def test_a_million_messages_beside_a_reader_that_never_reads(query: str, session: Session) -> None:
    idle = session.daemon.subscribe("feed", query)
    app = session.daemon.subscribe("feed")
    before = session.daemon.memory()
    flood = Flood(session, window=3)  # of a ring that keeps five
    read_all(app, flood)
    flood.join()
    assert session.daemon.memory() - before < 32 << 20
    assert session.daemon.connection("feed")["messages_in"] == COUNT
    idle.close()


def _drain(app: Subscriber, of: Callable[[], Message | dict[str, object]], last: int) -> tuple[list[int], list[tuple[int, int]]]:
    """The sequence numbers that came, and the gaps that were told, until message `last`."""
    received: list[int] = []
    gaps: list[tuple[int, int]] = []
    while not received or received[-1] < last:
        item = of()
        if isinstance(item, Message):
            received.append(item.sequence)
        elif item["event"] == "gap":
            gaps.append((item["from"], item["to"]))  # type: ignore[arg-type]
    return received, gaps


def test_what_a_slow_reader_lost_is_told_exactly(start_session: StartSession) -> None:
    session = start_session(**SMALL)
    app = session.daemon.subscribe_v1("feed")
    count = 20_000
    # Only when all of it went through the ring does the reader begin to read.
    send_and_wait(session, count)
    received, gaps = _drain(app, app.read_item, count)
    assert gaps, "64 KiB cannot hold 2 MB"
    told = [number for first, last in gaps for number in range(first, last + 1)]
    assert sorted(received + told) == list(range(1, count + 1)), "each message came, or was told as lost, and only once"
    assert received == sorted(received)


def test_a_lapped_plain_reader_is_closed_with_how_much_it_lost(start_session: StartSession) -> None:
    session = start_session(**SMALL)
    app = session.daemon.subscribe("feed")
    count = 20_000
    send_and_wait(session, count)
    received = 0
    while (found := app.read_frame()).opcode != Opcode.CLOSE:
        assert int(found.payload[:8]) == received, "what comes before the Close comes in order"
        received += 1
    assert found.close_code == 1013
    words = found.close_reason.split()
    assert (words[0], words[2]) == ("lost", "messages"), found
    assert 0 < int(words[1]) <= count - received


def test_a_lapped_plain_reader_may_skip(start_session: StartSession) -> None:
    session = start_session(**SMALL)
    app = session.daemon.subscribe("feed", "gap=skip")
    count = 20_000
    send_and_wait(session, count)
    numbers = [int(app.read_message().payload[:8])]
    while numbers[-1] < count - 1:
        numbers.append(int(app.read_message().payload[:8]))
    assert numbers == sorted(set(numbers)) and len(numbers) < count


def test_a_lapped_v1_reader_may_ask_to_be_closed(start_session: StartSession) -> None:
    session = start_session(**SMALL)
    app = session.daemon.subscribe_v1("feed", "gap=close")
    send_and_wait(session, 10_000)
    gap = app.read_event("gap")
    assert 1 <= gap["from"] <= gap["to"] <= 10_000
    assert app.read_frame().close_code == 1013


def send_and_wait(session: Session, count: int) -> None:
    session.peer.send(b"".join(numbered_block(first) for first in range(0, count, BLOCK)))
    wait_for(lambda: session.daemon.connection("feed")["ring"]["last"] == count, "all of it went through the ring")
