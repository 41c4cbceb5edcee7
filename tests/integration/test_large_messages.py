"""Messages that are passed on in parts: `receive: stream` and `send: stream`."""

from __future__ import annotations

import base64
import json
import os
import signal
import struct
import threading
import zlib
from collections.abc import Iterator

import pytest

from support import frames
from support.daemon import Daemon, sanitized
from support.frames import Opcode, frame, text
from support.local import Subscriber, UnixConnection, V1Subscriber
from support.session import Session, StartDaemon, StartServer, StartSession
from support.waiting import wait_for

MIB = 1 << 20
KIB = 1 << 10


def streaming(start_session: StartSession, **settings: object) -> Session:
    return start_session(**({"receive": "stream", "send": "stream", "max_message": "1KiB", "history": "64KiB"} | settings))


def part(payload: bytes, **options: object) -> bytes:
    return frame(Opcode.CONTINUATION, payload, **options)  # type: ignore[arg-type]


def read_fragments(app: Subscriber) -> tuple[int, bytes, int]:
    """One message in as many frames as it has: its opcode, its payload, how many there were."""
    payload = b""
    opcode = None
    count = 0
    while True:
        found = app.read_frame()
        assert found.opcode == (Opcode.CONTINUATION if count else found.opcode)
        assert count or found.opcode in (Opcode.TEXT, Opcode.BINARY), found
        opcode = opcode or found.opcode
        payload += found.payload
        count += 1
        if found.fin:
            return opcode, payload, count


class V1Part:
    """A message of `wskeep.v1` as it came, or an event."""

    def __init__(self, app: V1Subscriber) -> None:
        found = app.read_message()
        self.event = json.loads(found.payload) if found.opcode == Opcode.TEXT and found.payload[:1] == b"{" else None
        line, _, self.payload = found.payload.partition(b"\n")
        words = line.split(b" ")
        self.opcode = found.opcode
        self.part = words[2].decode() if len(words) == 3 else None
        self.sequence = int(words[0]) if not self.event else None


def parts_until_last(app: V1Subscriber) -> Iterator[V1Part]:
    while True:
        found = V1Part(app)
        assert found.event is None, found.event
        yield found
        if found.part in ("last", None):
            return


# From upstream.


def test_fragments_pass_as_they_come(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    v1 = session.daemon.subscribe_v1("feed")
    session.peer.send(text("one", fin=False))
    assert app.read_frame() == frames.Frame(Opcode.TEXT, b"one", fin=False)
    first = V1Part(v1)
    assert (first.part, first.payload, first.opcode) == ("first", b"one", Opcode.TEXT)
    session.peer.send(frame(Opcode.PING, b"p") + part(b"", fin=False) + part(b"two", fin=False))
    assert app.read_frame() == frames.Frame(Opcode.CONTINUATION, b"two", fin=False)
    second = V1Part(v1)
    assert (second.part, second.payload, second.sequence) == ("more", b"two", first.sequence + 1)
    assert session.peer.read_until(Opcode.PONG).payload == b"p"
    session.peer.send(part(b"three") + text("whole"))
    assert app.read_frame() == frames.Frame(Opcode.CONTINUATION, b"three", fin=True)
    assert app.read_message().payload == b"whole"
    assert (V1Part(v1).part, V1Part(v1).part) == ("last", None)
    assert session.daemon.connection("feed")["messages_in"] == 2


def test_large_frame_is_cut(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    v1 = session.daemon.subscribe_v1("feed")
    content = "aé€😀".encode() * 3_000
    session.peer.send_pieces([text(content)[:10_001], text(content)[10_001:]])
    opcode, payload, count = read_fragments(app)
    assert (opcode, payload) == (Opcode.TEXT, content) and count > 1
    parts = list(parts_until_last(v1))
    # Each is text by itself, however the frame was cut.
    assert "".join(each.payload.decode() for each in parts).encode() == content
    assert [parts[0].part, parts[-1].part] == ["first", "last"]
    assert {each.part for each in parts[1:-1]} <= {"more"}
    session.peer.send(frame(Opcode.BINARY, bytes(KIB)))
    assert app.read_message().payload == bytes(KIB), "what fits comes whole"


def test_ndjson_names_the_parts(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    content = os.urandom(5_000)
    whole = frame(Opcode.BINARY, content)
    session.peer.send(whole[:2_000])
    assert not app.read_frame().fin
    session.peer.send(whole[2_000:] + text("end"))
    assert app.read_frame().fin
    assert app.read_message().payload == b"end"
    connection = UnixConnection(session.daemon.socket)
    connection.request("GET", "/v1/connections/feed/messages?from=oldest")
    lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    messages = [line for line in lines if "seq" in line]
    assert b"".join(base64.b64decode(line["data"]) for line in messages[:-1]) == content
    assert messages[0]["part"] == "first" and messages[-2]["part"] == "last" and "part" not in messages[-1]


def test_joined_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session)
    first = session.daemon.subscribe("feed")
    session.peer.send(text("begin", fin=False))
    assert first.read_frame().payload == b"begin"
    late = [session.daemon.subscribe("feed"), session.daemon.subscribe("feed", "from=newest")]
    late_v1 = session.daemon.subscribe_v1("feed")
    oldest = session.daemon.subscribe("feed", "from=oldest")
    session.peer.send(part(b"end") + text("next"))
    for app in late:
        assert app.read_message().payload == b"next"
    assert V1Part(late_v1).payload == b"next"
    assert read_fragments(oldest)[1] == b"beginend", "its begin is kept"
    after = session.daemon.subscribe_v1("feed", f"after={late_v1.hello['epoch']}:1")
    last = V1Part(after)
    assert (last.part, last.payload) == ("last", b"end"), "it goes on exactly behind its cursor"


def test_lapped_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session, patience="0ms")
    plain = session.daemon.subscribe("feed", "gap=skip", receive_buffer=4_096)
    v1 = session.daemon.subscribe_v1("feed", receive_buffer=4_096)
    size = 8 * MIB
    session.peer.send(frames.header(Opcode.BINARY, size) + bytes(size) + text("next"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 2, "all was received")
    # The plain one has the front of a message whose end it has lost, so that it cannot go on.
    closing = plain.read_until(Opcode.CLOSE)
    assert closing.close_code == 1013 and "will not be ended" in closing.close_reason
    expected = 1
    lost = 0
    while True:
        found = V1Part(v1)
        if found.event:
            assert found.event["event"] == "gap" and found.event["from"] == expected
            lost += found.event["to"] - found.event["from"] + 1
            expected = found.event["to"] + 1
            continue
        assert found.sequence == expected, "what is not there was told"
        assert not lost or found.part is None, "behind a gap a message begins"
        expected += 1
        if found.payload == b"next":
            break
    assert lost > 0


def test_session_dies_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session)
    plain = session.daemon.subscribe("feed")
    v1 = session.daemon.subscribe_v1("feed")
    session.peer.send(text("whole") + text("begin", fin=False) + part(b"more", fin=False))
    assert [plain.read_frame().payload for _ in range(3)] == [b"whole", b"begin", b"more"]
    session.peer.reset()
    closing = plain.read_frame()
    assert closing.close_code == 1013 and "will not be ended" in closing.close_reason
    assert [V1Part(v1).part for _ in range(3)] == [None, "first", "more"]
    assert V1Part(v1).event == {"event": "aborted", "from": 2, "to": 3}
    assert v1.read_event("disconnected")["error"]
    # Who comes later is not given what has no end.
    session.next_peer()
    late = session.daemon.subscribe("feed", "from=oldest")
    late_v1 = session.daemon.subscribe_v1("feed", "from=oldest")
    session.peer.send(text("new"))
    assert [late.read_message().payload for _ in range(2)] == [b"whole", b"new"]
    assert [V1Part(late_v1).part for _ in range(3)] == [None, "first", "more"]
    assert session.daemon.metrics()["wskeep_messages_discarded_total"].samples[0].value == 1


def test_text_that_goes_bad_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session)
    plain = session.daemon.subscribe("feed")
    session.peer.send(text("good", fin=False) + part(b"\xff", fin=False))
    assert session.peer.read_until(Opcode.CLOSE).close_code == 1007
    assert plain.read_frame().payload == b"good"
    assert plain.read_frame().close_code == 1013
    session.daemon.wait_error("feed", "invalid_payload")


def test_stalled_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session, timeouts={"message": "300ms", "close": "500ms"}, keepalive="off")
    app = session.daemon.subscribe("feed")
    for _ in range(3):
        session.peer.send(text("x", fin=False) if _ == 0 else part(b"x", fin=False))
        assert app.read_frame().payload == b"x"
    session.daemon.wait_error("feed", "message_timeout")
    assert app.read_frame().close_code == 1013


class FastReader(threading.Thread):
    """Reads one message in parts, quickly: counts its bytes, and sums them up where wanted."""

    def __init__(self, app: Subscriber, checked: bool) -> None:
        super().__init__(daemon=True)
        self.app = app
        self.checked = checked
        self.size = 0
        self.sum = 0
        self.frames = 0
        self.done = False

    def run(self) -> None:
        stream = self.app.socket
        stream.settimeout(120)
        buffer = bytearray(MIB)
        view = memoryview(buffer)
        have = 0
        left = 0  # of the open frame's payload
        fin = False
        while True:
            count = stream.recv_into(view[have:])
            if count == 0:
                return
            have += count
            at = 0
            while at < have:
                if left == 0:
                    header = self.header(view[at:have])
                    if header is None:
                        break
                    size, left, fin = header
                    at += size
                    self.frames += 1
                taken = min(left, have - at)
                if self.checked:
                    self.sum = zlib.crc32(view[at:at + taken], self.sum)
                self.size += taken
                left -= taken
                at += taken
                if left == 0 and fin:
                    self.done = True
                    return
            buffer[:have - at] = buffer[at:have]
            have -= at

    @staticmethod
    def header(view: memoryview) -> tuple[int, int, bool] | None:
        if len(view) < 2:
            return None
        size = view[1] & 127
        fin = bool(view[0] & 128)
        if size < 126:
            return 2, size, fin
        length = 4 if size == 126 else 10
        if len(view) < length:
            return None
        return length, struct.unpack(">H" if size == 126 else ">Q", view[2:length])[0], fin


class MemoryWatch(threading.Thread):
    """The most memory that the daemon had while it ran."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon=True)
        self.watched = daemon
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            self.most = max(self.most, self.watched.memory())

    def end(self) -> int:
        self.over.set()
        self.join()
        return self.most


def size_for(size: int) -> int:
    return 64 * MIB if sanitized() else size


def test_two_gigabytes_pass_through(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "receive": "stream", "history": "4MiB", "patience": "10s"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    readers = [FastReader(daemon.subscribe("feed"), checked=number == 0) for number in range(3)]
    block = os.urandom(MIB)
    size = size_for(2 << 30)
    peer.send(frame(Opcode.BINARY, block * 4, fin=False))
    for reader in readers:
        reader.start()
    wait_for(lambda: all(reader.size == 4 * MIB for reader in readers), "the ring has been written once")
    before = daemon.memory()
    watch = MemoryWatch(daemon)
    watch.start()
    peer.socket.settimeout(120)
    peer.socket.sendall(frames.header(Opcode.CONTINUATION, size))
    for _ in range(size // MIB):
        peer.socket.sendall(block)
    for reader in readers:
        reader.join()
    most = watch.end()
    assert all(reader.done and reader.size == size + 4 * MIB for reader in readers)
    expected = 0
    for _ in range(size // MIB + 4):
        expected = zlib.crc32(block, expected)
    assert readers[0].sum == expected
    assert readers[0].frames >= size // (128 * KIB)
    # The ring is mapped twice, and the kernel counts what was touched in each.
    allowed = 64 * MIB if sanitized() else 8 * MIB
    assert most < before + allowed, f"{before >> 10} KiB before, {most >> 10} KiB at most"
    assert daemon.connection("feed")["messages_in"] == 1


# To upstream.


def app_header(opcode: int, size: int, **options: bool) -> bytes:
    """Masked with zeros, so that the payload is what it is."""
    return frames.header(opcode, size, masked=True, **options) + bytes(4)


def test_quarter_gigabyte_goes_upstream(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "send": "stream"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe_v1("feed")
    block = os.urandom(MIB)
    size = size_for(256 * MIB)

    def publish() -> None:
        app.socket.settimeout(120)
        app.socket.sendall(app_header(Opcode.BINARY, size + 4) + b"big\n")
        for _ in range(size // MIB):
            app.socket.sendall(block)

    publisher = threading.Thread(target=publish, daemon=True)
    publisher.start()
    received = 0
    checksum = 0
    first = peer.read_until(Opcode.BINARY)
    assert not first.fin
    before = daemon.memory()
    watch = MemoryWatch(daemon)
    watch.start()
    found = first
    while True:
        received += len(found.payload)
        checksum = zlib.crc32(found.payload, checksum)
        if found.fin:
            break
        found = peer.read_until(Opcode.CONTINUATION)
    most = watch.end()
    publisher.join()
    expected = 0
    for _ in range(size // MIB):
        expected = zlib.crc32(block, expected)
    assert (received, checksum) == (size, expected)
    assert app.read_event("sent", "failed") == {"event": "sent", "id": "big"}
    allowed = 64 * MIB if sanitized() else 8 * MIB
    assert most < before + allowed, f"{before >> 10} KiB before, {most >> 10} KiB at most"


def test_fragments_of_an_app_go_upstream_as_they_come(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    app.send(text(b"a" * 1_000, fin=False, masked=True))
    app.send(frame(Opcode.PING, b"here", masked=True))
    assert app.read_frame().opcode == Opcode.PONG
    app.send(part(b"b" * 1_000, fin=False, masked=True))
    found = session.peer.read_until(Opcode.TEXT)
    assert (found.payload, found.fin, found.masked) == (b"a" * 1_000 + b"b" * 1_000, False, True)
    session.peer.send(frame(Opcode.PING, b"within"))
    assert session.peer.read_until(Opcode.PONG, Opcode.CONTINUATION).payload == b"within"
    app.send(part(b"c", fin=False, masked=True))
    assert session.peer.read_until(Opcode.CONTINUATION).payload == b"c"
    app.send(part(b"", masked=True))
    found = session.peer.read_until(Opcode.CONTINUATION)
    assert (found.payload, found.fin) == (b"", True)
    app.send_text("after")
    assert session.peer.read_until(Opcode.TEXT).payload == b"after"


def test_others_wait_for_the_end(start_session: StartSession) -> None:
    session = streaming(start_session)
    large = session.daemon.subscribe_v1("feed")
    other = session.daemon.subscribe("feed")
    third = session.daemon.subscribe_v1("feed")
    large.send(text(b"id\n" + b"a" * 2_000, fin=False, masked=True))
    assert session.peer.read_until(Opcode.TEXT).payload == b"a" * 2_000
    other.send_text("other")
    third.send(text(b"third\n" + b"t" * 5_000, fin=False, masked=True) + part(b"", masked=True))
    answers: list[object] = []
    poster = threading.Thread(target=lambda: answers.append(session.daemon.post("feed", b"posted")))
    poster.start()
    for _ in range(3):
        large.send(part(b"more", fin=False, masked=True))
        assert session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION).payload == b"more"
    large.send(part(b"end", masked=True))
    found = session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION)
    assert (found.payload, found.fin) == (b"end", True)
    assert large.read_event("sent", "failed") == {"event": "sent", "id": "id"}
    rest = []
    while len(rest) < 3:
        found = session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION)
        payload = found.payload
        while not found.fin:
            found = session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION)
            assert found.opcode == Opcode.CONTINUATION, "nothing stands within a message"
            payload += found.payload
        rest.append(payload)
    assert sorted(rest) == sorted([b"other", b"posted", b"t" * 5_000])
    assert third.read_event("sent", "failed") == {"event": "sent", "id": "third"}
    poster.join()
    assert answers[0].status in (200, 202)  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["killed", "closed", "stalled"])
def test_publisher_that_goes_in_the_middle(how: str, start_session: StartSession) -> None:
    timeouts = {"publish": "200ms" if how == "stalled" else "60s", "close": "500ms"}
    session = streaming(start_session, timeouts=timeouts)
    other = session.daemon.subscribe_v1("feed")
    app = session.daemon.subscribe_v1("feed")
    app.send(app_header(Opcode.TEXT, 5_000) + b"id\n" + b"a" * 2_000)
    assert not session.peer.read_until(Opcode.TEXT).fin
    if how == "killed":
        app.close()
    elif how == "closed":
        app.send(b"b" * (5_000 - 2_003))
        assert session.peer.read_until(Opcode.CONTINUATION).fin
        app.send(text(b"id2\n" + b"a" * 2_000, fin=False, masked=True))
        assert not session.peer.read_until(Opcode.TEXT).fin
        app.send(frames.close(1000, masked=True))
    closing = session.peer.read_until(Opcode.CLOSE, Opcode.CONTINUATION)
    assert closing.close_code == 1001
    session.peer.send(frames.close(1001))
    session.peer.close()
    assert other.read_event("disconnected")["error"] == "publisher_gone"
    if how == "stalled":
        failed = app.read_event("failed")
        assert (failed["id"], failed["outcome"], failed["error"]) == ("id", "unknown", "publisher_gone")
        # The rest of it is nobody's; what comes behind is sent.
        session.next_peer()
        app.send(b"a" * (5_000 - 2_003))
        app.publish("next", "hello")
        assert session.peer.read_until(Opcode.TEXT).payload == b"hello"
        assert app.read_event("sent", "failed") == {"event": "sent", "id": "next"}


def test_killed_publisher_of_a_message_that_is_collected(start_session: StartSession) -> None:
    for settings in ({"send": "message", "max_message": "64KiB"}, {"send": "stream", "max_message": "64KiB"}):
        session = start_session(**settings)
        app = session.daemon.subscribe("feed")
        app.send(text(b"a" * 30_000, fin=False, masked=True) + app_header(Opcode.CONTINUATION, 30_000) + b"b" * 20_000)
        app.close()
        last = session.daemon.subscribe("feed")
        last.send_text("sentinel")
        assert session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION).payload == b"sentinel"
        assert session.daemon.connection("feed")["state"] == "ready"


def test_session_ends_in_the_middle_of_an_apps_message(start_session: StartSession) -> None:
    session = streaming(start_session)
    v1 = session.daemon.subscribe_v1("feed")
    v1.send(text(b"id\n" + b"a" * 2_000, fin=False, masked=True))
    assert not session.peer.read_until(Opcode.TEXT).fin
    session.peer.reset()
    failed = v1.read_event("failed")
    assert (failed["id"], failed["outcome"]) == ("id", "unknown")
    session.next_peer()
    v1.send(part(b"rest", masked=True))
    plain = session.daemon.subscribe("feed")
    plain.send(text(b"a" * 2_000, fin=False, masked=True))
    assert session.peer.read_until(Opcode.TEXT, Opcode.CONTINUATION).payload == b"a" * 2_000, "no rest was sent"
    session.peer.reset()
    assert plain.read_until(Opcode.CLOSE).close_code == 1013


def test_text_of_an_app_that_goes_bad_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    app.send(text(b"a" * 2_000, fin=False, masked=True))
    assert not session.peer.read_until(Opcode.TEXT).fin
    app.send(part(b"\xff", masked=True))
    assert app.read_until(Opcode.CLOSE).close_code == 1007
    assert session.peer.read_until(Opcode.CLOSE, Opcode.CONTINUATION).close_code == 1001


def test_a_reload_in_the_middle(start_session: StartSession) -> None:
    session = streaming(start_session)
    app = session.daemon.subscribe("feed")
    app.send(text(b"a" * 2_000, fin=False, masked=True))
    assert not session.peer.read_until(Opcode.TEXT).fin
    session.daemon.process.send_signal(signal.SIGHUP)
    app.send(part(b"b", masked=True))
    assert session.peer.read_until(Opcode.CONTINUATION).fin
