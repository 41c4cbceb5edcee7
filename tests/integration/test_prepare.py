"""What is done before each attempt, and what is in the request: servers that check what they are sent."""

from __future__ import annotations

import json
import os
import ssl
import stat
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.daemon import Daemon
from support.frames import Opcode, text
from support.scripted_server import Peer, ScriptedServer
from support.session import StartDaemon, StartServer
from support.token_server import Answer, Asked, serve_tokens
from support.waiting import wait_for

QUIET = {"keepalive": {"ping": "off"}}


def _program(folder: Path, body: str, name: str = "token") -> str:
    path = folder / name
    path.write_text("#!/bin/sh\n" + textwrap.dedent(body))
    path.chmod(0o755)
    return str(path)


def _with_command(url: str, program: str, **step: Any) -> dict[str, Any]:
    return QUIET | {"url": url, "authorization": {"bearer": "${token}"},
                    "session": {"prepare": [{"command": [program], "set": {"token": "${answer}"}} | step]}}


def _bearer(peer: Peer) -> str:
    return peer.headers["authorization"]


def _end(peer: Peer) -> None:
    peer.send(frames.close(1001))
    peer.end()


def _cycle(daemon: Daemon, index: int) -> dict[str, Any]:
    """The newest (-1) may have begun this moment, unless it has a session."""
    cycle: dict[str, Any] = daemon.get("/v1/connections/feed/attempts").json["cycles"][index]
    return cycle


def _nothing_comes(server: ScriptedServer, seconds: float = 0.6) -> None:
    with pytest.raises(TimeoutError):
        server.accept_tcp(timeout=seconds)


def test_a_command_gives_a_new_token_to_each_attempt(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    count = folder / "count"
    count.write_text("")
    program = _program(folder, f"""
        echo x >> {count}
        echo "  token-$(wc -l < {count})"
        """)
    server = start_server()
    daemon = start_daemon({"feed": _with_command(server.url, program)})
    for number in (1, 2, 3):
        peer = server.accept_and_upgrade()
        assert _bearer(peer) == f"Bearer token-{number}"
        daemon.wait_state("feed", "ready")
        _end(peer)
    assert _cycle(daemon, 0)["prepare"][0]["kind"] == "command"
    assert "token-" not in daemon.log


def test_a_command_gets_nothing_that_it_does_not_need(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    """No descriptor but three, no secret of the daemon's environment, no blocked or ignored signal, a group of its own."""
    seen = folder / "seen"
    program = folder / "token"
    program.write_text("#!/usr/bin/python3 -I\n" + textwrap.dedent(f"""
        import errno, fcntl, json, os, signal
        def is_open(number):
            try:
                fcntl.fcntl(number, fcntl.F_GETFD)
            except OSError:
                return False
            return True
        seen = {{"open": [number for number in range(4096) if is_open(number)], "environment": dict(os.environ),
                "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "group": os.getpgid(0) == os.getpid(),
                "stdin": os.readlink("/proc/self/fd/0"),
                "hang-up ignored": signal.getsignal(signal.SIGHUP) == signal.SIG_IGN}}
        with open("{seen}", "w") as file:
            json.dump(seen, file)
        print("t0ken")
        """))
    program.chmod(0o755)
    server = start_server()
    environment = {"SECRET_OF_THE_DAEMON": "s3cret", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    start_daemon({"feed": _with_command(server.url, str(program), environment={"GIVEN": "yes ${concat('a', 'b')}"})},
                 environment=environment)
    assert _bearer(server.accept_and_upgrade()) == "Bearer t0ken"
    found = json.loads(seen.read_text())
    given = found.pop("environment")
    assert found == {"open": [0, 1, 2], "blocked": [], "group": True, "stdin": "/dev/null", "hang-up ignored": False}
    assert given["GIVEN"] == "yes ab" and given["LANG"] == "C.UTF-8"
    assert set(given) <= {"GIVEN", "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
                          "CREDENTIALS_DIRECTORY", "SSL_CERT_FILE", "SSL_CERT_DIR"}, given


FAILING = {
    "exit": ("echo 'no key' >&2; exit 1", "the command exited with 1: no key"),
    "signal": ("kill -9 $$", "the command was ended by signal 9"),
    "empty": ("echo", "set.token: the answer has no such value"),
    "slow": ("sleep 60", "the command did not end within 300ms (timeout) and was killed"),
    "endless": ("exec yes", "the command wrote more than 1MiB and was killed"),
    "gone": ("rm $0; exit 3", "the command exited with 3"),
}


@pytest.mark.parametrize("kind", FAILING)
def test_a_command_that_fails_leaves_no_old_token_and_the_loop_goes_on(
        kind: str, folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    body, sentence = FAILING[kind]
    good = folder / "good"
    good.write_text("fresh-1")
    program = _program(folder, f"""
        test -f {good} && exec cat {good}
        {body}
        """)
    server = start_server()
    timeout = "300ms" if kind == "slow" else "20s"
    daemon = start_daemon({"feed": _with_command(server.url, program, timeout=timeout)})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    good.unlink()
    _end(peer)
    error = "prepare_timeout" if kind == "slow" else "prepare_failed"
    found = daemon.wait_error("feed", error)
    assert found["message"].startswith("session.prepare[0]: ") and sentence in found["message"]
    wait_for(lambda: len([c for c in daemon.get("/v1/connections/feed/attempts").json["cycles"]
                          if c["failure"] and c["failure"]["error"] == error]) >= 3, "the loop goes on")
    _nothing_comes(server, 0.2)
    if kind == "gone":
        _program(folder, f"exec cat {good}")
    # At once as a whole: half a token must not be read.
    (folder / "new").write_text("fresh-2")
    (folder / "new").rename(good)
    assert _bearer(server.accept_and_upgrade()) == "Bearer fresh-2"
    daemon.wait_state("feed", "ready")


def _children_of(process: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == process:
            found.append(int(entry.name))
    return found


def _is_alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("how", ["pause", "timeout", "stop"])
def test_a_command_and_what_it_started_is_killed(how: str, folder: Path, start_daemon: StartDaemon,
                                                 start_server: StartServer) -> None:
    pids = folder / "pids"
    program = _program(folder, f"""
        sleep 600 &
        echo $$ $! > {pids}.new
        mv {pids}.new {pids}
        wait
        """)
    server = start_server()
    daemon = start_daemon({"feed": _with_command(server.url, program, timeout="2s" if how == "timeout" else "5m")})
    wait_for(pids.exists, "the command runs")
    both = [int(number) for number in pids.read_text().split()]
    if how == "pause":
        assert daemon.control("feed", "pause").status == 202
        daemon.wait_state("feed", "paused")
    elif how == "stop":
        daemon.end()
    else:
        daemon.wait_error("feed", "prepare_timeout")
    wait_for(lambda: not any(_is_alive(process) for process in both), "both are gone")
    if how == "pause":
        wait_for(lambda: _children_of(daemon.process.pid) == [], "no zombie is left")


def test_a_command_whose_child_keeps_the_pipe_is_not_waited_for(folder: Path, start_daemon: StartDaemon,
                                                               start_server: StartServer) -> None:
    pids = folder / "pids"
    program = _program(folder, f"""
        sleep 600 &
        echo $! > {pids}
        echo t0ken
        """)
    server = start_server()
    daemon = start_daemon({"feed": _with_command(server.url, program, timeout="5m")})
    assert _bearer(server.accept_and_upgrade()) == "Bearer t0ken"
    wait_for(lambda: not _is_alive(int(pids.read_text())), "it is gone")
    daemon.wait_state("feed", "ready")


def test_a_request_gives_the_url_of_each_attempt(folder: Path, start_daemon: StartDaemon, start_server: StartServer,
                                                server_context: ssl.SSLContext) -> None:
    """Slack: a ticket that is good once."""
    key = folder / "key"
    key.write_text("xapp-s3cret\n")
    server = start_server()
    tickets: list[str] = []

    def hand_out(asked: Asked) -> Answer:
        if asked.method != "POST" or asked.headers["authorization"] != "Bearer xapp-s3cret":
            return Answer(b'{"ok":false,"error":"invalid_auth"}')
        tickets.append(f"ticket{len(tickets)}")
        return Answer(json.dumps({"ok": True, "url": f"{server.url}?ticket={tickets[-1]}"}).encode())

    with serve_tokens(hand_out, server_context) as tokens:
        daemon = start_daemon({"feed": QUIET | {"url": "${socket}", "session": {"prepare": [
            {"request": tokens.url, "method": "POST", "headers": {"Authorization": "Bearer ${file:" + str(key) + "}"},
             "expect": {"json": {"/ok": True}}, "set": {"socket": "/url"}}]}}})
        for number in range(3):
            peer = server.accept_and_upgrade()
            assert peer.request_line.split()[1] == f"/feed?ticket=ticket{number}"
            daemon.wait_state("feed", "ready")
            _end(peer)
        shown = daemon.get("/v1/connections/feed").body + daemon.get("/v1/connections/feed/attempts").body
        for secret in ("ticket1", "xapp-s3cret"):
            assert secret not in daemon.log and secret.encode() not in shown
        assert _cycle(daemon, 0)["prepare"][0]["http_status"] == 200


REFUSALS: dict[str, tuple[Callable[[Asked], Answer], str]] = {
    "500": (lambda _: Answer(b"oops", 500), "the server answered 500"),
    "401": (lambda _: Answer(b"expired s3cret-key", 401), "the server answered 401 Unauthorized: expired ***"),
    "slow": (lambda _: Answer(hang=True), "no answer within 300ms (timeout)"),
    "without": (lambda _: Answer(b'{"other":1}'), "set.token: the answer has no such value"),
    "null": (lambda _: Answer(b'{"token":null}'), "set.token: the answer has no such value"),
    "large": (lambda _: Answer(b'{"token":"' + b"x" * 1_200_000 + b'"}'), "session.prepare[0]: "),
    "redirect": (lambda _: Answer(b"", 302, {"Location": "/other"}), "is not followed"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_request_that_fails_leaves_no_old_token_and_the_loop_goes_on(
        kind: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    answer, sentence = REFUSALS[kind]
    server = start_server()
    with serve_tokens(lambda _: Answer(b'{"token":"fresh-1"}')) as tokens:
        daemon = start_daemon({"feed": QUIET | {
            "url": server.url, "headers": {"X-Token": "${token}"}, "session": {"prepare": [
                {"request": tokens.url, "headers": {"X-Key": "s3cret-key"}, "timeout": "300ms" if kind == "slow" else "20s",
                 "set": {"token": "/token"}}]}}})
        peer = server.accept_and_upgrade()
        assert peer.headers["x-token"] == "fresh-1"
        daemon.wait_state("feed", "ready")
        tokens.answer = answer
        _end(peer)
        found = daemon.wait_error("feed", "prepare_timeout" if kind == "slow" else "prepare_failed")
        assert sentence in found["message"], found
        asked = len(tokens.asked)
        wait_for(lambda: len(tokens.asked) >= asked + 2, "the loop goes on")
        _nothing_comes(server, 0.2)
        tokens.answer = lambda _: Answer(b'{"token":"fresh-2"}')
        peer = server.accept_and_upgrade()
        assert peer.headers["x-token"] == "fresh-2"
        assert "s3cret-key" not in daemon.log and "fresh-" not in daemon.log


def test_a_server_of_tokens_that_is_not_there_is_tried_again(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    with serve_tokens(lambda _: Answer(b"t")) as tokens:
        url = tokens.url
    daemon = start_daemon({"feed": QUIET | {"url": server.url, "headers": {"X-Token": "${token}"}, "session": {
        "prepare": [{"request": url, "set": {"token": "${answer}"}}]}}})
    found = daemon.wait_error("feed", "prepare_failed")
    assert "session.prepare[0]: " in found["message"] and "127.0.0.1" in found["message"]
    _nothing_comes(server, 0.2)


def test_a_certificate_that_is_wrong_is_not_asked(start_daemon: StartDaemon, start_server: StartServer,
                                                 server_context: ssl.SSLContext) -> None:
    """`tls: system` knows no test authority; the connection's own settings do."""
    server = start_server()
    with serve_tokens(lambda _: Answer(b"t0ken"), server_context) as tokens:
        step = {"request": tokens.url, "set": {"token": "${answer}"}}
        settings = QUIET | {"url": server.url, "headers": {"X-Token": "${token}"}}
        daemon = start_daemon({"feed": settings | {"session": {"prepare": [step | {"tls": "system"}]}},
                               "other": settings | {"session": {"prepare": [step]}}})
        daemon.wait_error("feed", "prepare_failed")
        assert server.accept_and_upgrade().headers["x-token"] == "t0ken"
        assert len(tokens.asked) == 1


# -- what is remembered, over a restart

def _resuming(server: ScriptedServer) -> dict[str, Any]:
    return QUIET | {"url": server.url, "session": {
        "open": [{"send": "identify"}],
        "resume": [{"send": '{"resume":"${id}","seq":${seq}}'}, {"wait": {"contains": "resumed"}}],
        "remember": {"id": {"value": "/id", "keep": "restart"}, "seq": {"value": "/s", "keep": "restart"}}}}


def _hear(peer: Peer) -> str:
    return peer.read_until(Opcode.TEXT).payload.decode()


def _kept(state: Path) -> dict[str, str]:
    try:
        return dict(json.loads((state / "remembered.json").read_text())["connections"]["feed"]["values"])
    except (OSError, KeyError, ValueError):
        return {}


@pytest.mark.parametrize("how", ["kill", "terminate"])
def test_a_session_is_resumed_after_a_restart_of_the_daemon(how: str, folder: Path, start_daemon: StartDaemon,
                                                           start_server: StartServer) -> None:
    state = folder / "state"
    server = start_server()
    daemon = start_daemon({"feed": _resuming(server)}, state_directory=str(state))
    peer = server.accept_and_upgrade()
    assert _hear(peer) == "identify"
    peer.send(text('{"id":"s3ss10n","s":1}'))
    for number in range(2, 40):
        peer.send(text(json.dumps({"s": number})))
    if how == "kill":
        wait_for(lambda: _kept(state) == {"id": "s3ss10n", "seq": "39"}, "it is written")
        daemon.expected_exit = -9
        daemon.process.kill()
        daemon.process.wait()
    else:
        daemon.wait_state("feed", "ready")
        wait_for(lambda: daemon.connection("feed")["messages_in"] == 39, "they came")
        daemon.end()
    assert stat.S_IMODE((state / "remembered.json").stat().st_mode) == 0o600
    daemon = start_daemon({"feed": _resuming(server)}, state_directory=str(state))
    peer = server.accept_and_upgrade()
    assert json.loads(_hear(peer)) == {"resume": "s3ss10n", "seq": 39}
    peer.send(text("resumed"))
    daemon.wait_state("feed", "ready")
    assert "s3ss10n" not in daemon.log


def test_nothing_is_kept_for_another_script_or_a_connection_that_is_gone(folder: Path, start_daemon: StartDaemon,
                                                                        start_server: StartServer) -> None:
    state = folder / "state"
    server = start_server()

    def life(name: str, settings: dict[str, Any]) -> tuple[Daemon, str]:
        daemon = start_daemon({name: settings}, state_directory=str(state))
        peer = server.accept_and_upgrade()
        said = _hear(peer)
        peer.send(text('{"id":"one","s":7}' if said == "identify" else "resumed"))
        wait_for(lambda: "values" in (state / "remembered.json").read_text()
                 if (state / "remembered.json").exists() else False, "it is written")
        daemon.wait_state(name, "ready")
        daemon.end()
        return daemon, said

    assert life("feed", _resuming(server))[1] == "identify"
    other = _resuming(server)
    other["session"]["open"].append({"pause": "1ms"})
    assert life("feed", other)[1] == "identify"
    assert life("feed", other)[1] != "identify"
    assert life("trades", _resuming(server))[1] == "identify"
    assert life("feed", other)[1] == "identify"


def test_a_broken_file_of_what_was_remembered_is_replaced(folder: Path, start_daemon: StartDaemon,
                                                         start_server: StartServer) -> None:
    (folder / "remembered.json").write_text('{"version": 1, "connections": {"feed"')
    server = start_server()
    daemon = start_daemon({"feed": _resuming(server)}, state_directory=str(folder))
    peer = server.accept_and_upgrade()
    assert _hear(peer) == "identify"
    peer.send(text('{"id":"one","s":7}'))
    wait_for(lambda: daemon.log_has("state_unreadable", "remembered.json"), "it says so")
    wait_for(lambda: _kept(folder) == {"id": "one", "seq": "7"}, "it is written anew")


def test_discord_is_resumed_at_its_own_url_and_refused_there_at_the_usual_one(start_daemon: StartDaemon,
                                                                             start_server: StartServer) -> None:
    usual, gate = start_server(), start_server()
    daemon = start_daemon({"feed": QUIET | {"url": usual.url, "session": {
        "open": [{"send": "identify"}],
        "resume": [{"send": "resume ${id}"}, {"wait": {"contains": "RESUMED"}}],
        "resume_url": "${gate}?v=10",
        "remember": {"id": "/id", "gate": "/gate"},
        "forget": {"close": [4007, 4009]}}}})

    def begin() -> Peer:
        peer = usual.accept_and_upgrade()
        assert _hear(peer) == "identify"
        peer.send(text(json.dumps({"id": "s1", "gate": gate.url})))
        daemon.wait_state("feed", "ready")
        return peer

    begin().reset()
    peer = gate.accept_and_upgrade()
    assert peer.request_line.split()[1] == "/feed?v=10" and _hear(peer) == "resume s1"
    peer.send(text("RESUMED"))
    daemon.wait_state("feed", "ready")
    peer.send(frames.close(4009))
    peer.end()
    begin().reset()  # the code has forgotten it all
    gate.accept().send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    begin()
    legs = _cycle(daemon, -1)["legs"]
    assert [leg["url"] for leg in legs] == [f"wss://localhost:{gate.port}/***", usual.url]

