"""Time-outs of an open session, keep-alive and the send limiter, against real sockets and real clocks."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from support import frames
from support.beside import Beside
from support.byte_stream import Ended
from support.frames import Opcode, frame, text
from support.scripted_server import Peer
from support.session import StartDaemon, StartServer

MakeBeside = Callable[..., Beside]


@pytest.fixture
def beside(start_daemon: StartDaemon, start_server: StartServer) -> MakeBeside:
    def make(**settings: object) -> Beside:
        return Beside(start_daemon, start_server, **settings)

    return make


def _ping_until_close(peer: Peer) -> frames.Frame:
    """Alive, but without a message, until the daemon has enough of it."""
    while True:
        peer.send(frame(Opcode.PING, b"alive"))
        try:
            return peer.read_until(Opcode.CLOSE, timeout=0.05)
        except TimeoutError:
            pass


def test_pings_but_never_a_first_message(beside: MakeBeside) -> None:
    feed = beside(timeouts={"first_message": "300ms", "close": "500ms"})
    assert _ping_until_close(feed.peer).close_code == 1001
    feed.peer.send(frames.close(1001))
    feed.peer.end()
    event = feed.expect_end("first_message_timeout", "wskeep", "timeouts.first_message")
    assert event["close_code"] == 1001
    feed.comes_back()


def test_pings_but_no_more_messages(beside: MakeBeside) -> None:
    feed = beside(timeouts={"silence": "1s", "close": "500ms"})
    for number in range(10):
        feed.peer.send(text(str(number)))
        assert feed.app.next_message().payload == str(number).encode()
        time.sleep(0.15)  # what the time-out is about: these are well within it, and together beyond it
    assert _ping_until_close(feed.peer).close_code == 1001
    feed.peer.send(frames.close(1001))
    feed.peer.end()
    feed.expect_end("silence_timeout", "wskeep", "timeouts.silence")
    feed.comes_back()


def test_a_silent_peer_that_does_not_close_either(beside: MakeBeside) -> None:
    feed = beside(timeouts={"silence": "300ms", "close": "200ms"})
    assert feed.peer.read_close().close_code == 1001
    feed.expect_end("silence_timeout", "wskeep", "timeouts.silence", "timeouts.close")
    feed.comes_back()


def test_a_close_whose_tcp_stays_open_says_so(beside: MakeBeside) -> None:
    feed = beside(timeouts={"close": "200ms"})
    feed.peer.send(frames.close(4000, "bye"))
    assert feed.peer.read_close().close_code == 4000
    feed.peer.wait_for_end()
    feed.expect_end("closed_by_peer", "upstream", "bye", "timeouts.close")
    counted = feed.daemon.metrics()["wskeep_connection_close_timeouts_total"]
    assert {sample.labels["connection"]: sample.value for sample in counted.samples} == {"feed": 1, "steady": 0}
    feed.comes_back()


def test_a_dripped_message(beside: MakeBeside) -> None:
    feed = beside(timeouts={"message": "300ms", "receive": "10s"})
    feed.peer.send(text("whole") + frames.header(Opcode.TEXT, 100_000))
    try:
        for _ in range(2_000):
            feed.peer.send(b"x")
            time.sleep(0.005)  # what dripping is
    except OSError:
        pass  # the daemon had enough of it
    assert feed.app.next_message().payload == b"whole"
    feed.expect_end("message_timeout", "wskeep", "timeouts.message")
    feed.comes_back().send(text("next"))
    assert feed.app.next_message().sequence == 2


def test_a_peer_that_never_reads(beside: MakeBeside) -> None:
    feed = beside(timeouts={"send": "700ms"}, send_buffer="16MiB", max_message="8MiB")
    for number in range(12):  # more than the kernel's buffers take
        feed.app.send_binary(f"{number}\n".encode() + bytes(1 << 20))
    events = [feed.app.read_event("sent", "failed", "disconnected")]
    while not {"failed", "disconnected"} <= {event["event"] for event in events}:
        events.append(feed.app.read_event("sent", "failed", "disconnected"))
    # What a slow machine sends only when the session has ended is refused.
    told = {event["error"] for event in events if event["event"] == "failed"}
    assert "send_timeout" in told and told <= {"send_timeout", "not_connected"}
    lost = next(event for event in events if event["event"] == "disconnected")
    feed.expect_reports(lost, "send_timeout", "timeouts.send")
    feed.steady.check()
    feed.peer.close()
    feed.comes_back()


@pytest.mark.parametrize("partial", [b"", text("never whole" * 100)[:500]], ids=["idle", "inside a message"])
def test_a_reset(partial: bytes, beside: MakeBeside) -> None:
    feed = beside()
    feed.peer.send(text("whole") + partial)
    assert feed.app.next_message().payload == b"whole"
    feed.peer.reset()
    feed.expect_end("connection_reset", "network")
    feed.comes_back().send(text("next"))
    message = feed.app.next_message()
    assert (message.sequence, message.payload) == (2, b"next"), "what was partial has left no trace"


def test_unsolicited_pongs_without_pings(beside: MakeBeside) -> None:
    feed = beside(keepalive={"ping": "off", "pong": "50ms"})
    for _ in range(5):
        found = feed.peer.read_frame()
        assert found.opcode == Opcode.PONG and found.payload == b"" and found.masked


COUNT = 5
STRETCH = 0.4
# What the clock of a reader on a busy machine may be late by: frames that were written apart can be read together.
LATE = 0.15


def _frames_with_times(peer: Peer, until: Callable[[list[frames.Frame]], bool]) -> list[tuple[float, frames.Frame]]:
    found: list[tuple[float, frames.Frame]] = []
    while not until([one for _, one in found]):
        try:
            one = peer.read_frame()
        except Ended:
            break
        found.append((time.monotonic(), one))
    return found


def _expect_pace(found: list[tuple[float, frames.Frame]]) -> None:
    times = [at for at, _ in found]
    # Over the whole, where being late once plays no part, and in each stretch.
    assert times[-1] - times[0] >= (len(times) - 1) // COUNT * STRETCH - LATE
    for earlier, later in zip(times, times[COUNT:]):
        assert later - earlier >= STRETCH - LATE, times


def test_the_send_rate_as_the_server_sees_it(beside: MakeBeside) -> None:
    feed = beside(send_rate=f"{COUNT}/{int(STRETCH * 1000)}ms", keepalive={"ping": "100ms"})
    messages = 24
    for number in range(messages):
        feed.app.publish(str(number), f"message {number}")
    found = _frames_with_times(feed.peer, lambda all_frames: sum(one.opcode == Opcode.TEXT for one in all_frames) == messages)
    texts = [one.payload for _, one in found if one.opcode == Opcode.TEXT]
    assert texts == [f"message {number}".encode() for number in range(messages)]
    _expect_pace(found)
    assert [feed.app.read_event("sent", "failed")["event"] for _ in range(messages)] == ["sent"] * messages
    feed.steady.check()


def test_a_flood_of_pings_beside_messages_keeps_the_send_rate(beside: MakeBeside) -> None:
    feed = beside(send_rate=f"{COUNT}/{int(STRETCH * 1000)}ms", keepalive={"ping": "off"})
    messages = 12
    flood = frame(Opcode.PING, b"flood") * 2_000
    feed.peer.send(flood)
    assert feed.peer.read_frame().opcode == Opcode.PONG, "the flood is there before the first message"
    for number in range(messages):
        feed.app.publish(str(number), f"message {number}")

    def have_all(all_frames: list[frames.Frame]) -> bool:
        # One thread does both: a TLS socket must not be read and written at once.
        feed.peer.send(flood)
        return sum(one.opcode == Opcode.TEXT for one in all_frames) == messages

    found = _frames_with_times(feed.peer, have_all)
    assert sum(one.opcode == Opcode.PONG for _, one in found) >= messages // 2, "they are answered, too"
    _expect_pace(found)
    feed.steady.check()
