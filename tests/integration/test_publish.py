"""From local apps to upstream."""

from __future__ import annotations

import json
import os
import signal

import pytest

from support import frames
from support.frames import Opcode, frame, text
from support.processes import free_port
from support.session import Session, StartDaemon, StartServer, StartSession
from support.waiting import wait_for


def test_plain(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    for opcode, payload in ((Opcode.TEXT, "Grüße".encode()), (Opcode.BINARY, bytes(range(256))), (Opcode.TEXT, b""),
                            (Opcode.BINARY, os.urandom(70_000)), (Opcode.BINARY, os.urandom(1 << 20))):
        app.send(frame(opcode, payload, masked=True))
        received = session.peer.read_until(Opcode.TEXT, Opcode.BINARY)
        assert (received.opcode, received.payload) == (opcode, payload)
        assert received.masked and received.fin and received.rsv == 0
    app.send(text("frag", fin=False, masked=True) + frame(Opcode.PING, b"p", masked=True)
             + frame(Opcode.CONTINUATION, b"ment", masked=True))
    assert app.read_frame() == frames.Frame(Opcode.PONG, b"p")
    assert session.peer.read_until(Opcode.TEXT).payload == b"fragment"


def test_two_apps_share_a_connection(session: Session) -> None:
    apps = [session.daemon.subscribe("feed") for _ in range(2)]
    for number in range(50):
        for name, app in zip("ab", apps, strict=True):
            app.send_text(f"{name}{number}")
    received = [session.peer.read_until(Opcode.TEXT).payload.decode() for _ in range(100)]
    for name in "ab":
        assert [each for each in received if each[0] == name] == [f"{name}{number}" for number in range(50)]
    session.peer.send(text("for both"))
    assert [app.read_message().payload for app in apps] == [b"for both"] * 2
    found = session.daemon.connection("feed")
    assert found["messages_out"] == 100 and found["bytes_out"] == sum(map(len, received))


def test_v1_answers_each_id(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    app.publish("first", "one\ntwo")
    assert session.peer.read_until(Opcode.TEXT).payload == b"one\ntwo"
    assert app.read_event() == {"event": "sent", "id": "first"}
    app.send_binary(b"~" * 64 + b"\n\x00\xff")
    received = session.peer.read_until(Opcode.TEXT, Opcode.BINARY)
    assert (received.opcode, received.payload) == (Opcode.BINARY, b"\x00\xff")
    assert app.read_event() == {"event": "sent", "id": "~" * 64}
    for number in range(200):
        app.publish(str(number), f"payload {number}")
    assert [app.read_event()["id"] for _ in range(200)] == [str(number) for number in range(200)]


@pytest.mark.parametrize("sent", [b"no line end", b"\nempty", b"two words\nx", b"~" * 65 + b"\nlong", "ä\nx".encode()],
                         ids=["no line end", "empty", "space", "long", "not ASCII"])
def test_v1_without_a_right_id(sent: bytes, session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    app.send_text(sent)
    # Without an ID there is nobody to tell: the app is told by the end of its connection, or by a `failed`.
    answer = app.read_until(Opcode.TEXT, Opcode.CLOSE)
    if answer.opcode == Opcode.TEXT:
        assert json.loads(answer.payload)["event"] == "failed"
    else:
        assert answer.close_code in (1002, 1003, 1007, 1008)
    app.close()
    last = session.daemon.subscribe("feed")
    last.send_text("sentinel")
    assert session.peer.read_until(Opcode.TEXT).payload == b"sentinel", "nothing of it went upstream"


def test_while_disconnected(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": f"wss://localhost:{free_port()}/"})
    v1 = daemon.subscribe_v1("feed")
    v1.publish("one", "x")
    failed = v1.read_event("failed")
    assert failed["id"] == "one" and failed["error"] == "not_connected" and failed["message"]
    plain = daemon.subscribe("feed")
    plain.send_text("x")
    closing = plain.read_close()
    assert closing.close_code == 1013 and closing.close_reason
    response = daemon.post("feed", b"x")
    assert response.status == 503
    assert (response.json["outcome"], response.json["error"]) == ("rejected", "not_connected")


def test_post(session: Session) -> None:
    for content_type, opcode in (("text/plain", Opcode.TEXT), ("text/plain; charset=utf-8", Opcode.TEXT),
                                 ("application/json", Opcode.TEXT), ("application/octet-stream", Opcode.BINARY)):
        response = session.daemon.post("feed", content_type.encode(), content_type)
        assert (response.status, response.json) == (200, {"outcome": "written"})
        received = session.peer.read_until(Opcode.TEXT, Opcode.BINARY)
        assert (received.opcode, received.payload) == (opcode, content_type.encode())


def test_post_that_is_not_utf8(session: Session) -> None:
    response = session.daemon.post("feed", b"\xff")
    assert response.status == 400
    assert session.daemon.post("feed", b"\xff", "application/octet-stream").status == 200
    assert session.peer.read_until(Opcode.TEXT, Opcode.BINARY).opcode == Opcode.BINARY


def test_post_that_is_too_large(start_session: StartSession) -> None:
    session = start_session(max_message="1KiB")
    assert session.daemon.post("feed", bytes(1_024), "application/octet-stream").status == 200
    response = session.daemon.post("feed", bytes(1_025), "application/octet-stream")
    assert (response.status, response.json["error"]) == (413, "too_large")


def test_post_to_a_peer_that_does_not_read(start_session: StartSession) -> None:
    session = start_session(send_buffer="8MiB", timeouts={"send": "30s"})
    outcomes = []
    for _ in range(32):
        response = session.daemon.post("feed", bytes(1 << 20), "application/octet-stream")
        outcomes.append((response.status, response.json["outcome"]))
        if response.status == 503:
            assert response.json["error"] == "send_buffer_full"
            break
    assert outcomes[0] == (200, "written")
    assert outcomes[-1] == (503, "rejected"), "32 MiB fit neither the kernel nor the buffer"
    assert (202, "queued") in outcomes
    # When the peer reads again, all that was taken arrives.
    taken = sum(status != 503 for status, _ in outcomes)
    for _ in range(taken):
        assert len(session.peer.read_until(Opcode.BINARY).payload) == 1 << 20


BAD_FROM_APPS: dict[str, tuple[bytes, int]] = {
    "text that is not UTF-8": (text(b"\xff", masked=True), 1007),
    "not masked": (text("x"), 1002),
    "reserved opcode": (frame(0x3, b"x", masked=True), 1002),
    "RSV1": (text("x", rsv=4, masked=True), 1002),
    "orphan continuation": (frame(Opcode.CONTINUATION, b"x", masked=True), 1002),
    "fragmented ping": (frame(Opcode.PING, fin=False, masked=True), 1002),
    "too large": (frames.header(Opcode.BINARY, 1_200, masked=True) + b"\0\0\0\0", 1009),
    "huge": (frames.header(Opcode.BINARY, 1 << 62, masked=True) + b"\0\0\0\0", 1009),
    "close code 1005": (frames.close(1005, masked=True), 1002),
}


@pytest.mark.parametrize(("sent", "code"), BAD_FROM_APPS.values(), ids=BAD_FROM_APPS.keys())
@pytest.mark.parametrize("protocol", ["plain", "v1"])
def test_what_a_local_app_does_wrong(sent: bytes, code: int, protocol: str, start_session: StartSession) -> None:
    session = start_session(max_message="1KiB")
    other = session.daemon.subscribe("feed")
    app = session.daemon.subscribe("feed") if protocol == "plain" else session.daemon.subscribe_v1("feed")
    app.send(sent)
    assert app.read_close().close_code == code
    app.send(frames.close(code, masked=True))
    app.wait_for_end()
    # The others, and upstream, did not notice.
    other.send_text("sentinel")
    assert session.peer.read_until(Opcode.TEXT, Opcode.BINARY).payload == b"sentinel"
    session.peer.send(text("down"))
    assert other.read_message().payload == b"down"


def test_an_app_killed_inside_a_message_leaves_nothing_upstream(session: Session) -> None:
    child_ready, parent_side = os.pipe()
    child = os.fork()
    if child == 0:
        # In the child: no clean-up of the parent's things may run here, whatever happens.
        try:
            app = session.daemon.subscribe("feed")
            app.send(text("begun", fin=False, masked=True) + frames.header(Opcode.CONTINUATION, 100, masked=True))
            os.write(parent_side, b"!")
            signal.pause()
        finally:
            os._exit(1)
    assert os.read(child_ready, 1) == b"!"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(child_ready)
    os.close(parent_side)
    wait_for(lambda: session.daemon.connection("feed")["subscribers"] == 0)
    app = session.daemon.subscribe("feed")
    app.send_text("sentinel")
    assert session.peer.read_until(Opcode.TEXT).payload == b"sentinel"


def test_a_close_by_the_app_is_answered(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    app.send(frames.close(1000, "done", masked=True))
    assert app.read_close().close_code == 1000
    assert app.wait_for_end() == b""
    wait_for(lambda: session.daemon.connection("feed")["subscribers"] == 0)


def test_a_peer_that_does_not_read_holds_no_other_connection_up(start_daemon: StartDaemon, start_server: StartServer) -> None:
    stuck, quick = start_server(), start_server()
    daemon = start_daemon({"stuck": {"url": stuck.url, "send_buffer": "2MiB"}, "quick": quick})
    stuck.accept_and_upgrade()
    peer = quick.accept_and_upgrade()
    for name in ("stuck", "quick"):
        daemon.wait_state(name, "ready")
    before = daemon.memory()
    publisher = daemon.subscribe("stuck")
    # When the send buffer is full the app is not read from any more: it waits, and the daemon does not grow.
    publisher.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(64):
            publisher.socket.sendall(frame(Opcode.BINARY, bytes(1 << 20), masked=True))
    assert daemon.memory() - before < 16 << 20
    app = daemon.subscribe("quick")
    app.send_text("x")
    assert peer.read_until(Opcode.TEXT).payload == b"x"
