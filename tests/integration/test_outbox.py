"""Messages that wait until their connection can send them (`outbox`)."""

from __future__ import annotations

import threading

from support.frames import Opcode
from support.local import Response
from support.processes import free_port
from support.session import StartDaemon, StartServer
from support.waiting import wait_for


def gauge(daemon: object, name: str) -> float:
    family = daemon.metrics()[name]  # type: ignore[attr-defined]
    return next(sample.value for sample in family.samples if sample.labels.get("connection") == "feed")


def test_without_an_outbox_nothing_waits(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": f"ws://localhost:{free_port()}/"})
    app = daemon.subscribe_v1("feed")
    app.publish("1", "x")
    failed = app.read_event("queued", "sent", "failed")
    assert (failed["event"], failed["outcome"], failed["error"]) == ("failed", "rejected", "not_connected")


def test_waits_for_the_connection(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    server.stop_listening()
    daemon = start_daemon({"feed": {"url": server.url, "outbox": {"ttl": "1m"}}})
    v1 = daemon.subscribe_v1("feed")
    for number in range(5):
        v1.publish(str(number), f"v1 {number}")
        assert v1.read_event("queued", "sent", "failed") == {"event": "queued", "id": str(number)}
    plain = daemon.subscribe("feed")
    plain.send_text("plain")
    wait_for(lambda: gauge(daemon, "wskeep_outbox_messages") == 6, "it waits too")
    answer = daemon.post("feed", b"posted")
    assert (answer.status, answer.json) == (202, {"outcome": "queued"})
    assert gauge(daemon, "wskeep_outbox_bytes") == 5 * 4 + 5 + 6
    server.listen()
    peer = server.accept_and_upgrade()
    got = [peer.read_until(Opcode.TEXT).payload.decode() for _ in range(7)]
    assert got == [f"v1 {number}" for number in range(5)] + ["plain", "posted"]
    assert [v1.read_event("sent", "failed") for _ in range(5)] == [{"event": "sent", "id": str(n)} for n in range(5)]
    plain.send_text("later")
    assert peer.read_until(Opcode.TEXT).payload == b"later"
    assert gauge(daemon, "wskeep_outbox_messages") == 0 and gauge(daemon, "wskeep_outbox_bytes") == 0


def test_post_that_is_written_soon(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "outbox": {"ttl": "1m"}}})
    answers: list[Response] = []
    poster = threading.Thread(target=lambda: answers.append(daemon.post("feed", b"posted")))
    poster.start()
    wait_for(lambda: gauge(daemon, "wskeep_outbox_messages") == 1, "it waits")
    peer = server.accept_and_upgrade()
    assert peer.read_until(Opcode.TEXT).payload == b"posted"
    poster.join()
    assert answers[0].json["outcome"] in ("written", "queued")


def test_nothing_is_sent_late(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    server.stop_listening()
    daemon = start_daemon({"feed": {"url": server.url, "outbox": {"ttl": "200ms"}}})
    v1 = daemon.subscribe_v1("feed")
    v1.publish("1", "late")
    assert v1.read_event("queued", "failed")["event"] == "queued"
    failed = v1.read_event("sent", "failed")
    assert (failed["event"], failed["id"], failed["outcome"], failed["error"]) == ("failed", "1", "rejected", "expired")
    plain = daemon.subscribe("feed")
    plain.send_text("late")
    closing = plain.read_close()
    assert closing.close_code == 1013 and "outbox.ttl" in closing.close_reason
    answer = daemon.post("feed", b"late")
    assert (answer.status, answer.json["outcome"], answer.json["error"]) == (503, "rejected", "expired")
    assert gauge(daemon, "wskeep_outbox_expired_total") == 3
    server.listen()
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    v1.publish("2", "in time")
    assert peer.read_until(Opcode.TEXT).payload == b"in time"


def test_bounds(start_daemon: StartDaemon) -> None:
    url = f"ws://localhost:{free_port()}/"
    daemon = start_daemon({"feed": {"url": url, "outbox": {"ttl": "1m", "messages": 3}},
                           "small": {"url": url, "outbox": {"ttl": "1m", "bytes": "1KiB"}, "max_message": "2KiB"}})
    v1 = daemon.subscribe_v1("feed")
    for number in range(4):
        v1.publish(str(number), "x")
    events = [v1.read_event("queued", "failed") for _ in range(4)]
    assert [event["event"] for event in events] == ["queued"] * 3 + ["failed"]
    assert (events[3]["outcome"], events[3]["error"]) == ("rejected", "outbox_full")
    bytes_bound = daemon.subscribe_v1("small")
    bytes_bound.publish("a", "x" * 1_025)
    assert bytes_bound.read_event("queued", "failed")["error"] == "outbox_full"
    bytes_bound.publish("b", "x" * 1_024)
    assert bytes_bound.read_event("queued", "failed")["event"] == "queued"
    bytes_bound.publish("c", "x" * 2_049)
    assert bytes_bound.read_event("queued", "failed")["error"] == "too_large"
    plain = daemon.subscribe("small")
    plain.send_text("y")
    assert plain.read_close().close_code == 1013


def test_what_was_under_way_is_never_sent_again(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "outbox": {"ttl": "1m"}, "send_buffer": "64MiB",
                                    "max_message": "16MiB"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    v1 = daemon.subscribe_v1("feed")
    # More than the kernel takes, from a peer that does not read.
    for number in range(4):
        v1.send_binary(b"%d\n" % number + bytes(8 << 20))
    wait_for(lambda: gauge(daemon, "wskeep_send_queue_bytes") > 8 << 20, "it is under way")
    peer.reset()
    outcomes = []
    while len(outcomes) < 4:
        event = v1.read_event("sent", "failed")
        outcomes.append("sent" if event["event"] == "sent" else (event["outcome"], event["error"]))
    assert outcomes[-1][0] == "unknown", outcomes
    assert all(outcome == "sent" or outcome[0] == "unknown" for outcome in outcomes)
    peer = server.accept_and_upgrade()
    v1.publish("new", "new")
    assert peer.read_until(Opcode.TEXT, Opcode.BINARY).payload == b"new", "nothing is sent again"


def test_waits_also_for_the_opening(start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "outbox": {"ttl": "1m"},
                                    "session": {"open": [{"send": "login"}, {"wait": {"contains": "welcome"}}]}}})
    peer = server.accept_and_upgrade()
    assert peer.read_until(Opcode.TEXT).payload == b"login"
    v1 = daemon.subscribe_v1("feed")
    v1.publish("1", "order")
    assert v1.read_event("queued", "sent", "failed")["event"] == "queued"
    peer.send(b"\x81\x07welcome")
    assert peer.read_until(Opcode.TEXT).payload == b"order"
    assert v1.read_event("sent", "failed") == {"event": "sent", "id": "1"}


def test_the_daemon_stops(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": {"url": f"ws://localhost:{free_port()}/", "outbox": {"ttl": "1h"}}})
    v1 = daemon.subscribe_v1("feed")
    v1.publish("1", "x")
    assert v1.read_event("queued", "failed")["event"] == "queued"
    daemon.terminate()
    failed = v1.read_event("failed")
    assert (failed["id"], failed["outcome"]) == ("1", "rejected")


def test_publishers_faster_than_upstream_are_not_read_from(start_server: StartServer,
                                                           start_daemon: StartDaemon) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "send_buffer": "64KiB"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe("feed")
    sent = 0

    def publish() -> None:
        nonlocal sent
        for number in range(200):
            app.send_binary(b"%d\n" % number + bytes(256 << 10))
            sent += 1

    publisher = threading.Thread(target=publish, daemon=True)
    publisher.start()
    wait_for(lambda: gauge(daemon, "wskeep_send_queue_bytes") >= 64 << 10, "the send buffer is full")
    before = sent
    assert before < 150 and gauge(daemon, "wskeep_send_queue_bytes") < 1 << 20
    for number in range(200):
        assert peer.read_until(Opcode.BINARY).payload.split(b"\n")[0] == b"%d" % number
    publisher.join()
