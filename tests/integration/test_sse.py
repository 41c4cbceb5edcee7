"""Messages as server-sent events, and what NDJSON has in common with them."""

from __future__ import annotations

import base64
import json

from support.frames import Opcode, frame, text
from support.local import request
from support.session import Session, StartSession
from support.streams import Events, Lines
from support.waiting import wait_for

MESSAGES = "/v1/connections/feed/messages"


def _sse(session: Session, query: str = "", last_event_id: str = "") -> Events:
    return Events(session.daemon.socket, MESSAGES + (f"?{query}" if query else ""), last_event_id)


def _lines(session: Session, query: str = "") -> Lines:
    return Lines(session.daemon.socket, MESSAGES + (f"?{query}" if query else ""))


def test_what_an_event_source_is_told(session: Session) -> None:
    app = _sse(session)
    hello = app.read()
    assert hello is not None and hello.name == "hello" and hello.json["state"] == "ready"
    epoch = hello.json["epoch"]
    # So that a page that was cut off before the first message misses nothing.
    assert hello.last_id == f"{epoch}:0" and app.retry is not None
    session.peer.send(text("first") + text("two\nlines\n") + text("") + text("a\r\nb\rc") + frame(Opcode.BINARY, b"\x00\xff"))
    found = [app.read() for _ in range(5)]
    assert [(each.name, each.last_id) for each in found] == [
        ("message", f"{epoch}:1"), ("message", f"{epoch}:2"), ("message", f"{epoch}:3"), ("escaped", f"{epoch}:4"),
        ("binary", f"{epoch}:5")]
    assert [each.data for each in found[:3]] == ["first", "two\nlines\n", ""]
    assert found[3].json == "a\r\nb\rc"
    assert base64.b64decode(found[4].data) == b"\x00\xff"


def test_disconnected_and_connected_stand_among_the_messages(session: Session) -> None:
    app = _sse(session)
    session.peer.send(text("before"))
    assert app.read_message().data == "before"
    session.peer.reset()
    gone = app.read_message("disconnected")
    assert gone.json["closed_by"] == "network" and gone.last_id.endswith(":1")
    session.next_peer().send(text("after"))
    assert app.read_message("connected").json["remote_address"]
    assert app.read_message().data == "after"


def test_last_event_id_goes_on_behind_it(session: Session) -> None:
    app = _sse(session, "from=oldest")
    session.peer.send(b"".join(text(str(number)) for number in range(10)))
    for number in range(4):
        last = app.read_message()
        assert last.data == str(number)
    app.close()
    # The page asks for the same address again: what it saw last counts, not where it once began.
    again = _sse(session, "from=oldest", last.last_id)
    assert [again.read_message().data for _ in range(6)] == [str(number) for number in range(4, 10)]
    refused = request(session.daemon.socket, "GET", MESSAGES, Accept="text/event-stream", Last_Event_ID="yesterday")
    assert refused.status == 400 and "Last-Event-ID" in refused.json["message"]


def test_a_gap_is_told_with_the_place_behind_it(start_session: StartSession) -> None:
    session = start_session(history="64KiB", max_message="4KiB")
    app = _sse(session)
    hello = app.read()
    app.close()
    session.peer.send(b"".join(text(f"{number:04} ".ljust(1000, "x")) for number in range(300)))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 300)
    again = _sse(session, last_event_id=hello.last_id)
    gap = again.read_message("gap")
    assert gap.json["from"] == 1 and gap.last_id.endswith(f":{gap.json['to']}")
    assert int(again.read_message().data[:4]) == gap.json["to"], "counted from 0, numbered from 1"


def test_an_epoch_that_is_gone(session: Session) -> None:
    session.peer.send(text("kept"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 1)
    app = _sse(session, last_event_id="0123456789abcdef:7")
    assert app.read_message("gap").json["from"] == 0
    assert app.read_message().data == "kept"


def test_an_idle_reader_is_sent_comments(start_session: StartSession) -> None:
    session = start_session(daemon={"ipc": {"limits": {"comments": "20ms"}}})
    app = _sse(session)
    app.read()
    for line in app.lines():
        if line.startswith(":"):
            break
    else:
        raise AssertionError("no comment")
    # It is no event, and in nobody's way.
    session.peer.send(text("news"))
    assert app.read_message().data == "news"


def test_what_a_filter_left_out_needs_no_looking_at_again(start_session: StartSession) -> None:
    session = start_session(daemon={"ipc": {"limits": {"comments": "20ms"}}})
    app = _sse(session, "contains=wanted")
    app.read()
    session.peer.send(b"".join(text("noise") for _ in range(50)))
    for line in app.lines():
        if line.startswith("id: ") and line.endswith(":50"):
            break
    else:
        raise AssertionError("the place was not told")


def test_the_end_of_the_answer(session: Session) -> None:
    session.peer.send(text("a") + text("b") + text("c"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 3)
    limited = _sse(session, "from=oldest&limit=2")
    assert [limited.read_message().data for _ in range(2)] == ["a", "b"] and limited.read() is None
    history = _sse(session, "from=oldest&follow=false")
    assert [history.read_message().data for _ in range(3)] == ["a", "b", "c"] and history.read() is None


def test_accept_chooses_the_form(session: Session) -> None:
    session.peer.send(text("x"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 1)

    def content_type(accept: str | None) -> str:
        headers = {} if accept is None else {"Accept": accept}
        found = request(session.daemon.socket, "GET", MESSAGES + "?from=oldest&follow=false", **headers)
        return found.headers["content-type"] if found.status == 200 else str(found.status)

    ndjson, sse = "application/x-ndjson", "text/event-stream"
    for accept, wanted in {
        None: ndjson, "": ndjson, "*/*": ndjson, sse: sse, "Text/Event-Stream": sse, ndjson: ndjson,
        "application/json": ndjson, f"{sse}, {ndjson};q=0.5": sse, f"{sse};q=0.3, {ndjson};q=0.5": ndjson,
        f"{sse};q=0, */*": ndjson, "text/html,application/xhtml+xml,*/*;q=0.8": ndjson, "text/html": "406",
        f"{sse};q=0": "406", "image/png, text/*;q=0.3": "406",
    }.items():
        assert content_type(accept) == wanted, accept
    refused = request(session.daemon.socket, "GET", MESSAGES, Accept="text/html")
    assert refused.json["error"] == "not_acceptable"


def test_what_a_query_cannot_say(session: Session) -> None:
    for query, word in {
        "limit=0": "limit", "limit=-1": "limit", "limit=x": "limit", "follow=maybe": "follow", "from=middle": "from", "after=x": "after",
        "after=0123456789abcdef:": "after", "gap=none": "gap", "cursor=1": "cursor", "from=oldest&after=0123456789abcdef:1": "only one",
        "limit=1&limit=2": "well-formed",
    }.items():
        for accept in ("application/x-ndjson", "text/event-stream"):
            refused = request(session.daemon.socket, "GET", f"{MESSAGES}?{query}", Accept=accept)
            assert refused.status == 400 and word in refused.json["message"], refused.body
            assert refused.json["error"] == "bad_request"


def test_ndjson(session: Session) -> None:
    session.peer.send(text('say "hi"\n') + frame(Opcode.BINARY, b"\x00\x01"))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 2)
    history = _lines(session, "from=oldest")
    hello = history.read()
    assert (hello["event"], hello["first"], hello["last"], hello["next"]) == ("hello", 1, 2, 1)
    first, second = history.read(), history.read()
    assert (first["seq"], first["type"], first["data"]) == (1, "text", 'say "hi"\n') and first["time_ns"] > 10**18
    assert (second["seq"], second["type"], second["data"]) == (2, "binary", "AAE=")
    assert history.read() is None
    followed = _lines(session, f"after={hello['epoch']}:1&follow=true&limit=2")
    assert followed.read()["next"] == 2
    session.peer.send(text("new"))
    assert [followed.read()["seq"], followed.read()["data"], followed.read()] == [2, "new", None]
    ahead = request(session.daemon.socket, "GET", f"{MESSAGES}?after={hello['epoch']}:9")
    assert ahead.status == 400 and "ahead" in ahead.json["message"]
    assert request(session.daemon.socket, "PUT", MESSAGES).headers["allow"] == "GET, POST"


def test_pages_of_others_may_read_only_where_that_is_configured(start_session: StartSession) -> None:
    closed = start_session()
    asked = request(closed.daemon.socket, "GET", "/v1/connections", Origin="https://app.example.com")
    assert "access-control-allow-origin" not in asked.headers
    opened = start_session(daemon={"ipc": {"allow_origin": "https://app.example.com"}})
    for target in ("/v1/connections", MESSAGES + "?from=oldest"):
        ours = request(opened.daemon.socket, "GET", target, Origin="https://app.example.com")
        assert ours.headers["access-control-allow-origin"] == "https://app.example.com"
        other = request(opened.daemon.socket, "GET", target, Origin="https://evil.example.com")
        assert "access-control-allow-origin" not in other.headers


def test_readers_are_counted_by_kind(session: Session) -> None:
    apps = [_sse(session), _sse(session), _lines(session, "follow=true")]
    plain, v1 = session.daemon.subscribe("feed"), session.daemon.subscribe_v1("feed")

    def count(kind: str) -> float:
        samples = session.daemon.metrics()["wskeep_readers"].samples
        return next(each.value for each in samples if each.labels == {"connection": "feed", "kind": kind})

    wait_for(lambda: [count(kind) for kind in ("sse", "ndjson", "plain", "wskeep.v1", "all")] == [2, 1, 1, 1, 0])
    for app in apps:
        app.close()
    plain.close()
    v1.close()
    wait_for(lambda: [count(kind) for kind in ("sse", "ndjson", "plain", "wskeep.v1")] == [0, 0, 0, 0])


def test_a_reader_that_is_slow_is_told_what_it_lost(start_session: StartSession) -> None:
    session = start_session(history="64KiB", max_message="4KiB", patience="1ms")
    app = _sse(session)
    app.read()
    for first in range(0, 20_000, 100):
        session.peer.send(b"".join(text(f"{number} ".ljust(200, "x")) for number in range(first, first + 100)))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 20_000)
    session.peer.send(text("end"))
    received, lost = 0, 0
    while True:
        event = app.read()
        assert event is not None
        if event.name == "gap":
            assert event.json["from"] == received + lost + 1
            lost += event.json["to"] - event.json["from"] + 1
        elif event.data == "end":
            break
        else:
            assert int(event.data.split()[0]) == received + lost
            received += 1
    assert received + lost == 20_000 and lost > 0


def test_events_are_json_in_both_forms(session: Session) -> None:
    sse, lines = _sse(session), _lines(session, "follow=true")
    sse.read(), lines.read()
    session.peer.reset()
    assert json.loads(sse.read_message("disconnected").data) == lines.read_event("disconnected")
