"""Readers that want only some of the messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from support.frames import Opcode, frame, text
from support.local import Refused, request
from support.session import Session, StartSession
from support.streams import Events, Lines
from support.waiting import wait_for

MESSAGES = "/v1/connections/feed/messages"
# Each with a name, so that a test can say which ones it expects.
SENT: dict[str, str | bytes] = {
    "btc": '{"symbol":"BTC","price":1.50,"side":"buy"}', "eth": '{"symbol": "ETH", "price": 2}', "sol": '{"symbol":"SOL","price":null}',
    "nested": '{"a":{"b":[1,true,{"c":"x:y"}]}}', "plain": "BTC is up", "escaped": '{"symbol":"\\u0042TC"}',
    "bytes": b"\x00BTC\xff",
}


def _send_all(session: Session) -> None:
    session.peer.send(b"".join(text(each) if isinstance(each, str) else frame(Opcode.BINARY, each) for each in SENT.values()))


def _json(value: str) -> str:
    return "json=" + quote(value, safe="")


FILTERS = {
    "contains=BTC": ["btc", "plain", "bytes"],
    "contains=%20is%20": ["plain"],
    "opcode=binary": ["bytes"],
    "opcode=text&contains=BTC": ["btc", "plain"],
    _json("/symbol:BTC"): ["btc", "escaped"],
    _json('/symbol:["ETH","SOL"]'): ["eth", "sol"],
    _json("/price:1.5"): ["btc"],
    _json("/price:[2.0,null]"): ["eth", "sol"],
    _json('/price:"2"'): [],
    _json("/symbol:BTC") + "&" + _json("/side:buy"): ["btc"],
    _json("/symbol"): ["btc", "eth", "sol", "escaped"],
    _json("/a/b/1:true"): ["nested"],
    _json("/a/b/2/c:x:y"): ["nested"],
    "contains=nothing": [],
}


def test_each_form_gives_what_was_asked_for(session: Session) -> None:
    names = list(SENT)
    live = {query: (session.daemon.subscribe("feed", query), session.daemon.subscribe_v1("feed", query)) for query in FILTERS}
    _send_all(session)
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == len(SENT))
    for query, wanted in FILTERS.items():
        numbers = [names.index(name) + 1 for name in wanted]
        payloads = [each.encode() if isinstance(each, str) else each for each in (SENT[name] for name in wanted)]
        kept = (session.daemon.subscribe("feed", "from=oldest&" + query), session.daemon.subscribe_v1("feed", "from=oldest&" + query))
        for plain, v1 in (live[query], kept):
            assert [plain.read_message().payload for _ in wanted] == payloads, query
            items = [v1.read_item() for _ in wanted]
            assert [(each.sequence, each.payload) for each in items] == list(zip(numbers, payloads, strict=True)), query
        lines = Lines(session.daemon.socket, f"{MESSAGES}?from=oldest&{query}")
        assert lines.read()["event"] == "hello"
        assert [lines.read()["seq"] for _ in numbers] == numbers and lines.read() is None, query
        events = Events(session.daemon.socket, f"{MESSAGES}?from=oldest&follow=false&{query}")
        assert events.read().name == "hello"
        assert [int(events.read().last_id.split(":")[1]) for _ in numbers] == numbers and events.read() is None, query
        for app in (*live[query], *kept):
            app.expect_silence(0.01)


def test_what_is_left_out_is_no_gap(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed", "contains=7")
    session.peer.send(b"".join(text(str(number)) for number in range(1, 101)))
    seen = [app.read_item() for _ in range(19)]
    assert [each.sequence for each in seen] == [number for number in range(1, 101) if "7" in str(number)]
    # And the place behind what was left out is one to come back to.
    again = session.daemon.subscribe_v1("feed", f"contains=7&after={app.hello['epoch']}:{seen[-1].sequence}")
    again.expect_silence(0.02)


def test_limit_counts_what_is_given(session: Session) -> None:
    session.peer.send(b"".join(text(str(number)) for number in range(1, 101)))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 100)
    lines = Lines(session.daemon.socket, f"{MESSAGES}?from=oldest&contains=7&limit=3")
    lines.read()
    assert [lines.read()["data"] for _ in range(3)] == ["7", "17", "27"] and lines.read() is None


def test_a_lapped_reader_is_told_the_gap_of_the_connection(start_session: StartSession) -> None:
    session = start_session(history="64KiB", max_message="4KiB", patience="1ms")
    app = session.daemon.subscribe_v1("feed", "contains=even", receive_buffer=4096)
    for first in range(0, 10_000, 100):
        session.peer.send(b"".join(text(f"{number} {'odd' if number % 2 else 'even'} ".ljust(500, "x"))
                                   for number in range(first, first + 100)))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 10_000)
    session.peer.send(text("even: end"))
    account: set[int] = set()
    lost: set[int] = set()
    while True:
        item = app.read_item()
        if isinstance(item, dict):
            assert item["event"] == "gap"
            lost.update(range(item["from"], item["to"] + 1))
        elif item.payload == b"even: end":
            break
        else:
            assert item.sequence == int(item.payload.split()[0]) + 1
            account.add(item.sequence)
    assert lost and not account & lost
    assert all(number in account or number in lost for number in range(1, 10_001, 2)), "each even one is had or told of"


def test_a_history_that_takes_a_while_to_look_through(start_session: StartSession) -> None:
    session = start_session(history="16MiB")
    session.peer.send(text("first needle"))
    noise = text("x" * 60_000)
    for _ in range(250):
        session.peer.send(noise)
    session.peer.send(text("last needle"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 252)
    app = session.daemon.subscribe("feed", "from=oldest&contains=needle")
    assert [app.read_message().payload for _ in range(2)] == [b"first needle", b"last needle"]
    lines = Lines(session.daemon.socket, f"{MESSAGES}?from=oldest&contains=needle")
    lines.read()
    assert [lines.read()["seq"], lines.read()["seq"], lines.read()] == [1, 252, None]


def _looked_at(session: Session) -> float:
    return sum(each.value for each in session.daemon.metrics()["wskeep_filtered_messages_total"].samples)


def test_a_filter_is_asked_once_for_all_who_have_it(session: Session) -> None:
    apps = [session.daemon.subscribe("feed", _json("/n:3")) for _ in range(5)]
    apps += [session.daemon.subscribe_v1("feed", _json("/n:3")) for _ in range(5)]
    session.peer.send(b"".join(text(json.dumps({"n": number})) for number in range(10)))
    for app in apps:
        assert b'"n": 3' in app.read_message().payload
    assert _looked_at(session) == 10
    assert session.daemon.metrics()["wskeep_filters"].samples[0].value == 1
    other = session.daemon.subscribe("feed", "contains=5")
    session.peer.send(text(json.dumps({"n": 5})))
    other.read_message()
    assert _looked_at(session) == 12
    assert session.daemon.metrics()["wskeep_filters"].samples[0].value == 2


def test_readers_without_a_filter_cost_none(session: Session) -> None:
    app = session.daemon.subscribe("feed")
    session.peer.send(text("x") * 100)
    for _ in range(100):
        app.read_message()
    assert _looked_at(session) == 0


@pytest.fixture
def limited(start_session: StartSession) -> Iterator[Session]:
    yield start_session(daemon={"ipc": {"limits": {"filters": 2, "filter": 32}}})


def test_limits(limited: Session) -> None:
    apps = [limited.daemon.subscribe("feed", "contains=a"), limited.daemon.subscribe("feed", "contains=b")]
    with pytest.raises(Refused) as refused:
        limited.daemon.subscribe("feed", "contains=c")
    assert refused.value.status == 503 and b"too_many_filters" in refused.value.body
    apps.append(limited.daemon.subscribe("feed", "contains=b"))
    apps[0].close()
    wait_for(lambda: limited.daemon.metrics()["wskeep_filters"].samples[0].value == 1)
    apps.append(limited.daemon.subscribe("feed", "contains=c"))
    with pytest.raises(Refused) as refused:
        limited.daemon.subscribe("feed", "contains=" + "x" * 33)
    assert refused.value.status == 400 and b"ipc.limits.filter" in refused.value.body


def test_filters_that_cannot_be(session: Session) -> None:
    for query, word in {
        "opcode=ping": "opcode", "contains=": "contains", _json("symbol:x"): "symbol", _json("/a~2:x"): "/a~2",
        _json("/a:[1,[2]]"): "VALUE", "contains=a&contains=b": "well-formed",
    }.items():
        refused = request(session.daemon.socket, "GET", f"{MESSAGES}?{query}")
        assert refused.status == 400 and word in refused.json["message"], refused.body
    # What is no other JSON value is a string.
    assert request(session.daemon.socket, "GET", f"{MESSAGES}?" + _json('/a:{"b":1}')).status == 200
