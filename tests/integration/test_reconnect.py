"""Sessions that end, and what local apps see of it."""

from __future__ import annotations

import time

import pytest

from support import frames
from support.frames import Opcode, text
from support.local import Message, V1Subscriber
from support.processes import free_port
from support.session import Session, StartDaemon, StartServer, StartSession
from support.waiting import wait_for

ROUNDS = 100
PER_ROUND = 3


def _one_round(session: Session, app: V1Subscriber, number: int) -> None:
    """A session's worth of messages; they have arrived when this returns."""
    for index in range(PER_ROUND):
        session.peer.send(text(f"{number}.{index}"))
    for index in range(PER_ROUND):
        message = app.read_item()
        assert isinstance(message, Message), message
        assert message.payload == f"{number}.{index}".encode()
        assert message.sequence == number * PER_ROUND + index + 1, "none lost, none twice"


def _expect_loss_and_return(session: Session, app: V1Subscriber, *errors: str) -> None:
    lost = app.read_item()
    assert isinstance(lost, dict) and lost["event"] == "disconnected", lost
    assert lost["error"] in errors, lost
    assert lost["closed_by"] == "network"
    session.peer = session.server.accept_and_upgrade()
    back = app.read_item()
    assert isinstance(back, dict) and back["event"] == "connected", back
    assert back["away_ms"] >= 0


def test_a_server_restarted_100_times(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    for number in range(ROUNDS):
        _one_round(session, app, number)
        session.server.stop_listening()
        session.peer.cut()
        # In part of the rounds it is away so long that an attempt or two is refused.
        if number % 10 == 0:
            wait_for(lambda: session.daemon.connection("feed")["last_error"]["error"] == "connection_refused",
                     "an attempt was refused")
        session.server.listen()
        _expect_loss_and_return(session, app, "connection_closed", "tls_truncated")
    _one_round(session, app, ROUNDS)
    assert session.daemon.connection("feed")["sessions"] == ROUNDS + 1


def test_a_connection_reset_100_times(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    for number in range(ROUNDS):
        _one_round(session, app, number)
        # Half of the time in the middle of a message, which must leave no trace.
        if number % 2:
            session.peer.send(text("never whole" * 100)[:500])
        session.peer.reset()
        _expect_loss_and_return(session, app, "connection_reset")
    _one_round(session, app, ROUNDS)
    assert session.daemon.connection("feed")["messages_in"] == (ROUNDS + 1) * PER_ROUND


@pytest.mark.parametrize("partial", [False, True], ids=["between messages", "inside a message"])
def test_tls_that_ends_without_close_notify(partial: bool, session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    session.peer.send(text("whole") + (text("partial" * 20)[:50] if partial else b""))
    assert app.next_message().payload == b"whole"
    session.peer.cut()
    assert app.read_event("disconnected")["error"] == ("tls_truncated" if partial else "connection_closed")
    session.next_peer().send(text("next"))
    assert app.next_message().sequence == 2


def test_an_end_without_a_close_frame(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    session.peer.end()
    event = app.read_event("disconnected")
    # 1006 is the code that RFC 6455 reserves for just this (7.1.5).
    assert (event["error"], event["close_code"], event["closed_by"]) == ("connection_closed", 1006, "network")
    session.next_peer()


def test_a_partial_message_is_discarded(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    session.peer.send(text("fragment", fin=False) + frames.frame(Opcode.CONTINUATION, b"half of it")[:7])
    session.peer.reset()
    session.next_peer().send(text("next"))
    assert app.read_message().payload == b"next"
    assert session.daemon.connection("feed")["ring"]["last"] == 1


def test_frames_that_come_with_the_101_are_kept(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    app = daemon.subscribe("feed")
    peer = server.accept()
    peer.send(peer.upgrade_answer() + text("early") + text("birds"))
    assert app.read_message().payload == b"early"
    assert app.read_message().payload == b"birds"


def test_silence_ends_a_session(start_session: StartSession) -> None:
    session = start_session(timeouts={"receive": "200ms"}, keepalive={"ping": "0s"})
    app = session.daemon.subscribe_v1("feed")
    assert app.read_event("disconnected")["error"] == "receive_timeout"
    session.peer.close()
    session.next_peer()


def test_pings_keep_a_quiet_session(start_session: StartSession) -> None:
    session = start_session(timeouts={"receive": "2s"}, keepalive={"ping": "20ms"})
    for _ in range(20):
        ping = session.peer.read_until(Opcode.PING)
        session.peer.send(frames.frame(Opcode.PONG, ping.payload))
    found = session.daemon.connection("feed")
    assert found["state"] == "ready" and found["sessions"] == 1
    assert 0 <= found["round_trip_ms"] < 2_000


def test_a_peer_that_answers_no_ping_is_gone(start_session: StartSession) -> None:
    session = start_session(timeouts={"receive": "200ms"}, keepalive={"ping": "50ms"})
    session.peer.read_until(Opcode.PING)
    assert session.daemon.subscribe_v1("feed").read_event("disconnected")["error"] == "receive_timeout"


def test_a_ping_is_answered_with_its_payload(session: Session) -> None:
    for payload in (b"", b"x", bytes(range(125))):
        session.peer.send(frames.frame(Opcode.PING, payload))
        answer = session.peer.read_until(Opcode.PONG)
        assert answer.payload == payload and answer.masked


@pytest.mark.parametrize("drip", [False, True], ids=["stalled", "dripped"])
def test_a_message_that_never_ends(drip: bool, start_session: StartSession) -> None:
    session = start_session(timeouts={"message": "300ms", "receive": "10s"})
    app = session.daemon.subscribe_v1("feed")
    session.peer.send(text("whole") + frames.header(Opcode.TEXT, 100_000))
    if drip:
        try:
            for _ in range(1_000):
                session.peer.send(b"x")
                time.sleep(0.005)  # what dripping is
        except OSError:
            pass  # the daemon had enough of it
    assert app.read_event("disconnected", timeout=10)["error"] == "message_timeout"


def test_a_peer_that_never_reads(start_session: StartSession) -> None:
    session = start_session(timeouts={"send": "300ms"}, send_buffer="16MiB", max_message="8MiB")
    app = session.daemon.subscribe_v1("feed")
    # More than the kernel's buffers take, less than the daemon's: some are under way when the deadline comes.
    identifiers = {f"message-{number}" for number in range(12)}
    for identifier in sorted(identifiers):
        app.send_binary(f"{identifier}\n".encode() + bytes(1 << 20))
    lost = None
    answered: dict[str, str] = {}
    while lost is None or len(answered) < len(identifiers):
        event = app.read_event("sent", "failed", "disconnected")
        if event["event"] == "disconnected":
            lost = event
        else:
            assert event["id"] not in answered, "each is answered once"
            answered[event["id"]] = event["event"]
    assert lost["error"] == "send_timeout"
    assert answered.keys() == identifiers
    assert "failed" in answered.values()
    session.peer.close()
    session.next_peer()


def test_refused_attempts_back_off(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": {"url": f"wss://localhost:{free_port()}/", "reconnect": {"initial": "1ms", "max": "50ms"}}})
    daemon.wait_error("feed", "connection_refused")

    def cycles() -> list[object]:
        return daemon.get("/v1/connections/feed/attempts").json["cycles"]

    wait_for(lambda: len(cycles()) >= 5, "several attempts are remembered")
    # With 50 ms at most, a second holds some forty attempts; a loop without a pause would hold thousands.
    used = daemon.processor_seconds()
    assert used < 2, "it does not spin"


def test_a_server_that_accepts_and_closes_is_backed_off_from(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "reconnect": {"initial": "20ms", "max": "10m"}}})
    rounds = 0
    started = time.monotonic()
    # The cap doubles each time though each session opened: 20 ms, 40 ms, ...; a back-off that a mere 101 resets would
    # go through dozens of rounds here.
    try:
        while time.monotonic() - started < 3:
            peer = server.accept(timeout=3)
            peer.upgrade()
            peer.send(frames.close(1000))
            peer.wait_for_end()
            rounds += 1
    except TimeoutError:
        pass
    assert 3 <= rounds <= 25, rounds


def test_other_connections_do_not_notice(start_daemon: StartDaemon, start_server: StartServer) -> None:
    first, second = start_server(), start_server()
    daemon = start_daemon({"first": first, "second": second, "third": f"wss://localhost:{free_port()}/"})
    peers = [first.accept_and_upgrade(), second.accept_and_upgrade()]
    daemon.wait_state("first", "ready")
    daemon.wait_state("second", "ready")
    app = daemon.subscribe_v1("second")
    for number in range(10):
        peers[0].reset()
        peers[0] = first.accept_and_upgrade()
        peers[1].send(text(str(number)))
        item = app.read_item()
        assert isinstance(item, Message) and item.sequence == number + 1
    assert daemon.connection("second")["sessions"] == 1
