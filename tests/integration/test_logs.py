"""The log: what it says, where it goes, and what becomes of it when nobody takes it."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.certificates import Authority
from support.daemon import Daemon, write_configuration
from support.frames import Opcode
from support.local import connect, request
from support.logs import LINE, Journal, LoggedDaemon, Pipe, RealJournal, in_mounts, need_mounts
from support.processes import Processes, free_port
from support.scripted_server import Peer, ScriptedServer
from support.session import Session, StartDaemon, StartServer, StartSession
from support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
RESTLESS = {"reconnect": {"initial": "1ms", "max": "2ms", "budget": "off"}}
"""Of a connection that nobody answers."""


def _nobody() -> str:
    return f"ws://127.0.0.1:{free_port()}/"


def _reload(daemon: Daemon, settings: dict[str, Any]) -> dict[str, Any]:
    write_configuration(daemon.file, settings)
    answer = request(daemon.socket, "POST", "/v1/reload", b"")
    assert answer.status == 200, answer
    return answer.json


def _settings(daemon: Daemon) -> dict[str, Any]:
    return json.loads(daemon.file.read_text())


def _value(daemon: Daemon, metric: str) -> float:
    return daemon.metrics()[metric].samples[0].value


def _lines(daemon: Daemon, connection: str, event: str) -> list[str]:
    return [line for line in daemon.log.splitlines() if f" {connection} {event}" in line]


def _converse(daemon: Daemon, peer: Peer, count: int = 1000) -> None:
    """Messages go through, whatever becomes of the log."""
    app = daemon.subscribe("feed")
    for number in range(count):
        peer.send(frames.frame(Opcode.TEXT, b"%d" % number))
    for number in range(count):
        assert app.read_message().payload == b"%d" % number
    app.close()


# -- what it says


def _table() -> dict[str, tuple[str, set[str]]]:
    """Of docs/logs.md: an event's level and fields."""
    rows = re.findall(r"^\| `([a-z_]+)` \| ([a-z, ]+) \| ((?:`[a-z_]+`(?:, )?)*) ?\|", (ROOT / "docs/logs.md").read_text(), re.M)
    table = {event: (level, set(re.findall(r"`([a-z_]+)`", fields))) for event, level, fields in rows}
    assert len(table) == len(rows), "an event stands twice"
    return table


def _in_sources() -> dict[str, tuple[set[str], set[str]]]:
    """Of the sources: each event with the levels and the fields that are given with it."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    write = re.compile(r'Level::(\w+),\s*(?:(?:"", |[\w.]+(?:\(\))?, )\s*)?"([a-z_]+)"([^;]*);')
    literal = re.compile(r'\.level = [\w:]*Level::(\w+),[^;]*?\.event = "([a-z_]+)",([^;]*);')
    left_out = re.compile(r'\.level = left_out\.(\w+),[^;]*?\.event = "([a-z_]+)",([^;]*);')
    for source in sorted((ROOT / "daemon").rglob("*.cpp")):
        text = re.sub(r"\n\s*", " ", source.read_text())
        for pattern in (write, literal, left_out):
            for level, event, rest in pattern.findall(text):
                levels, fields = found.setdefault(event, (set(), set()))
                levels.add(level)
                fields.update(re.findall(r'\{"([a-z_]+)",', rest))
    return found


def test_all_events_are_documented() -> None:
    table, sources = _table(), _in_sources()
    assert len(sources) > 30, "the pattern does not find them"
    assert sorted(table) == sorted(sources)
    for event, (levels, fields) in sources.items():
        assert levels & set(re.findall(r"\w+", table[event][0])) or levels == {"level"}, event
        assert fields <= table[event][1], event


def test_the_lines_shown_are_such_lines() -> None:
    table = _table()
    text = re.search(r"```text\n(.*?)```", (ROOT / "docs/logs.md").read_text(), re.S)
    assert text
    for line in text[1].splitlines():
        match = LINE.fullmatch(line)
        assert match, line
        level, fields = table[match[3]]
        assert match[1].strip() in level and set(re.findall(r" ([a-z_]+)=", match[4])) == fields, line


def test_a_life_line_by_line(start_session: StartSession, start_server: StartServer) -> None:
    session = start_session(daemon={"log": {"level": "debug"}})
    daemon = session.daemon
    session.peer.reset()
    session.next_peer()
    refused = _nobody()
    _reload(daemon, _settings(daemon) | {"connections": _settings(daemon)["connections"] | {"other": {"url": refused}}})
    wait_for(lambda: daemon.log_has("other attempt_failed", "error=connection_refused"), "it is logged")
    daemon.terminate()
    daemon.wait()
    said = [LINE.fullmatch(line) for line in daemon.log.splitlines()]
    assert all(said), daemon.log
    events = [(match[2], match[3]) for match in said if match]
    for event in ("starting", "listening", "reloading", "reloaded", "stopping", "stopped"):
        assert events.count(("-", event)) == 1, daemon.log
    for event in ("state", "connected", "disconnected", "backing_off"):
        assert ("feed", event) in events, daemon.log
    for event in ("added", "address_failed", "attempt_failed"):
        assert ("other", event) in events, daemon.log
    assert events[0] == ("-", "starting") and events[-1] == ("-", "stopped")
    connected = _lines(daemon, "feed", "connected")
    assert re.search(r"remote_address=127\.0\.0\.1:\d+ took=\d+ms away=\"\" tls=TLSv1\.[23] ", connected[0]), connected
    assert re.search(r" away=\d+ms ", connected[1]), connected


def test_a_certificate_that_expires_soon(session: Session, start_daemon: StartDaemon, authority: Authority,
                                         servers: list[ScriptedServer]) -> None:
    """The tests' own certificates hold for two days."""
    wait_for(lambda: session.daemon.log_has("warning feed certificate_expires", "not_after=20", "CN"), "it is said")
    servers.append(ScriptedServer(authority.issue("lasting", validity=("-days", "40")).server_context()))
    daemon = start_daemon({"feed": servers[-1]})
    servers[-1].accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: daemon.log_has("feed connected"), "it is connected")
    assert not daemon.log_has("certificate_expires")


def test_a_reader_that_is_lapped(start_session: StartSession) -> None:
    session = start_session(history="64KiB", max_message="8KiB", patience="1ms")
    app = session.daemon.subscribe_v1("feed", receive_buffer=4096)
    # More than the ring, the socket's buffers and a spare of them.
    for _ in range(3000):
        session.peer.send(frames.frame(Opcode.BINARY, b"." * 4096))
    app.read_event("gap")
    wait_for(lambda: session.daemon.log_has("warning feed reader_lapped", "kind=wskeep.v1", f"uid={os.geteuid()}", "lost="),
             "it is said")


def test_a_client_that_is_refused(start_session: StartSession) -> None:
    session = start_session(daemon={"ipc": {"limits": {"clients": 3}}})
    held = [session.daemon.subscribe("feed") for _ in range(3)]
    with connect(session.daemon.socket) as refused:
        assert refused.recv(1024).startswith(b"HTTP/1.1 503 ")
    for app in held:
        app.close()
    wait_for(lambda: session.daemon.log_has("- client_refused", "limit=clients", f"uid={os.geteuid()}"), "it is said")


# -- how much of it


def test_levels_of_connections(start_daemon: StartDaemon) -> None:
    loud = {"url": _nobody(), "log_level": "debug"} | RESTLESS
    quiet = {"url": _nobody(), "log_level": "error"} | RESTLESS
    daemon = start_daemon({"loud": loud, "quiet": quiet, "usual": {"url": _nobody()} | RESTLESS})
    wait_for(lambda: _lines(daemon, "loud", "state") and _lines(daemon, "usual", "attempt_failed"), "they are logged")
    assert not _lines(daemon, "usual", "state")
    assert not _lines(daemon, "quiet", "attempt_failed")
    changed = _settings(daemon)
    changed["connections"]["quiet"]["log_level"] = "debug"
    changed["connections"]["loud"]["log_level"] = "inherit"
    answer = _reload(daemon, changed)
    assert {change["name"]: (change["effect"], change["keys"]) for change in answer["changed"]} == {
        "quiet": ("in_place", ["log_level"]), "loud": ("in_place", ["log_level"])}
    wait_for(lambda: _lines(daemon, "quiet", "state") and _lines(daemon, "quiet", "attempt_failed"), "it is loud now")
    changed["log"] |= {"level": "error", "format": "json"}
    assert _reload(daemon, changed)["in_place"] == ["log.level", "log.format"]
    wait_for(lambda: '"level":"debug","event":"state","connection":"quiet"' in daemon.log, "its own level holds, as JSON")


def test_what_is_too_much_is_left_out_and_counted(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server, "restless": {"url": _nobody()} | RESTLESS}, log={"rate": "3/1h"})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: _value(daemon, "wskeep_log_left_out_total") > 10, "lines are left out")
    wait_for(lambda: _lines(daemon, "feed", "connected"), "others are not")
    assert len(_lines(daemon, "restless", "attempt_failed")) == 3
    assert not daemon.log_has("log_left_out")
    changed = _settings(daemon)
    changed["log"] = {"rate": "off"}
    _reload(daemon, changed)
    told = wait_for(lambda: _lines(daemon, "restless", "log_left_out"), "what was left out is told")
    match = re.search(r"kind=attempt_failed lines=(\d+) within=1h", told[0])
    assert match and int(match[1]) > 0, told
    wait_for(lambda: len(_lines(daemon, "restless", "attempt_failed")) > 10, "and nothing is left out any more")
    assert _value(daemon, "wskeep_log_dropped_total") == 0


def test_what_one_reload_says_is_not_left_out(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": _nobody()}, log={"rate": "20/10s"})
    daemon.file.write_text("connections:\n" + "".join(f"  c{number}: {{url: http://x/}}\n" for number in range(30)))
    for _ in range(3):
        assert request(daemon.socket, "POST", "/v1/reload", b"").status == 422
    wait_for(lambda: len(_lines(daemon, "-", "configuration_problem")) == 60, "each time, the first twenty of them")
    assert not daemon.log_has("- log_left_out")


# -- when nobody takes it


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.fixture
def start_logged(folder: Path, authority: Authority) -> Iterator[Any]:
    """Starts a daemon with the connections `feed`, to the server, and `restless`."""
    daemons: list[LoggedDaemon] = []

    def start(server: ScriptedServer, log: dict[str, str], **given: Any) -> tuple[LoggedDaemon, Peer]:
        settings = {"defaults": {"tls": {"ca": str(authority.certificate)}, "timeouts": {"close": "500ms"},
                                 "reconnect": {"initial": "10ms", "max": "50ms"}}, "log": log, "shutdown": "2s",
                    "connections": {"feed": {"url": server.url}, "restless": {"url": _nobody()} | RESTLESS}}
        daemons.append(LoggedDaemon(folder, settings, **given))
        peer = server.accept_and_upgrade()
        daemons[-1].wait_state("feed", "ready")
        return daemons[-1], peer

    yield start
    for daemon in daemons:
        daemon.end()


def test_a_pipe_that_nobody_reads(start_logged: Any, start_server: StartServer, pipe: Pipe) -> None:
    daemon, peer = start_logged(start_server(), {"level": "debug", "rate": "off", "queue": "64KiB"}, stderr=pipe.writer)

    def lose_lines() -> float:
        before = daemon.value("wskeep_log_dropped_total")
        return wait_for(lambda: (now := daemon.value("wskeep_log_dropped_total")) > before + 50 and now, "lines are dropped")

    lose_lines()
    assert daemon.value("wskeep_log_queue_bytes") <= daemon.value("wskeep_log_queue_limit_bytes") == 65536
    _converse(daemon, peer)
    lost = lose_lines()
    assert daemon.value("wskeep_log_write_failures_total") == 0
    # Somebody reads again.
    lines = pipe.read_until("log_dropped lines=")
    assert all(LINE.fullmatch(line) for line in lines), lines
    told = re.search(r"log_dropped lines=(\d+)", next(line for line in lines if "log_dropped" in line))
    assert told and 0 < int(told[1]), lines
    pipe.read_until("restless attempt_failed")
    # And nobody any more: the end is not held up.
    lose_lines()
    assert daemon.value("wskeep_log_dropped_total") > lost
    daemon.terminate()
    assert daemon.wait() == 0


def test_a_second_signal_with_a_pipe_that_nobody_reads(start_logged: Any, start_server: StartServer, pipe: Pipe) -> None:
    daemon, _ = start_logged(start_server(), {"level": "debug"}, stderr=pipe.writer)
    daemon.terminate()
    # The server does not answer the Close frame, so that there is something to wait for.
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait() in (0, 128 + signal.SIGTERM)
    daemon.expected_exit = daemon.process.returncode


def test_a_full_disk(start_logged: Any, start_server: StartServer, folder: Path) -> None:
    need_mounts()
    disk = folder / "disk"
    disk.mkdir()
    within = in_mounts('mount -t tmpfs -o size=64k tmpfs "$1"\ndd if=/dev/zero of="$1/other" bs=1k count=56 2>/dev/null\nexec 2>>"$1/log"',
                       disk)
    daemon, peer = start_logged(start_server(), {"level": "debug", "rate": "off"}, within=within)
    seen = Path(f"/proc/{daemon.process.pid}/root{disk}")
    wait_for(lambda: daemon.value("wskeep_log_write_failures_total") > 50, "lines cannot be written")
    _converse(daemon, peer)
    failures = daemon.value("wskeep_log_write_failures_total")
    assert daemon.value("wskeep_log_dropped_total") >= failures
    (seen / "other").unlink()

    def told() -> re.Match[str] | None:
        return re.search(r"^\S+ warning - log_dropped lines=(\d+)$", (seen / "log").read_text(), re.M)

    # What is written from then on begins with it, and no line has a piece of another in it.
    match = wait_for(told, "what was lost is told")
    assert match and int(match[1]) > 50
    *lines, _ = (seen / "log").read_text().split("\n")
    pieces = [line for line in lines if not LINE.fullmatch(line)]
    assert len(pieces) <= 1, pieces


def test_without_stderr_no_socket_gets_its_number(start_logged: Any, start_server: StartServer) -> None:
    daemon, peer = start_logged(start_server(), {"level": "debug"}, within=["sh", "-c", 'exec "$@" 2>&-', "sh"])
    assert os.readlink(f"/proc/{daemon.process.pid}/fd/2") == "/dev/null"
    _converse(daemon, peer)


# -- the journal


def test_fields_of_the_journal(start_logged: Any, start_server: StartServer, folder: Path) -> None:
    need_mounts()
    journal = Journal(folder / "journal")
    server = start_server()
    daemon, peer = start_logged(server, {"format": "journald", "rate": "off"}, within=journal.command)
    connected = journal.wait_for("connected", WSKEEP_CONNECTION="feed")
    address = connected["WSKEEP_REMOTE_ADDRESS"]
    assert connected["PRIORITY"] == "6" and connected["SYSLOG_IDENTIFIER"] == "wskeepd"
    assert connected["MESSAGE"].startswith(f"feed connected remote_address={address} took=")
    assert "WSKEEP_CONNECTION" not in journal.wait_for("listening")
    peer.send(frames.close(1000, "two\nlines"))
    ended = journal.wait_for("disconnected", WSKEEP_CONNECTION="feed")
    assert ended["PRIORITY"] == "4" and "two\nlines" in ended["WSKEEP_MESSAGE"] and "\n" not in ended["MESSAGE"]
    assert (ended["WSKEEP_CLOSE_CODE"], ended["WSKEEP_CLOSED_BY"]) == ("1000", "upstream")
    assert daemon.log == ""
    # It goes away: nothing is lost, and it is said once.
    journal.end()
    wait_for(lambda: daemon.log_has("restless attempt_failed"), "stderr has it")
    assert daemon.log.splitlines()[0].partition(" ")[2].startswith("warning - journal_unreachable ")
    assert daemon.log.count("journal_unreachable") == 1
    # And comes back.
    journal.entries.clear()
    journal.begin()
    server.accept_and_upgrade()
    journal.wait_for("connected", WSKEEP_CONNECTION="feed")
    daemon.terminate()
    journal.wait_for("stopped")


def test_a_journal_that_hangs(start_logged: Any, start_server: StartServer, folder: Path) -> None:
    need_mounts()
    journal = Journal(folder / "journal", reads=False)
    daemon, peer = start_logged(start_server(), {"format": "journald", "level": "debug", "rate": "off", "queue": "64KiB"},
                                within=journal.command)
    wait_for(lambda: daemon.value("wskeep_log_dropped_total") > 50, "lines are dropped")
    _converse(daemon, peer)
    daemon.terminate()
    assert daemon.wait() == 0 and daemon.log == ""


def test_systemd_s_own_journal(start_logged: Any, start_server: StartServer, processes: Processes) -> None:
    need_mounts()
    journal = RealJournal(processes)
    daemon, _ = start_logged(start_server(), {"format": "journald"}, within=journal.command)
    (connected,) = wait_for(lambda: journal.read("WSKEEP_CONNECTION=feed", "WSKEEP_EVENT=connected"), "journalctl finds it")
    assert connected["MESSAGE"].startswith("feed connected remote_address=")
    assert (connected["PRIORITY"], connected["SYSLOG_IDENTIFIER"]) == ("6", "wskeepd")
    assert connected["_TRANSPORT"] == "journal" and int(connected["_PID"]) == daemon.process.pid
    assert daemon.log == ""


@pytest.mark.parametrize("whose", ["{device}:{inode}", "{device}:1", ""], ids=["ours", "another's", "none"])
def test_journal_where_stderr_goes_there(whose: str, start_logged: Any, start_server: StartServer, folder: Path) -> None:
    need_mounts()
    journal = Journal(folder / "journal")
    environment = {"JOURNAL_STREAM": whose} if whose else {}
    daemon, _ = start_logged(start_server(), {"level": "info"}, within=journal.command, environment=environment)
    if "inode" in whose:
        journal.wait_for("connected")
        assert daemon.log == ""
    else:
        wait_for(lambda: daemon.log_has("feed connected"), "stderr has it")
        assert not journal.entries
