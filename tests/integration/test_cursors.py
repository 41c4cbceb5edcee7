"""Where a subscription begins, by WebSocket and by plain HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import time

import pytest

from support.frames import Opcode, frame, text
from support.local import Message, Refused, connect
from support.session import Session, StartSession
from support.waiting import wait_for


@pytest.fixture
def kept(session: Session) -> Session:
    """A session whose ring holds the messages 1 to 5: "1" to "5"."""
    session.peer.send(b"".join(text(str(number)) for number in range(1, 6)))
    wait_for(lambda: session.daemon.connection("feed")["ring"]["last"] == 5)
    return session


def _epoch(session: Session) -> str:
    return session.daemon.connection("feed")["ring"]["epoch"]


def test_from_oldest(kept: Session) -> None:
    app = kept.daemon.subscribe_v1("feed", "from=oldest")
    assert app.hello["connection"] == "feed"
    assert (app.hello["first"], app.hello["last"], app.hello["next"]) == (1, 5, 1)
    assert app.hello["state"] == "ready"
    assert app.hello["epoch"] == _epoch(kept)
    before = time.time_ns()
    kept.peer.send(frame(Opcode.BINARY, b"6"))
    received = [app.next_message() for _ in range(6)]
    assert [(each.sequence, each.payload) for each in received] == [(number, str(number).encode()) for number in range(1, 7)]
    assert [each.opcode for each in received] == [Opcode.TEXT] * 5 + [Opcode.BINARY]
    times = [each.time_ns for each in received]
    assert times == sorted(times)
    assert before - 60 * 10**9 < times[0] < before < times[-1] + 10**9


@pytest.mark.parametrize("query", ["", "from=newest"])
def test_from_newest(query: str, kept: Session) -> None:
    app = kept.daemon.subscribe_v1("feed", query)
    assert app.hello["next"] == 6
    kept.peer.send(text("6"))
    assert app.next_message().sequence == 6


def test_a_plain_subscriber_replays_too(kept: Session) -> None:
    app = kept.daemon.subscribe("feed", f"after={_epoch(kept)}:2")
    assert [app.read_message().payload for _ in range(3)] == [b"3", b"4", b"5"]
    app.expect_silence()


def test_after_a_cursor(kept: Session) -> None:
    app = kept.daemon.subscribe_v1("feed", f"after={_epoch(kept)}:3")
    assert app.hello["next"] == 4
    assert [app.next_message().sequence for _ in range(2)] == [4, 5]


def test_after_the_newest(kept: Session) -> None:
    app = kept.daemon.subscribe_v1("feed", f"after={_epoch(kept)}:5")
    assert app.hello["next"] == 6
    app.expect_silence()


def test_a_cursor_of_another_epoch_is_a_gap_of_unknown_size(kept: Session) -> None:
    app = kept.daemon.subscribe_v1("feed", "after=0123456789abcdef:3")
    gap = app.read_event()
    assert (gap["event"], gap["from"]) == ("gap", 0)
    assert [app.next_message().sequence for _ in range(5)] == [1, 2, 3, 4, 5]


def test_a_cursor_whose_messages_are_gone_is_a_gap(start_session: StartSession) -> None:
    session = start_session(history="64KiB", max_message="8KiB")  # a ring is at least as large as a message
    session.peer.send(b"".join(text(f"{number:0100d}") for number in range(5_000)))
    ring = wait_for(lambda: (found := session.daemon.connection("feed")["ring"])["last"] == 5_000 and found)
    assert ring["first"] > 11
    app = session.daemon.subscribe_v1("feed", f"after={ring['epoch']}:10")
    gap = app.read_event()
    assert (gap["event"], gap["from"], gap["to"]) == ("gap", 11, ring["first"] - 1)
    assert app.next_message().sequence == ring["first"]


@pytest.mark.parametrize("cursor", ["AHEAD", "nonsense", "5", ":5", "EPOCH:", "EPOCH:-1", "EPOCH:1x", "EPOCH:99999999999999999999999"])
def test_bad_cursors_are_refused(cursor: str, kept: Session) -> None:
    epoch = _epoch(kept)
    asked = cursor.replace("AHEAD", f"{epoch}:6").replace("EPOCH", epoch)
    with pytest.raises(Refused) as refused:
        kept.daemon.subscribe("feed", f"after={asked}")
    assert refused.value.status == 400
    assert json.loads(refused.value.body)["error"] == "bad_request"
    assert kept.daemon.get(f"/v1/connections/feed/messages?after={asked}").status == 400


@pytest.mark.parametrize("query", ["from=middle", "gap=ignore", "from=oldest&after=0123456789abcdef:1", "limit=-1", "follow=maybe"])
def test_bad_queries_are_refused(query: str, kept: Session) -> None:
    response = kept.daemon.get(f"/v1/connections/feed/messages?{query}")
    assert (response.status, response.json["error"]) == (400, "bad_request")


def test_a_new_life_has_a_new_epoch(kept: Session) -> None:
    epoch = _epoch(kept)
    assert len(epoch) == 16 and int(epoch, 16) >= 0
    kept.peer.reset()
    kept.next_peer()
    assert _epoch(kept) == epoch, "a session is not a life"
    app = kept.daemon.subscribe_v1("feed", f"after={epoch}:4")
    assert app.next_message().sequence == 5


def _messages(lines: list[dict[str, object]]) -> list[tuple[object, object, object]]:
    return [(line["seq"], line["type"], line["data"]) for line in lines if "seq" in line]


def test_ndjson(kept: Session) -> None:
    kept.peer.send(frame(Opcode.BINARY, b"\x00\xff\n") + text('"quoted"\n\u2028\\'))
    wait_for(lambda: kept.daemon.connection("feed")["ring"]["last"] == 7)
    response = kept.daemon.get("/v1/connections/feed/messages?from=oldest")
    assert response.status == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    expected = [(number, "text", str(number)) for number in range(1, 6)]
    expected += [(6, "binary", base64.b64encode(b"\x00\xff\n").decode()), (7, "text", '"quoted"\n\u2028\\')]
    assert _messages(response.lines) == expected
    assert response.lines[0]["event"] == "hello"
    limited = kept.daemon.get("/v1/connections/feed/messages?from=oldest&limit=2")
    assert _messages(limited.lines) == expected[:2]
    after = kept.daemon.get(f"/v1/connections/feed/messages?after={_epoch(kept)}:6")
    assert _messages(after.lines) == expected[6:]
    assert _messages(kept.daemon.get("/v1/connections/feed/messages").lines) == []


def test_ndjson_that_follows(kept: Session) -> None:
    sock = connect(kept.daemon.socket)
    sock.sendall(b"GET /v1/connections/feed/messages?from=oldest&follow=true&limit=7 HTTP/1.1\r\nHost: x\r\n\r\n")
    response = http.client.HTTPResponse(sock)
    response.begin()
    lines = [json.loads(response.readline()) for _ in range(6)]
    assert [line["seq"] for line in lines if "seq" in line] == [1, 2, 3, 4, 5]
    kept.peer.send(text("6"))
    assert json.loads(response.readline())["data"] == "6"
    # Events stand in their place.
    kept.peer.reset()
    assert json.loads(response.readline())["event"] == "disconnected"
    kept.next_peer().send(text("7"))
    assert json.loads(response.readline())["event"] == "connected"
    assert json.loads(response.readline())["data"] == "7"
    assert response.read() == b"", "the limit ends it"
    sock.close()


def test_many_subscribers_each_at_its_own_place(kept: Session) -> None:
    epoch = _epoch(kept)
    apps = [kept.daemon.subscribe_v1("feed", f"after={epoch}:{place}") for place in range(6) for _ in range(5)]
    assert kept.daemon.connection("feed")["subscribers"] == len(apps)
    kept.peer.send(text("6"))
    for number, app in enumerate(apps):
        place = number // 5
        for sequence in range(place + 1, 7):
            item = app.read_item()
            assert isinstance(item, Message) and item.sequence == sequence
    for app in apps[1:]:
        app.close()
    wait_for(lambda: kept.daemon.connection("feed")["subscribers"] == 1)
    kept.peer.send(text("7"))
    assert apps[0].next_message().sequence == 7
