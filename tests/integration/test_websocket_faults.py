"""What a server can do wrong in WebSocket, and what the daemon does then: the rows of the list of faults.

Each violation must show in the same five places: the Close frame upstream, the connection's last error, the event to
subscribers, the metrics, the log. What came whole before it is delivered, and another connection notices nothing.
"""

from __future__ import annotations

import os
import struct
import zlib

import pytest

from support import frames
from support.daemon import Daemon
from support.frames import Opcode, frame, text
from support.metrics import samples_with
from support.scripted_server import Peer
from support.session import StartDaemon, StartServer
from support.steady import Steady
from support.waiting import wait_for

MAX_MESSAGE = 65_536
MEBIBYTE = 1 << 20


class Mistreated:
    """A daemon with the connection `feed`, which the test mistreats, and `steady` beside it."""

    def __init__(self, start_daemon: StartDaemon, start_server: StartServer, **settings: object) -> None:
        self.server = start_server()
        beside = start_server()
        feed = {"url": self.server.url, "max_message": MAX_MESSAGE} | settings
        self.daemon: Daemon = start_daemon({"feed": feed, "steady": beside})
        self.steady = Steady(self.daemon, beside.accept_and_upgrade())
        self.peer: Peer = self.server.accept()
        extensions = {"sec_websocket_extensions": "permessage-deflate"} if settings.get("compression") else {}
        self.peer.upgrade(**extensions)
        self.daemon.wait_state("feed", "ready")
        self.app = self.daemon.subscribe_v1("feed")
        self.steady.check()

    def expect_refusal(self, code: int, *errors: str, closed_by: str = "wskeep") -> None:
        """The daemon ended the session with this code, said why wherever it should, and comes back."""
        closing = self.peer.read_close()
        assert closing.masked, "a client masks"
        assert closing.close_code == code, closing
        self.peer.send(frames.close(code))
        self.peer.wait_for_end()
        event = self.app.read_event("disconnected")
        assert event["error"] in errors, event
        assert event["closed_by"] == closed_by, event
        self.expect_reports(event["error"])
        self.server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        self.steady.check()

    def expect_reports(self, error: str) -> None:
        self.daemon.wait_error("feed", error)
        counted = samples_with(self.daemon.metrics(), connection="feed", reason=error)
        assert [(sample.name, sample.value) for sample in counted] == [("wskeep_connection_ended_total", 1)]
        wait_for(lambda: self.daemon.log_has("feed", error), f"the log says {error}: {self.daemon.log}")  # written by a thread of its own
        assert not self.daemon.log_has("steady", error)


@pytest.fixture
def mistreated(start_daemon: StartDaemon, start_server: StartServer) -> Mistreated:
    return Mistreated(start_daemon, start_server)


@pytest.fixture
def mistreated_compressed(start_daemon: StartDaemon, start_server: StartServer) -> Mistreated:
    return Mistreated(start_daemon, start_server, compression=True)


def _reserved(opcodes: range) -> dict[str, bytes]:
    return {f"reserved opcode {opcode:#x}": frame(opcode, b"x") for opcode in opcodes}


PROTOCOL_ERRORS: dict[str, bytes] = {
    "masked": text("masked", masked=True),
    "masked ping": frame(Opcode.PING, b"x", masked=True),
    "RSV1": text("x", rsv=4),
    "RSV2": text("x", rsv=2),
    "RSV3": text("x", rsv=1),
    "RSV1 on a ping": frame(Opcode.PING, rsv=4),
    **_reserved(range(0x3, 0x8)),
    **_reserved(range(0xB, 0x10)),
    "fragmented ping": frame(Opcode.PING, b"x", fin=False),
    "fragmented close": frames.close(1000, fin=False),
    "ping of 126 bytes": frame(Opcode.PING, bytes(126)),
    "pong of 70000 bytes": frame(Opcode.PONG, bytes(70_000)),
    "close of 126 bytes": frames.close(1000, "x" * 124),
    "continuation of nothing": frame(Opcode.CONTINUATION, b"x"),
    "last continuation twice": text("a", fin=False) + frame(Opcode.CONTINUATION, b"b") + frame(Opcode.CONTINUATION, b"c"),
    "new message inside a fragmented one": text("a", fin=False) + text("b"),
    "125 bytes with a length of 16 bits": text(b"x" * 125, length_form=16),
    "65535 bytes with a length of 64 bits": text(b"x" * 65_535, length_form=64),
    "top bit of a 64-bit length": struct.pack(">BBQ", 0x82, 127, 1 << 63 | 5),
}

BAD_CLOSES: dict[str, bytes] = {
    "half a code": frame(Opcode.CLOSE, b"\x03"),
    **{f"code {code}": frames.close(code) for code in (0, 999, 1004, 1005, 1006, 2000)},
}


@pytest.mark.parametrize("violation", PROTOCOL_ERRORS.values(), ids=PROTOCOL_ERRORS.keys())
def test_protocol_errors_are_answered_with_1002(violation: bytes, mistreated: Mistreated) -> None:
    # The rest of a message that was not ended must not be delivered, so only whole ones count here.
    mistreated.peer.send(text("whole") + violation)
    assert mistreated.app.next_message().payload == b"whole"
    mistreated.expect_refusal(1002, "protocol_error")


@pytest.mark.parametrize("sent", BAD_CLOSES.values(), ids=BAD_CLOSES.keys())
def test_bad_closes_are_answered_with_1002(sent: bytes, mistreated: Mistreated) -> None:
    mistreated.peer.send(text("whole") + sent)
    assert mistreated.app.next_message().payload == b"whole"
    mistreated.expect_refusal(1002, "protocol_error", closed_by="upstream")


BAD_TEXT: dict[str, bytes] = {
    "stray byte": b"ab\xff",
    "overlong": b"\xc0\xaf",
    "surrogate": b"\xed\xa0\x80",
    "beyond U+10FFFF": b"\xf4\x90\x80\x80",
    "cut off": "世".encode()[:2],
}


@pytest.mark.parametrize("payload", BAD_TEXT.values(), ids=BAD_TEXT.keys())
@pytest.mark.parametrize("fragmented", [False, True], ids=["whole", "fragmented"])
def test_bad_utf8_is_answered_with_1007(payload: bytes, fragmented: bool, mistreated: Mistreated) -> None:
    sent = text(payload)
    if fragmented:
        sent = text(payload[:1], fin=False) + frame(Opcode.CONTINUATION, payload[1:])
    mistreated.peer.send(text("whole") + sent)
    assert mistreated.app.next_message().payload == b"whole"
    mistreated.expect_refusal(1007, "invalid_payload")


def test_a_code_point_may_be_split_over_fragments(mistreated: Mistreated) -> None:
    payload = "Grüße, 世界 🌍".encode()
    pieces = [text(payload[:1], fin=False), *[frame(Opcode.CONTINUATION, bytes([byte]), fin=False) for byte in payload[1:]],
              frame(Opcode.PING, b"between"), frame(Opcode.CONTINUATION)]
    mistreated.peer.send_pieces(pieces)
    assert mistreated.app.next_message().payload == payload
    assert mistreated.peer.read_until(Opcode.PONG).payload == b"between"
    mistreated.steady.check()


def test_any_split_of_the_bytes_is_fine(mistreated: Mistreated) -> None:
    # The long ones byte by byte would only repeat themselves.
    for step, sizes in ((1, (0, 1, 125, 126)), (2, (0, 1, 125, 126)), (7, (126, 127)), (1_000, (0, 65_535, 65_536, 1))):
        payloads = [os.urandom(size) for size in sizes]
        sent = b"".join(frame(Opcode.BINARY, payload) for payload in payloads)
        mistreated.peer.send_pieces(sent[start:start + step] for start in range(0, len(sent), step))
        for payload in payloads:
            assert mistreated.app.next_message().payload == payload


def _announced(size: int) -> bytes:
    return frames.header(Opcode.BINARY, size)


OVERSIZE: dict[str, bytes] = {
    "one more than allowed": _announced(MAX_MESSAGE + 1),
    "announced: 4 GiB": _announced(1 << 32),
    "announced: 4 EiB": _announced(1 << 62),
    "sum of fragments": b"".join(frame(Opcode.BINARY if number == 0 else Opcode.CONTINUATION, bytes(30_000), fin=False)
                                 for number in range(3)),
    "announced by a fragment": frame(Opcode.BINARY, b"x", fin=False) + frames.header(Opcode.CONTINUATION, MAX_MESSAGE),
    "announced so that the sum overflows": frame(Opcode.BINARY, b"xyz", fin=False)
    + frames.header(Opcode.CONTINUATION, (1 << 63) - 1),
}


@pytest.mark.parametrize("violation", OVERSIZE.values(), ids=OVERSIZE.keys())
def test_oversize_is_answered_with_1009(violation: bytes, mistreated: Mistreated) -> None:
    mistreated.peer.send(frame(Opcode.BINARY, bytes(MAX_MESSAGE)))
    assert mistreated.app.next_message().payload == bytes(MAX_MESSAGE), "exactly as large as allowed is allowed"
    before = mistreated.daemon.memory()
    mistreated.peer.send(violation)
    mistreated.expect_refusal(1009, "message_too_big")
    assert mistreated.daemon.memory() - before < 16 * MEBIBYTE


def _deflate(payload: bytes, level: int = 9) -> bytes:
    compressor = zlib.compressobj(level, wbits=-15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


@pytest.mark.parametrize("fragmented", [False, True], ids=["whole", "fragmented"])
def test_a_bomb_is_answered_with_1009_and_takes_no_memory(fragmented: bool, start_daemon: StartDaemon,
                                                          start_server: StartServer) -> None:
    bomb = _deflate(bytes(256 * MEBIBYTE))
    assert len(bomb) < 300_000
    # Compressed it is well within the limit: only inflating can tell.
    mistreated = Mistreated(start_daemon, start_server, compression=True, max_message=MEBIBYTE)
    mistreated.peer.send(frame(Opcode.BINARY, _deflate(b"whole"), rsv=4))
    assert mistreated.app.next_message().payload == b"whole"
    before = mistreated.daemon.memory()
    if fragmented:
        third = len(bomb) // 3
        mistreated.peer.send(frame(Opcode.BINARY, bomb[:third], rsv=4, fin=False)
                             + frame(Opcode.CONTINUATION, bomb[third:2 * third], fin=False)
                             + frame(Opcode.CONTINUATION, bomb[2 * third:]))
    else:
        mistreated.peer.send(frame(Opcode.BINARY, bomb, rsv=4))
    mistreated.expect_refusal(1009, "message_too_big")
    assert mistreated.daemon.memory() - before < 32 * MEBIBYTE


COMPRESSED_FAULTS: dict[str, tuple[bytes, int, str]] = {
    "does not inflate": (frame(Opcode.BINARY, b"\xff" * 50, rsv=4), 1007, "invalid_payload"),
    "inflates to bad UTF-8": (text(_deflate(b"ab\xff"), rsv=4), 1007, "invalid_payload"),
    "RSV1 on a continuation": (text(_deflate(b"ab"), rsv=4, fin=False) + frame(Opcode.CONTINUATION, b"x", rsv=4), 1002,
                               "protocol_error"),
    "RSV1 on a ping": (frame(Opcode.PING, rsv=4), 1002, "protocol_error"),
    "RSV2": (text(_deflate(b"ab"), rsv=6), 1002, "protocol_error"),
    "masked": (text(_deflate(b"ab"), rsv=4, masked=True), 1002, "protocol_error"),
    "not compressed, oversize": (_announced(MAX_MESSAGE + 1), 1009, "message_too_big"),
}


@pytest.mark.parametrize(("violation", "code", "error"), COMPRESSED_FAULTS.values(), ids=COMPRESSED_FAULTS.keys())
def test_faults_of_a_compressed_session(violation: bytes, code: int, error: str, mistreated_compressed: Mistreated) -> None:
    mistreated_compressed.peer.send(text("not compressed") + violation)
    assert mistreated_compressed.app.next_message().payload == b"not compressed"
    mistreated_compressed.expect_refusal(code, error)


def test_context_takeover_over_many_messages(mistreated_compressed: Mistreated) -> None:
    compressor = zlib.compressobj(9, wbits=-15)
    payloads = [f"message {number} of a long conversation ".encode() * (number % 7) for number in range(200)]
    for payload in payloads:
        data = (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
        half = len(data) // 2
        mistreated_compressed.peer.send(text(data[:half], rsv=4, fin=False) + frame(Opcode.PING)
                                        + frame(Opcode.CONTINUATION, data[half:]))
    for payload in payloads:
        assert mistreated_compressed.app.next_message().payload == payload


def test_a_close_reason_must_be_utf8(mistreated: Mistreated) -> None:
    mistreated.peer.send(frames.close(1000, b"\xff"))
    answer = mistreated.peer.read_close()
    assert answer.close_code in (1002, 1007)
    assert mistreated.app.read_event("disconnected")["error"] in ("protocol_error", "invalid_payload")
    mistreated.steady.check()


def test_a_close_that_leaves_tcp_open_is_ended(start_daemon: StartDaemon, start_server: StartServer) -> None:
    mistreated = Mistreated(start_daemon, start_server, timeouts={"close": "200ms"})
    mistreated.peer.send(frames.close(1000, "bye"))
    assert mistreated.peer.read_close().close_code == 1000
    mistreated.peer.wait_for_end(timeout=5)
    event = mistreated.app.read_event("disconnected")
    assert (event["error"], event["close_code"], event["reason"], event["closed_by"]) == (
        "closed_by_peer", 1000, "bye", "upstream")
    mistreated.expect_reports("closed_by_peer")
    mistreated.server.accept_and_upgrade()
    mistreated.daemon.wait_state("feed", "ready")
    mistreated.steady.check()


def test_a_close_of_ours_that_is_never_answered_is_ended(start_daemon: StartDaemon, start_server: StartServer) -> None:
    mistreated = Mistreated(start_daemon, start_server, timeouts={"close": "200ms"})
    mistreated.peer.send(text("x", rsv=2))
    assert mistreated.peer.read_close().close_code == 1002
    mistreated.peer.wait_for_end(timeout=5)
    mistreated.expect_reports("protocol_error")
    mistreated.server.accept_and_upgrade()
    mistreated.daemon.wait_state("feed", "ready")
    mistreated.steady.check()


def test_data_after_close_is_ignored(mistreated: Mistreated) -> None:
    mistreated.peer.send(text("before") + frames.close(1000) + text("after") + frame(Opcode.PING, b"after"))
    assert mistreated.app.next_message().payload == b"before"
    item = mistreated.app.read_item()
    assert isinstance(item, dict) and item["event"] == "disconnected", item
    first = mistreated.peer.read_frame()
    assert (first.opcode, first.close_code) == (Opcode.CLOSE, 1000), "the ping behind the Close is not answered"
    assert mistreated.daemon.connection("feed")["ring"]["last"] == 1
    mistreated.expect_reports("closed_by_peer")
    mistreated.steady.check()


@pytest.mark.parametrize("code", [1012, 1013])
def test_a_server_that_asks_for_time_gets_it(code: int, start_daemon: StartDaemon, start_server: StartServer) -> None:
    mistreated = Mistreated(start_daemon, start_server, reconnect={"initial": "10m", "max": "10m"})
    mistreated.peer.send(frames.close(code, "later"))
    assert mistreated.peer.read_close().close_code == code
    mistreated.peer.close()
    found = mistreated.daemon.wait_state("feed", "backing_off")
    assert found["next_attempt"] is not None
    assert found["last_error"]["error"] == "closed_by_peer"
    assert found["last_error"]["close_code"] == code
    mistreated.expect_reports("closed_by_peer")
    mistreated.steady.check()


def test_a_flood_of_pings_that_are_answered(mistreated: Mistreated) -> None:
    before = mistreated.daemon.memory()
    block = frame(Opcode.PING, b"flood") * 1_000
    for number in range(50):
        mistreated.peer.send(block)
        mistreated.peer.send(text(f"{number}"))
        assert mistreated.app.next_message().payload == f"{number}".encode()
    # Only the last ping of many must be answered (RFC 6455, 5.5.3).
    assert mistreated.peer.read_until(Opcode.PONG).payload == b"flood"
    assert mistreated.daemon.memory() - before < 16 * MEBIBYTE
    mistreated.steady.check()


def test_a_flood_of_pings_whose_answers_nobody_reads(start_daemon: StartDaemon, start_server: StartServer) -> None:
    mistreated = Mistreated(start_daemon, start_server, timeouts={"send": "1s"})
    before = mistreated.daemon.memory()
    block = frame(Opcode.PING, os.urandom(125)) * 1_000
    mistreated.peer.socket.settimeout(3)
    try:
        for _ in range(200):
            mistreated.peer.socket.sendall(block)
    except (TimeoutError, OSError):
        pass  # that the daemon reads no more, or ends the session, is as good
    assert mistreated.daemon.memory() - before < 16 * MEBIBYTE
    mistreated.steady.check()


@pytest.mark.parametrize("compression", [False, True], ids=["plain", "compressed"])
def test_a_flood_of_empty_fragments_is_bounded(compression: bool, start_daemon: StartDaemon, start_server: StartServer) -> None:
    mistreated = Mistreated(start_daemon, start_server, compression=compression)
    before = mistreated.daemon.memory()
    mistreated.peer.send(text("", fin=False) + frame(Opcode.CONTINUATION, fin=False) * 70_000)
    mistreated.expect_refusal(1008, "protocol_error", "message_too_big")
    assert mistreated.daemon.memory() - before < 16 * MEBIBYTE
