"""A new configuration for a daemon that runs: SIGHUP, POST /v1/reload, `wskeep reload` and `wskeep diff`."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.daemon import Daemon, build_folder, run_program, sanitized, write_configuration
from support.documents import ROOT
from support.frames import Opcode
from support.local import Response, connect, request
from support.scripted_server import Peer
from support.session import Session, StartDaemon, StartServer, StartSession
from support.undisturbed import longest_exchange, refusing  # noqa: F401
from support.users import NOBODY, let_in, needs_root
from support.waiting import wait_for


def _settings(daemon: Daemon) -> dict[str, Any]:
    return json.loads(daemon.file.read_text())  # type: ignore[no-any-return]


def _edit(daemon: Daemon, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    settings = _settings(daemon)
    change(settings)
    write_configuration(daemon.file, settings)
    return settings


def _reload(daemon: Daemon, query: str = "", body: bytes | None = None) -> Response:
    return request(daemon.socket, "POST", f"/v1/reload{query}", body)


def _set(name: str, **keys: Any) -> Callable[[dict[str, Any]], None]:
    return lambda settings: settings["connections"][name].update(keys)


def _let_close(peer: Peer) -> str:
    close = peer.read_until(Opcode.CLOSE)
    peer.send(frames.close(1000))
    peer.end()
    return close.payload[2:].decode()


def _cli(daemon: Daemon, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_program("wskeep", ["--socket", daemon.socket, *arguments])


# A broken file.

BROKEN = "connections:\n  feed: {url: wss://localhost/, histroy: 1MiB}\n  other: {url: nonsense}\n"


def _expect_untouched(session: Session, app: Any) -> None:
    session.peer.send(frames.text("still here"))
    assert app.next_message().payload == b"still here"
    assert session.daemon.connection("feed")["sessions"] == 1


def test_a_broken_file_changes_nothing_and_says_all_that_is_wrong(session: Session) -> None:
    daemon = session.daemon
    app = daemon.subscribe_v1("feed")
    daemon.file.write_text(BROKEN)
    answer = _reload(daemon)
    assert answer.status == 422 and answer.json["error"] == "configuration_invalid"
    places = [(problem["file"], problem["line"], problem["key"]) for problem in answer.json["problems"]]
    assert places == [(str(daemon.file), 2, "connections.feed.histroy"), (str(daemon.file), 3, "connections.other.url")]
    assert all(problem["column"] > 0 and problem["message"] for problem in answer.json["problems"])
    wait_for(lambda: daemon.log_has("reload_failed", "2 problems"), "the log says so")
    wait_for(lambda: all(daemon.log_has("configuration_problem", key) for key in ("histroy", "other.url")), "the log names them")
    _expect_untouched(session, app)


def test_wskeep_reload_shows_the_problems(session: Session) -> None:
    app = session.daemon.subscribe_v1("feed")
    session.daemon.file.write_text(BROKEN)
    done = _cli(session.daemon, "reload")
    assert done.returncode == 5 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{session.daemon.file}:2:") and lines[1].startswith(f"{session.daemon.file}:3:")
    assert "nothing was changed" in lines[2]
    _expect_untouched(session, app)


def test_a_file_that_is_gone(session: Session) -> None:
    session.daemon.file.unlink()
    answer = _reload(session.daemon)
    assert answer.status == 422 and "No such file" in answer.json["problems"][0]["message"]
    assert session.daemon.connection("feed")["state"] == "ready"


# Each kind of change.

def test_the_same_file_changes_nothing(session: Session) -> None:
    answer = _reload(session.daemon)
    assert (answer.status, answer.json) == (200, {"applied": True, "added": [], "removed": [], "changed": [], "unchanged": 1,
                                                  "in_place": [], "next_start": [], "warnings": []})
    _expect_untouched(session, session.daemon.subscribe_v1("feed"))


def test_in_place(start_session: StartSession) -> None:
    session = start_session(keepalive="off", timeouts={"receive": "1h", "close": "500ms"})
    app = session.daemon.subscribe_v1("feed")
    _edit(session.daemon, _set("feed", keepalive={"ping": "50ms"}, patience="1s"))
    assert _reload(session.daemon).json["changed"] == [
        {"name": "feed", "effect": "in_place", "keys": ["keepalive.ping", "patience"]}]
    session.peer.read_until(Opcode.PING)
    _expect_untouched(session, app)


_IN_PLACE: dict[str, Any] = {
    "timeouts": {"connect": "50s", "address": "9s", "resolve": "4s", "send": "29s", "receive": "29s", "message": "29s", "first_message": "1h",
                 "silence": "1h", "close": "400ms", "publish": "9s"},
    "fallback": {"delay": "1s", "addresses": 4, "family": "ipv4", "urls": "shuffled"},
    "resolve": {"other.example": "192.0.2.1"},
    "reconnect": {"initial": "20ms", "max": "60ms", "stable_after": "9s", "budget": "200/5m", "on_status": {"503": "slow"},
                  "on_close": {"4000": "stop"}, "on_lasting": "retry"},
    "keepalive": {"ping": "9s", "pong": "1h"},
    "redirects": 2, "send_buffer": "512KiB", "lifetime": "12h", "patience": "200ms", "gap": "skip", "send": "stream",
    "outbox": {"ttl": "1s", "messages": 10, "bytes": "64KiB"}, "publish_rate": "100/s", "publish_bytes": "1MiB/s",
    "access": {"subscribe": ["anyone"], "publish": ["anyone"], "control": ["root", "daemon"]}, "log_level": "debug",
}
"""Each key of a connection that the document says to hold without a new session, with a value that it does not have."""


def test_every_key_that_changes_in_place(session: Session) -> None:
    """All at once: nobody notices, and then there is nothing left to change."""
    document = (ROOT / "docs/configuration.md").read_text()
    rows = [row for row in document.splitlines() if row.startswith("|") and row.rstrip(" |").endswith("without a new session")]
    assert set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in rows))) == set(_IN_PLACE)
    app = session.daemon.subscribe_v1("feed")
    _edit(session.daemon, _set("feed", **_IN_PLACE))
    answer = _reload(session.daemon).json
    (change,) = answer["changed"]
    groups = {name: keys for name, keys in _IN_PLACE.items() if isinstance(keys, dict) and name != "resolve"}
    expected = [f"{group}.{key}" for group, keys in groups.items() for key in keys] + [key for key in _IN_PLACE if key not in groups]
    assert sorted(change["keys"]) == sorted(expected)
    assert change["effect"] == "in_place"
    _expect_untouched(session, app)
    assert _reload(session.daemon, "?dry_run=true").json["changed"] == []


def test_warnings_are_told(session: Session) -> None:
    _edit(session.daemon, _set("feed", history="8KiB"))
    (warning,) = _reload(session.daemon, "?dry_run=true").json["warnings"]
    assert (warning["file"], warning["key"]) == (str(session.daemon.file), "connections.feed.history") and warning["line"] > 1
    assert "connections.feed.history" in _cli(session.daemon, "diff").stderr
    assert "connections.feed.history" in _cli(session.daemon, "reload").stderr


def test_a_new_session_keeps_the_ring_and_its_readers(session: Session) -> None:
    daemon = session.daemon
    app = daemon.subscribe_v1("feed")
    session.peer.send(frames.text("before"))
    assert app.next_message().payload == b"before"
    _edit(daemon, _set("feed", headers={"X-Key": "one"}))
    assert _reload(daemon).json["changed"] == [{"name": "feed", "effect": "new_session", "keys": ["headers"]}]
    assert "configuration" in _let_close(session.peer)
    event = app.read_event("disconnected")
    assert (event["error"], event["closed_by"], event["close_code"]) == ("reconfigured", "wskeep", 1000)
    peer = session.server.accept()
    peer.upgrade()
    assert peer.headers["x-key"] == "one"
    app.read_event("connected")
    peer.send(frames.text("behind"))
    message = app.next_message()
    assert (message.sequence, message.payload) == (2, b"behind")
    attempts = daemon.get("/v1/connections/feed/attempts").json
    assert attempts["cycles"][-2]["next"]["rule"] == "reconfigured"


def test_another_url(start_daemon: StartDaemon, start_server: StartServer) -> None:
    first, second = start_server(), start_server()
    daemon = start_daemon({"feed": first})
    peer = first.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    _edit(daemon, _set("feed", url=second.url))
    assert _reload(daemon).status == 200
    _let_close(peer)
    second.accept_and_upgrade()
    assert daemon.wait_state("feed", "ready")["url"] == second.url


def test_a_new_ring(session: Session) -> None:
    daemon = session.daemon
    plain = daemon.subscribe("feed")
    app = daemon.subscribe_v1("feed")
    epoch = app.hello["epoch"]
    _edit(daemon, _set("feed", history="2MiB"))
    assert _reload(daemon).json["changed"] == [{"name": "feed", "effect": "new_ring", "keys": ["history"]}]
    for reader in (plain, app):
        close = reader.read_close()
        assert close.close_code == 1012 and "subscribe again" in close.close_reason
    assert daemon.connection("feed")["sessions"] == 0
    with pytest.raises(TimeoutError):  # until the old session has ended
        session.server.accept_tcp(timeout=0.2)
    _let_close(session.peer)
    session.next_peer()
    again = daemon.subscribe_v1("feed")
    assert again.hello["epoch"] != epoch
    session.peer.send(frames.text("first"))
    assert again.next_message().sequence == 1
    assert daemon.connection("feed")["ring"]["capacity"] >= 2 << 20


def test_added_and_removed(session: Session, start_server: StartServer) -> None:
    daemon = session.daemon
    other = start_server()
    app = daemon.subscribe("feed")

    def change(settings: dict[str, Any]) -> None:
        settings["connections"] = {"other": {"url": other.url}}

    _edit(daemon, change)
    answer = _reload(daemon).json
    assert (answer["added"], answer["removed"], answer["unchanged"]) == (["other"], ["feed"], 0)
    close = app.read_close()
    assert (close.close_code, close.close_reason) == (1001, "removed from the configuration")
    assert daemon.get("/v1/connections/feed").status == 404
    assert [each["name"] for each in daemon.get("/v1/connections").json["connections"]] == ["other"]
    assert "removed from the configuration" in _let_close(session.peer)
    peer = other.accept_and_upgrade()
    daemon.wait_state("other", "ready")
    reader = daemon.subscribe("other")
    peer.send(frames.text("hello"))
    assert reader.read_message().payload == b"hello"
    assert not any(sample.labels["connection"] == "feed"
                   for sample in daemon.metrics()["wskeep_connection_state"].samples)


def test_one_that_comes_back_under_its_name(session: Session, start_server: StartServer) -> None:
    daemon = session.daemon
    other = start_server()
    settings = _settings(daemon)
    write_configuration(daemon.file, settings | {"connections": {"other": {"url": other.url}}})
    assert _reload(daemon).status == 200
    write_configuration(daemon.file, settings)
    assert _reload(daemon).json["added"] == ["feed"]
    _let_close(session.peer)
    session.next_peer()


def test_what_waits_for_the_next_start_is_said_and_not_applied(session: Session) -> None:
    daemon = session.daemon

    def change(settings: dict[str, Any]) -> None:
        settings.update(threads=3, log={"level": "debug", "format": "json", "rate": "off"})
        settings["ipc"]["limits"] = {"clients": 2}

    _edit(daemon, change)
    for expected in (["ipc.limits.clients", "log.level", "log.format"], []):
        answer = _reload(daemon).json
        assert (answer["in_place"], answer["next_start"]) == (expected, ["threads"])
    wait_for(lambda: daemon.log_has("restart_needed", "threads"), "the log says so")
    assert daemon.get("/v1/status").json["shards"] == 1
    assert daemon.get("/v1/status").json["clients_limit"] == 2
    held = [daemon.subscribe("feed"), daemon.subscribe("feed")]
    with connect(daemon.socket) as refused:
        assert refused.recv(1024).startswith(b"HTTP/1.1 503 ")
    for app in held:
        app.close()


def test_connections_of_a_folder(session: Session, start_server: StartServer) -> None:
    daemon = session.daemon
    other = start_server()
    folder = daemon.folder / "conf.d"
    folder.mkdir()
    file = write_configuration(folder / "other.yaml", {"connections": {"other": {"url": other.url}}})
    assert _reload(daemon).json["added"] == ["other"]
    other.accept_and_upgrade()
    daemon.wait_state("other", "ready")
    write_configuration(file, {"connections": {"other": {}, "feed": {"url": other.url}}})
    answer = _reload(daemon)
    assert answer.status == 422
    assert {(problem["file"], problem["key"]) for problem in answer.json["problems"]} == {
        (str(file), "connections.other"), (str(file), "connections.feed")}
    file.unlink()
    assert _reload(daemon).json["removed"] == ["other"]
    assert daemon.connection("feed")["sessions"] == 1


# The ways to ask.

def test_sighup(session: Session) -> None:
    daemon = session.daemon
    _edit(daemon, _set("feed", headers={"X-Key": "one"}))
    daemon.process.send_signal(signal.SIGHUP)
    _let_close(session.peer)
    session.next_peer()
    wait_for(lambda: daemon.log_has("reloaded", "changed=1"), "the log says so")
    daemon.file.write_text(BROKEN)
    daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: daemon.log_has("reload_failed"), "the log says so")
    assert daemon.connection("feed")["state"] == "ready"


def test_the_command_line(session: Session) -> None:
    daemon = session.daemon
    assert _cli(daemon, "diff").stdout == "no change: 1 unchanged\n"
    _edit(daemon, lambda settings: settings["connections"].update(other={"url": "wss://localhost:1/"}))
    done = _cli(daemon, "diff")
    assert (done.returncode, done.stdout) == (0, "+ other\na reload would do that; 1 unchanged\n"), done.stderr
    assert daemon.get("/v1/connections/other").status == 404
    assert _cli(daemon, "reload").stdout == "+ other\nreloaded; 1 unchanged\n"
    assert daemon.get("/v1/connections/other").status == 200
    assert json.loads(_cli(daemon, "--json", "reload").stdout)["unchanged"] == 2


def test_diff_of_another_file(session: Session) -> None:
    daemon = session.daemon
    settings = _settings(daemon)
    settings["connections"]["feed"]["patience"] = "1s"
    settings["threads"] = 2
    file = write_configuration(daemon.folder / "other.yaml", settings)
    done = _cli(daemon, "diff", file)
    assert done.stdout == ("~ feed: patience: in place\n"
                           "! threads: would not be applied: from the next start of wskeepd on\n"
                           "a reload would do that; 0 unchanged\n"), done.stderr
    file.write_text(BROKEN)
    done = _cli(daemon, "diff", file)
    assert done.returncode == 5 and done.stderr.startswith(f"{file}:2:")
    assert _cli(daemon, "diff", daemon.folder / "none.yaml").returncode == 5
    assert _reload(daemon).json["changed"] == []


def test_what_is_refused(session: Session) -> None:
    daemon = session.daemon
    wrong = daemon.get("/v1/reload")
    assert (wrong.status, wrong.headers["allow"]) == (405, "POST")
    assert _reload(daemon, "?dry_run=perhaps").status == 400
    assert _reload(daemon, "?file=/etc/passwd").status == 400
    assert _reload(daemon, "", b"connections: {}").status == 400


@needs_root
def test_others_may_not(session: Session) -> None:
    somebody = let_in(session.daemon.socket, NOBODY)
    for query in ("", "?dry_run=true"):
        answer = somebody.request("POST", f"/v1/reload{query}")
        assert (answer.status, answer.json["error"]) == (403, "not_allowed")
    assert not session.daemon.log_has("reloading")


# Under load.

class _Load:
    """Numbered messages, until it is told to stop."""

    def __init__(self, peer: Peer) -> None:
        self.sent = 0
        self._peer = peer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            batch = b"".join(frames.text(str(self.sent + index)) for index in range(20))
            self._peer.send(batch)
            self.sent += 20

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.sent


def _anonymous_memory(daemon: Daemon) -> int:
    """Bytes, but for the rings, which fill up."""
    rollup = Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) << 10 for line in rollup.splitlines() if line.startswith("Anonymous:"))


def _descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


RELOADS = int(os.environ.get("WSKEEP_RELOADS", "100" if sanitized() else "500"))


def _random_change(chance: random.Random, settings: dict[str, Any]) -> None:
    """Something of anything but `feed`, and never nothing."""
    connections = settings["connections"]
    kind = chance.randrange(8)
    name = f"extra{chance.randrange(6)}"
    if kind == 0 and name in connections:
        del connections[name]
        return
    entry = connections.setdefault(name, {"url": "wss://localhost:1/"})
    # So that there is a change whatever the kind.
    entry["headers"] = {"X-Key": str(chance.random())} if kind == 2 else entry.get("headers", {})
    entry["patience"] = f"{(int(entry.get('patience', '0ms')[:-2]) + chance.randrange(1, 9_999)) % 10_000}ms"
    if kind == 3:
        entry["history"] = f"{chance.choice((64, 128, 256))}KiB"
    elif kind == 4:
        settings["log"] = {"level": chance.choice(("info", "warning"))}
    elif kind == 5:
        entry["url"] = f"wss://127.0.0.1:{chance.randrange(1, 9)}/"
    elif kind == 6:
        entry["access"] = {"subscribe": [chance.choice(("anyone", "root"))]}
    elif kind == 7:
        settings.setdefault("ipc", {})["limits"] = {"filters": chance.randrange(1, 64)}


@pytest.mark.parametrize("threads", [1, 3])
def test_reloads_at_random_leave_no_trace(threads: int, start_session: StartSession) -> None:
    """No message of an untouched connection is lost, and no descriptor and no memory stays behind. WSKEEP_RELOADS: how many."""
    session = start_session(history="8MiB", daemon={"threads": threads})
    daemon = session.daemon
    original = _settings(daemon)
    app = daemon.subscribe_v1("feed")
    chance = random.Random(threads)

    def reload_often(times: int) -> None:
        for _ in range(times):
            _edit(daemon, lambda settings: _random_change(chance, settings))
            answer = _reload(daemon)
            assert answer.status == 200, answer
            said = answer.json
            assert said["added"] or said["removed"] or said["changed"] or said["in_place"], "each changes something"
            assert not [each for each in answer.json["changed"] if each["name"] == "feed"]
        write_configuration(daemon.file, original)
        assert _reload(daemon).status == 200

    reload_often(30)
    # What was retired goes when it has ended.
    descriptors = wait_for(lambda: _descriptors(daemon), "descriptors can be counted")
    memory = _anonymous_memory(daemon)
    load = _Load(session.peer)
    received = 0
    reader_failure: list[BaseException] = []

    def read() -> None:
        nonlocal received
        try:
            while True:
                payload = app.next_message().payload
                if payload == b"end":
                    return
                assert payload == str(received).encode()
                received += 1
        except BaseException as failure:  # noqa: BLE001 - told by the test's own thread
            reader_failure.append(failure)

    reader = threading.Thread(target=read)
    reader.start()
    begun = time.monotonic()
    reload_often(RELOADS)
    took = time.monotonic() - begun
    sent = load.stop()
    session.peer.send(frames.text("end"))
    reader.join(DEADLINE)
    assert not reader_failure, reader_failure
    assert received == sent and sent > 0
    assert daemon.connection("feed")["sessions"] == 1
    wait_for(lambda: _descriptors(daemon) <= descriptors + 2, "no descriptor is left behind")
    after = _anonymous_memory(daemon)
    print(f"{RELOADS} reloads in {took:.1f} s beside {sent} messages, {received} received; memory {memory >> 10} KiB before, {after >> 10} after, "
          f"descriptors {descriptors} before, {_descriptors(daemon)} after")
    assert after < memory + ((24 if sanitized() else 2) << 20), "5 KiB left behind at each would be more"


def test_readers_that_do_not_answer_do_not_keep_what_was_removed(session: Session, start_server: StartServer) -> None:
    daemon = session.daemon
    settings = _settings(daemon)
    before = _descriptors(daemon)
    silent = [daemon.subscribe("feed") for _ in range(5)]
    write_configuration(daemon.file, settings | {"connections": {"other": {"url": start_server().url}}})
    assert _reload(daemon).status == 200
    wait_for(lambda: _descriptors(daemon) <= before + 1, "they are let go")
    for app in silent:
        app.close()


def test_a_reload_while_it_stops(session: Session) -> None:
    _edit(session.daemon, _set("feed", history="2MiB"))
    session.daemon.process.send_signal(signal.SIGHUP)
    session.daemon.terminate()
    assert session.daemon.wait() == 0


THOUSANDS = 5_000


@pytest.mark.skipif(sanitized(), reason="a sanitizer makes thousands of connections large and slow")
def test_thousands_are_reloaded_while_messages_flow(start_daemon: StartDaemon, start_server: StartServer, refusing: int) -> None:
    """They come, are changed, have their rights changed and go; the one that stays notices none of it, on the same shard."""
    feed = start_server()
    daemon = start_daemon({"feed": feed}, threads=1, log={"level": "warning"},
                          defaults={"history": "64KiB", "max_message": "16KiB", "reconnect": {"initial": "1h", "max": "1h"}})
    alone = _settings(daemon)
    peer = feed.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe("feed")

    def with_thousands(**keys: Any) -> dict[str, Any]:
        many = {f"c{number:05}": {"url": f"ws://127.0.0.1:{refusing}/"} | keys for number in range(THOUSANDS)}
        return alone | {"connections": alone["connections"] | many}

    def reload_with(settings: dict[str, Any]) -> float:
        write_configuration(daemon.file, settings)
        reload = subprocess.Popen([build_folder() / "wskeep", "--socket", daemon.socket, "--json", "reload"], stdout=subprocess.DEVNULL)
        longest = longest_exchange(peer, app, lambda: reload.poll() is None)
        assert reload.returncode == 0
        return longest

    for _ in range(3):
        shares = [reload_with(with_thousands()), reload_with(with_thousands(patience="101ms")),
                  reload_with(with_thousands(access={"subscribe": ["uid:0"]})), reload_with(alone)]
        found = daemon.get("/v1/status").json
        assert found["connections"] == 1
        if max(shares) < 0.5:
            break
    else:
        raise AssertionError(f"messages waited for the reload: {shares}")
    assert daemon.connection("feed")["sessions"] == 1
    samples = daemon.metrics()["wskeep_events_total"].samples
    assert samples[0].value >= 4 * THOUSANDS, "each was told"
    wait_for(lambda: _descriptors(daemon) < 100, "no descriptor is left behind")
