"""Zero silent loss, with real processes: readers that are stopped, killed and come back by cursor, a daemon that is killed.

Upstream numbers its messages. What each reader got and what it was told that it lost is all that upstream sent, in order.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.daemon import Daemon
from support.frames import text
from support.scripted_server import Peer
from support.session import StartDaemon, StartServer, StartSession
from support.waiting import wait_for

READER = Path(__file__).parent / "peers" / "reader.py"
SETTLE = 60.0
"""Seconds in which a reader catches up, on a busy machine and under a sanitizer."""


@dataclass
class Reader:
    """One logical reader: as many processes as it takes, one after the other, with one account."""

    daemon: Daemon
    kind: str
    gap: str
    file: Path
    process: subprocess.Popen[bytes] | None = None
    lines_before: int = 0
    stopped: bool = False
    cursors: list[str] = field(default_factory=list)

    def start(self, cursor: str = "") -> None:
        query = f"gap={self.gap}" + (f"&after={cursor}" if cursor else "&from=oldest")
        self.cursors.append(cursor)
        self.process = subprocess.Popen([sys.executable, "-B", READER, self.daemon.socket, f"feed?{query}", self.kind, self.file],
                                        stdin=subprocess.DEVNULL)

    def lines(self) -> list[list[str]]:
        found = self.file.read_text() if self.file.exists() else ""
        return [line.split() for line in found[:found.rfind("\n") + 1].splitlines()]

    def send_signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)
        self.stopped = number == signal.SIGSTOP

    def end(self, number: int = signal.SIGKILL) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.send_signal(signal.SIGCONT)
        if self.process:
            self.process.wait()
        self.stopped = False


def check_account(lines: list[list[str]], last: int, first: int = 1) -> tuple[int, int]:
    """Of a reader that knows sequence numbers: (received, lost), which are first..last without overlap or hole."""
    expected, received, lost = first, 0, 0
    for line in lines:
        if line[0] == "got":
            number, begin, end = (int(word) for word in line[1:])
            assert begin == expected, f"expected {expected}: {line} in {lines[-20:]}"
            assert number == begin, f"another message than that of its number: {line}"
            received += end - begin + 1
            expected = end + 1
        elif line[0] == "gap":
            begin, end = int(line[1]), int(line[2])
            assert begin == expected <= end, f"expected {expected}: {line} in {lines[-20:]}"
            lost += end - begin + 1
            expected = end + 1
        elif line[0] == "hello":
            assert int(line[2]) >= expected, f"begins behind {expected}: {line}"
    assert expected == last + 1, f"ends at {expected - 1} of {last}: {lines[-5:]}"
    return received, lost


def check_plain(lines: list[list[str]], last: int) -> tuple[int, int]:
    """Of a plain reader: what it got is in order and each once; what it was told when it was closed is exactly what it lost."""
    expected, received, lost, told = 1, 0, 0, 0
    for line in lines:
        if line[0] == "got":
            begin, end = int(line[2]), int(line[3])
            assert begin >= expected, f"expected {expected} or later: {line}"
            lost += begin - expected
            received += end - begin + 1
            expected = end + 1
        elif line[:2] == ["end", "lost"]:
            told += int(line[2])
            expected += int(line[2])  # it comes back behind what it lost
            lost += int(line[2])
    assert expected == last + 1, f"ends at {expected - 1} of {last}: {lines[-5:]}"
    return received, lost


class Upstream:
    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.sent = 0

    def send(self, chance: random.Random, count: int) -> None:
        pieces = []
        for _ in range(count):
            self.sent += 1
            size = chance.choice((0, 20, 200, 2000))
            pieces.append(text(f"{self.sent}:" + "x" * size))
        self.peer.send(b"".join(pieces))




def _position(reader: Reader) -> int:
    """Where a reader stands: what it got, or was told that it lost."""
    position = 0
    for line in reader.lines():
        if line[0] in ("got", "gap"):
            position = int(line[-1])
        elif line[:2] == ["end", "lost"] and reader.kind == "plain":  # wskeep.v1 had a gap before it
            position += int(line[2])
    return position


def _resume(reader: Reader, epoch: str) -> None:
    reader.start(f"{epoch}:{_position(reader)}")


@pytest.fixture
def readers(folder: Path) -> Any:
    started: list[Reader] = []

    def start(daemon: Daemon, *kinds: str) -> list[Reader]:
        for kind in kinds:
            name, _, gap = kind.partition("/")
            started.append(Reader(daemon, name, gap or "skip", folder / f"account{len(started)}"))
            started[-1].start()
        wait_for(lambda: daemon.connection("feed")["subscribers"] == len(kinds), "all readers read")
        return started

    yield start
    for reader in started:
        reader.end()


def _disturb(chance: random.Random, readers: list[Reader], epoch: str) -> None:
    reader = chance.choice(readers)
    assert reader.process
    if reader.stopped:
        if chance.random() < 0.7:
            reader.send_signal(signal.SIGCONT)
        else:
            reader.end()
    elif reader.process.poll() is not None:
        _resume(reader, epoch)
    else:
        reader.send_signal(chance.choice((signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP)))


def _settle(reader: Reader, epoch: str, last: int) -> None:
    """Goes on, comes back where it was closed, and reads to the end."""
    def done() -> bool:
        assert reader.process
        if reader.stopped:
            reader.send_signal(signal.SIGCONT)
        if _position(reader) == last:
            return True
        if reader.process.poll() is not None:
            _resume(reader, epoch)
        return False

    wait_for(done, f"{reader.kind} reads all {last}: {reader.lines()[-3:]}", SETTLE)


def test_readers_that_are_stopped_killed_and_come_back(start_session: StartSession, readers: Any) -> None:
    session = start_session(history="256KiB", max_message="8KiB", patience="5ms")
    daemon = session.daemon
    chance = random.Random(int(os.environ.get("WSKEEP_SEED", "7")))
    epoch = daemon.connection("feed")["ring"]["epoch"]
    all_of_them = readers(daemon, "v1", "v1/close", "ndjson", "plain/skip", "plain/close")
    upstream = Upstream(session.peer)
    for turn in range(40):
        upstream.send(chance, chance.choice((1, 50, 400)))
        _disturb(chance, all_of_them, epoch)
        if turn in (15, 30):  # upstream goes, in an orderly way, and comes back
            session.peer.send(frames.close(1000))
            session.peer.wait_for_end()
            upstream.peer = session.next_peer()
    wait_for(lambda: daemon.connection("feed")["ring"]["last"] == upstream.sent, "all was received", SETTLE)
    received = lost = 0
    for reader in all_of_them:
        _settle(reader, epoch, upstream.sent)
        check = check_plain if reader.kind == "plain" else check_account
        counts = check(reader.lines(), upstream.sent)
        received, lost = received + counts[0], lost + counts[1]
    assert received + lost == upstream.sent * len(all_of_them)
    assert received > 0 and lost > 0, "the schedule lapped nobody"


def test_a_daemon_that_is_killed(start_daemon: StartDaemon, start_server: StartServer, readers: Any) -> None:
    """Who comes back with a cursor of the life before is told so, and gets what the new life has."""
    server = start_server()
    first = start_daemon({"feed": server})
    upstream = Upstream(server.accept_and_upgrade())
    first.wait_state("feed", "ready")
    all_of_them = readers(first, "v1", "ndjson", "plain/skip")
    chance = random.Random(3)
    upstream.send(chance, 500)
    old_epoch = first.connection("feed")["ring"]["epoch"]
    for reader in all_of_them:
        wait_for(lambda reader=reader: _position(reader) == 500, f"{reader.kind} reads", SETTLE)
    first.process.kill()
    first.process.wait()
    first.process.returncode = 0  # this end was ours
    for reader in all_of_them:
        assert reader.process and reader.process.wait(SETTLE) == 0, "it sees the end"
        assert reader.lines()[-1][0] == "end"
    second = start_daemon({"feed": server}, ipc={"socket": str(first.socket)})
    upstream.peer = server.accept_and_upgrade()
    second.wait_state("feed", "ready")
    upstream.send(chance, 300)  # 501 to 800, which are 1 to 300 of the new life
    wait_for(lambda: second.connection("feed")["ring"]["last"] == 300)
    new_epoch = second.connection("feed")["ring"]["epoch"]
    assert new_epoch != old_epoch
    for reader in all_of_them:
        before = len(reader.lines())
        reader.start(f"{old_epoch}:500")
        wait_for(lambda reader=reader: reader.lines()[-1][-1] in ("300", "800"), f"{reader.kind} reads on", SETTLE)
        after = reader.lines()[before:]
        if reader.kind == "plain":
            assert [line for line in after if line[0] == "got"][0][2] == "501"
            continue
        assert after[0] == ["hello", new_epoch, "1"]
        assert after[1][:2] == ["gap", "0"], "nobody knows how much was lost"
        got = [[int(word) for word in line[1:]] for line in after if line[0] == "got"]
        assert (got[0][0], got[0][1], got[-1][2]) == (501, 1, 300)
        assert all(number == begin + 500 for number, begin, _ in got)
        assert sum(end - begin + 1 for _, begin, end in got) == 300


def test_events_say_how_long_upstream_was_away(start_session: StartSession) -> None:
    session = start_session()
    app = session.daemon.subscribe_v1("feed")
    session.peer.send(text("1:"))
    assert app.next_message().sequence == 1
    session.peer.reset()
    gone = app.read_event("disconnected")
    assert isinstance(gone["away_ms"], int) and gone["away_ms"] >= 0
    session.next_peer()
    back = app.read_event("connected")
    assert isinstance(back["away_ms"], int) and back["away_ms"] >= 0
