"""SIGTERM, wherever it comes: who reads gets what was received, upstream is told, and nothing holds the end up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE, Ended
from support.daemon import Daemon, build_folder, program_environment, sanitized, write_configuration
from support.frames import Opcode, text
from support.local import Subscriber, V1Subscriber, connect, request
from support.network import Network
from support.network import why_not as why_no_network
from support.session import Session, StartDaemon, StartServer, StartSession
from support.streams import Events, Lines
from support.undisturbed import refusing  # noqa: F401
from support.waiting import wait_for

SMALL = 4_096
"""Bytes that an app's socket holds, so that most of what was received waits in the ring."""
COUNT = 2_000
_NO_NETWORK = why_no_network()


def _read_plain(app: Any) -> list[str]:
    received = []
    while (found := app.read_frame()).opcode != Opcode.CLOSE:
        received.append(found.payload.decode())
    assert (found.close_code, found.close_reason) == (1001, "wskeepd is stopping")
    return received


def _read_v1(app: V1Subscriber) -> list[str]:
    return [payload.partition("\n")[2] for payload in _read_plain(app) if not payload.startswith("{")]


def _take_lines(stream: Lines) -> list[str]:
    received, last = [], {}
    while (found := stream.read()) is not None:
        last = found
        if "data" in found:
            received.append(found["data"])
    assert (last["event"], last["code"], last["reason"]) == ("closed", 1001, "wskeepd is stopping")
    return received


def _take_events(stream: Events) -> list[str]:
    received, last = [], None
    while (found := stream.read()) is not None:
        last = found
        if found.name == "message":
            received.append(found.data)
    assert last is not None and last.name == "closed" and last.json["code"] == 1001
    return received


FORMS: dict[str, tuple[Callable[[Daemon], Any], Callable[[Any], list[str]]]] = {
    "plain": (lambda daemon: daemon.subscribe("feed", receive_buffer=SMALL), _read_plain),
    "wskeep.v1": (lambda daemon: daemon.subscribe_v1("feed", receive_buffer=SMALL), _read_v1),
    "ndjson": (lambda daemon: Lines(daemon.socket, "/v1/connections/feed/messages?follow=true"), _take_lines),
    "sse": (lambda daemon: Events(daemon.socket, "/v1/connections/feed/messages"), _take_events),
}


@pytest.mark.parametrize("form", FORMS)
def test_who_reads_gets_all_that_was_received_before_the_close(form: str, start_session: StartSession) -> None:
    subscribe, read = FORMS[form]
    # Longer than a busy machine takes to read 2 MB.
    session = start_session(history="8MiB", daemon={"shutdown": "20s"})
    app = subscribe(session.daemon)
    expected = [f"{number} {'x' * 1_000}" for number in range(COUNT)]
    session.peer.send(b"".join(text(each) for each in expected))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == COUNT, "all of it was received")
    session.daemon.terminate()
    assert session.peer.read_close().close_code == 1001
    # Not yet closed: what comes before the answer to its Close was received, too.
    session.peer.send(text("the last") + frames.close(1001))
    session.peer.end()
    assert read(app) == [*expected, "the last"]
    assert session.daemon.wait() == 0


def test_upstream_is_told_by_the_script_s_message_and_then_1001(start_session: StartSession) -> None:
    session = start_session(session={"close": {"send": '{"op":"logout"}'}})
    session.daemon.terminate()
    assert session.peer.read_until(Opcode.TEXT).payload == b'{"op":"logout"}'
    assert session.peer.read_close().close_code == 1001
    session.peer.send(frames.close(1001))
    session.peer.end()
    assert session.daemon.wait() == 0


def test_a_code_of_the_script_s_own(start_session: StartSession) -> None:
    session = start_session(session={"close": {"send": "bye", "code": 4000}})
    session.daemon.terminate()
    assert session.peer.read_until(Opcode.TEXT).payload == b"bye"
    assert session.peer.read_close().close_code == 4000
    session.peer.send(frames.close(4000))
    session.peer.end()
    assert session.daemon.wait() == 0


# What hangs.


def _children(daemon: Daemon) -> list[int]:
    return [int(child) for task in Path(f"/proc/{daemon.process.pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def stubborn(folder: Path) -> Path:
    """A program that neither SIGTERM nor anything else but SIGKILL ends."""
    path = folder / "stubborn"
    path.write_text(textwrap.dedent("""\
        #!/bin/sh
        trap '' TERM INT HUP
        while :; do sleep 1; done
        """))
    path.chmod(0o755)
    return path


def _expect_end(daemon: Daemon, started: float, code: int = 0) -> None:
    daemon.expected_exit = code
    assert daemon.wait() == code, daemon.log[-2000:]
    # `shutdown` is 1s; the rest is the machine's.
    assert time.monotonic() - started < 10


def test_everything_hangs_at_once(folder: Path, stubborn: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    """A session whose peer never reads, with much to be sent to it; TCP, TLS, HTTP and a proxy that hang, a command, a request;
    readers that never read."""
    servers = {name: start_server() for name in ("silent", "tls", "http", "proxy", "request")}
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        crowd = [socket.socket() for _ in range(4)]
        for sock in crowd:  # so that the next SYN is not answered
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        url = servers["http"].url
        daemon = start_daemon({
            "silent": {"url": servers["silent"].url, "send_buffer": "4MiB", "max_message": "1MiB"},
            "tcp": f"wss://127.0.0.1:{full.getsockname()[1]}/",
            "tls": servers["tls"].url,
            "http": url,
            "proxied": {"url": "wss://localhost:1/", "proxy": f"http://127.0.0.1:{servers['proxy'].port}"},
            "command": {"url": url, "session": {"prepare": [{"command": [str(stubborn)], "timeout": "10m", "set": {"a": "${answer}"}}]}},
            "request": {"url": url, "session": {"prepare": [{"request": f"https://localhost:{servers['request'].port}/",
                                                             "timeout": "10m", "set": {"a": "${answer}"}}]}},
        }, shutdown="1s", defaults={"timeouts": {"close": "5m", "connect": "10m", "address": "5m", "send": "5m"}},
            threads=2)
        peer = servers["silent"].accept_and_upgrade()
        daemon.wait_state("silent", "ready")
        hanging = [servers[name].accept_tcp() for name in ("tls", "proxy")]
        hanging.append(servers["http"].accept().socket)
        hanging.append(servers["request"].accept_tcp())
        children = wait_for(lambda: _children(daemon), "the command runs")
        publisher = daemon.subscribe_v1("silent")
        for number in range(40):
            publisher.publish(str(number), "y" * 100_000)
        readers = [daemon.subscribe("silent", receive_buffer=SMALL) for _ in range(3)]
        readers += [Subscriber(daemon.socket, "*", "", "wskeep.v1", receive_buffer=SMALL),
                    Subscriber(daemon.socket, "", resource="/v1/events", receive_buffer=SMALL)]
        peer.send(text("x" * 500_000))
        wait_for(lambda: daemon.connection("silent")["messages_in"] == 1, "it is in the ring")
        half = connect(daemon.socket)
        half.sendall(b"POST /v1/connections/silent/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        started = time.monotonic()
        daemon.terminate()
        _expect_end(daemon, started)
        assert not [child for child in children if _alive(child)], "the command was ended with it"
        for each in (*crowd, *hanging, publisher, *readers, half):
            each.close()


@pytest.mark.skipif(bool(_NO_NETWORK), reason=_NO_NETWORK)
def test_name_servers_that_are_silent(folder: Path) -> None:
    network = Network(folder)
    try:
        network.write("resolv.conf", "nameserver 10.77.53.9\noptions timeout:30\n")
        network.add("10.77.53.9")
        network.drop("10.77.53.9")
        daemon = network.start_daemon({"feed": {"url": "wss://feed.test/", "timeouts": {"resolve": "5m", "connect": "10m"}}}, shutdown="1s")
        daemon.wait_state("feed", "resolving", "connecting")
        started = time.monotonic()
        daemon.terminate()
        _expect_end(daemon, started)
    finally:
        network.end()


def test_a_second_signal_leaves_no_command_behind(stubborn: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    silent = start_server()
    daemon = start_daemon({
        "feed": {"url": silent.url, "timeouts": {"close": "5m"}},
        "command": {"url": silent.url, "session": {"prepare": [{"command": [str(stubborn)], "timeout": "10m", "set": {"a": "${answer}"}}]}},
    }, shutdown="1m", threads=2)
    silent.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    children = wait_for(lambda: _children(daemon), "the command runs")
    started = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    daemon.process.send_signal(signal.SIGINT)
    daemon.wait()
    daemon._told = True
    daemon.expected_exit = daemon.process.returncode
    assert daemon.process.returncode in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert time.monotonic() - started < 10
    wait_for(lambda: not [child for child in children if _alive(child)], "the command is ended")


@pytest.mark.skipif(sanitized(), reason="a sanitizer makes ten thousand connections large and slow")
def test_ten_thousand_connections_and_readers_of_all(start_daemon: StartDaemon, refusing: int) -> None:
    """Each reader is told of each connection's end."""
    daemon = start_daemon({f"c{number:05}": f"ws://127.0.0.1:{refusing}/" for number in range(10_000)}, shutdown="1s", log={"level": "warning"},
                          defaults={"history": "64KiB", "max_message": "16KiB", "reconnect": {"initial": "1h", "max": "1h"}})
    readers = [subprocess.Popen([build_folder() / "wskeep", "--socket", daemon.socket, "tail", "--all"], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        wait_for(lambda: daemon.connection("c09999")["subscribers"] == len(readers), "they read")
        started = time.monotonic()
        daemon.terminate()
        _expect_end(daemon, started)
        for reader in readers:
            reader.wait(DEADLINE)
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


# When it comes.


def test_while_paused(session: Session) -> None:
    session.daemon.control("feed", "pause")
    session.peer.read_close()
    session.peer.send(frames.close(1000))
    session.peer.end()
    session.daemon.wait_state("feed", "paused")
    app = session.daemon.subscribe_v1("feed")
    session.daemon.terminate()
    assert app.read_close().close_code == 1001
    assert session.daemon.wait() == 0


def test_while_backing_off_and_while_stopped_by_the_policy(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": {"url": "wss://127.0.0.1:1/", "reconnect": {"initial": "1h", "max": "1h"}},
                           "stopped": {"url": "wss://127.0.0.1:1/", "reconnect": {"initial": "1h", "max": "1h", "on_lasting": "stop"}}})
    daemon.wait_state("feed", "backing_off", "failed")
    started = time.monotonic()
    daemon.terminate()
    _expect_end(daemon, started)


def test_during_a_reload_whose_file_hangs(session: Session) -> None:
    """As on a file system that does not answer any more: here a pipe that nobody writes to."""
    session.daemon.file.unlink()
    os.mkfifo(session.daemon.file)
    session.daemon.process.send_signal(signal.SIGHUP)
    wait_for(lambda: session.daemon.log_has("reloading"), "it reads")
    app = session.daemon.subscribe_v1("feed")
    started = time.monotonic()
    session.daemon.terminate()
    assert session.peer.read_close().close_code == 1001
    session.peer.send(frames.close(1001))
    session.peer.end()
    assert app.read_close().close_code == 1001
    _expect_end(session.daemon, started)


def test_among_reloads(start_session: StartSession) -> None:
    session = start_session(daemon={"threads": 2})
    daemon = session.daemon
    settings = json.loads(daemon.file.read_text())
    over = threading.Event()

    def reload() -> None:
        number = 0
        while not over.is_set():
            number += 1
            connections = settings["connections"] | {f"extra{number % 3}": {"url": "wss://127.0.0.1:1/", "history": f"{64 * (1 + number % 4)}KiB"}}
            write_configuration(daemon.file, settings | {"connections": connections})
            try:
                request(daemon.socket, "POST", "/v1/reload")
            except OSError:
                return

    reloading = threading.Thread(target=reload)
    reloading.start()
    wait_for(lambda: daemon.log.count("reloaded") > 5, "it reloads")
    daemon.terminate()
    try:
        assert session.peer.read_close().close_code == 1001
        session.peer.send(frames.close(1001))
        session.peer.end()
        assert daemon.wait() == 0
    finally:
        over.set()
        reloading.join()


def test_during_the_start(folder: Path) -> None:
    """At whichever moment: it goes, and the next one starts."""
    path = folder / "wskeep.sock"
    file = write_configuration(folder / "wskeep.yaml", {
        "ipc": {"socket": str(path)}, "threads": 2, "shutdown": "1s",
        "connections": {f"feed{number}": {"url": "ws://127.0.0.1:1/"} for number in range(20)}})
    for number in range(12):
        process = subprocess.Popen([build_folder() / "wskeepd", "--config", file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=program_environment())
        time.sleep(number * 0.01)  # any of them will do
        process.terminate()
        assert process.wait(DEADLINE) in (0, -signal.SIGTERM)
    process = subprocess.Popen([build_folder() / "wskeepd", "--config", file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=program_environment())

    def answers() -> bool:
        assert process.poll() is None
        try:
            return request(path, "GET", "/healthz").status == 200
        except OSError:
            return False

    try:
        wait_for(answers, "what a daemon left that was ended early does not matter")
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_no_new_messages_are_taken_while_it_stops(start_session: StartSession) -> None:
    session = start_session(daemon={"shutdown": "20s"}, timeouts={"close": "10s"})
    app = session.daemon.subscribe_v1("feed")
    session.daemon.terminate()
    session.peer.read_close()
    app.publish("late", "too late")
    event = app.read_event("failed")
    assert (event["id"], event["outcome"], event["error"]) == ("late", "rejected", "not_connected")
    session.peer.send(frames.close(1001))
    session.peer.end()
    assert app.read_close().close_code == 1001
    app.close()
    with pytest.raises((OSError, Ended)):
        session.daemon.subscribe("feed")
    assert session.daemon.wait() == 0
