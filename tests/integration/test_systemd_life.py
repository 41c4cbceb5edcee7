"""The installed service's life under a real systemd: reload, stop, restart, crashes, watchdog, socket activation, credentials."""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import pytest

from support import machine as machines
from support.asking import Asking
from support.byte_stream import DEADLINE
from support.frozen_thread import event_loops, frozen
from support.local import V1Subscriber, connect, request
from support.service import CONFIGURATION, DEAF_PORT, FILE, PORT, SOCKET, Service
from support.waiting import wait_for

_NOT_HERE = machines.why_not()

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


def _echo(app: V1Subscriber, text: str) -> int:
    """Sends it; its number, once it has come back. Nothing but messages may come meanwhile."""
    app.publish("id", text)
    items = [app.read_item(), app.read_item()]
    (message,) = [item for item in items if not isinstance(item, dict)]
    assert message.payload == text.encode() and {"event": "sent", "id": "id"} in [
        {key: item.get(key) for key in ("event", "id")} for item in items if isinstance(item, dict)], items
    return message.sequence


def test_a_reload_leaves_what_is_as_it_was(service: Service) -> None:
    app = V1Subscriber(service.socket, "feed")
    number, process, before = _echo(app, "before"), service.pid, len(service.seen)
    service.configure(CONFIGURATION + f"  other: {{url: 'ws://127.0.0.1:{PORT}/other'}}\n")
    service.systemctl("reload", "wskeepd")
    service.wait_seen(before, opened="/other")
    service.wait_status("2 of 2 connections ready")
    assert _echo(app, "after") == number + 1
    assert service.pid == process and service.machine.property("wskeepd", "NRestarts") == "0"
    assert not [each for each in service.seen[before:] if "/feed" in each.values()], "the session was left alone"
    service.wait_journal("reloaded")


def test_a_broken_file_changes_nothing_and_is_told(service: Service) -> None:
    app = V1Subscriber(service.socket, "feed")
    number, process, before = _echo(app, "before"), service.pid, len(service.seen)
    service.configure(CONFIGURATION + "  other: {url: 'ws://127.0.0.1:1/', histroy: 1MiB}\n")
    reload = service.systemctl("reload", "wskeepd", check=False)
    assert reload.returncode != 0 and "systemctl status wskeepd" in reload.stderr, reload
    place = f"{FILE}:6:37"
    status = service.wait_status("not reloaded")
    assert place in status and "histroy" in status
    # It stands there also when the status tells of the connections again.
    assert place in service.wait_status("1 of 1 connections ready")
    service.wait_journal(place)
    service.wait_journal("nothing was changed")
    assert service.machine.property("wskeepd", "ActiveState") == "active" and service.pid == process
    assert _echo(app, "after") == number + 1
    assert not [each for each in service.seen[before:]], "no session was touched"
    service.configure()
    service.systemctl("reload", "wskeepd")
    wait_for(lambda: "not reloaded" not in service.machine.property("wskeepd", "StatusText"), "the status forgets it")


def test_the_journal_has_fields_and_priorities(service: Service) -> None:
    """Native entries, by which a person finds what belongs to one connection, or what is an error."""
    connected = wait_for(lambda: service.entries("WSKEEP_EVENT=connected", "WSKEEP_CONNECTION=feed"), "the journal has it")[-1]
    assert connected["PRIORITY"] == "6" and connected["SYSLOG_IDENTIFIER"] == "wskeepd"
    assert connected["_SYSTEMD_UNIT"] == "wskeepd.service" and connected["_UID"] == service.machine.run("id", "-u", "wskeep").stdout.strip()
    service.configure("connections: {}\n")
    service.systemctl("reload", "wskeepd", check=False)
    failed = wait_for(lambda: service.entries("WSKEEP_EVENT=reload_failed"), "the journal has it")[-1]
    assert failed["PRIORITY"] == "3"
    # What is said before there is a log has its level as well.
    service.systemctl("restart", "wskeepd", check=False)
    wait_for(lambda: [entry for entry in service.entries("PRIORITY=3") if f"{FILE}:1:14" in entry["MESSAGE"] and "WSKEEP_EVENT" not in entry],
             "the journal has the problem, as an error")


def test_a_stop_is_clean(service: Service) -> None:
    app, before = V1Subscriber(service.socket, "feed"), len(service.seen)
    service.systemctl("stop", "wskeepd")
    app.read_close()
    assert service.wait_seen(before, closed="/feed")["code"] == 1001
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    assert service.machine.property("wskeepd", "Result") == "success"
    assert not service.socket.exists()
    service.wait_journal("stopped")


def test_a_stop_waits_for_nobody_longer_than_it_may(service: Service) -> None:
    before = len(service.seen)
    service.configure(f"shutdown: 500ms\nconnections:\n  feed: {{url: 'ws://127.0.0.1:{PORT}/feed'}}\n"
                      f"  deaf: {{url: 'ws://127.0.0.1:{DEAF_PORT}/', timeouts: {{close: 1m}}}}\n")
    service.systemctl("restart", "wskeepd")
    service.wait_seen(before, opened="/deaf")
    service.wait_ready()
    service.systemctl("stop", "wskeepd")
    # systemd would say `timeout`, had it had to kill it.
    assert service.machine.property("wskeepd", "Result") == "success"
    service.wait_journal("deaf disconnected", "error=stopped")
    assert service.wait_seen(before, closed="/feed", code=1001)


def test_a_restart_is_another_epoch_and_is_told(service: Service) -> None:
    app = V1Subscriber(service.socket, "feed")
    epoch, number, before = app.hello["epoch"], _echo(app, "before"), service.pid
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
    assert service.pid != before
    back = V1Subscriber(service.socket, "feed", f"after={epoch}:{number}")
    assert back.hello["epoch"] != epoch
    assert back.read_event("gap")["from"] == 0, "nobody knows how much was lost"
    assert _echo(back, "after") == 1


def test_a_crash_is_mended_and_a_faulty_configuration_is_not_tried_again(service: Service) -> None:
    before = service.pid
    os.kill(service.pid_here, signal.SIGKILL)
    wait_for(lambda: service.pid not in (0, before), "systemd starts it anew")
    service.wait_ready()
    service.configure("connections: {}\n")
    runs = service.machine.property("wskeepd", "NRestarts")
    assert service.systemctl("restart", "wskeepd", check=False).returncode != 0
    assert service.machine.property("wskeepd", "ActiveState") == "failed"
    assert service.machine.property("wskeepd", "ExecMainStatus") == "5"
    assert service.machine.property("wskeepd", "NRestarts") in (runs, "0")
    service.wait_journal(f"{FILE}:1:14")


def test_what_never_starts_is_given_up_in_the_end(service: Service) -> None:
    """The port of its metrics is somebody else's."""
    service.override("RestartSec=20ms\nTimeoutStartSec=30s")
    service.configure(f"metrics: {{listen: '127.0.0.1:{PORT}'}}\n" + CONFIGURATION)
    service.systemctl("restart", "wskeepd", check=False)
    wait_for(lambda: service.machine.property("wskeepd", "ActiveState") == "failed", "systemd gives up", 120)
    assert int(service.machine.property("wskeepd", "NRestarts")) >= 10
    service.wait_journal(f"127.0.0.1:{PORT}", "Address already in use", "metrics.listen")
    # What it takes to have it again.
    service.configure()
    service.systemctl("reset-failed", "wskeepd")
    service.systemctl("start", "wskeepd")
    service.wait_ready()


def test_the_socket_unit_holds_clients_over_a_restart(service: Service) -> None:
    service.systemctl("stop", "wskeepd")
    service.systemctl("enable", "--now", "wskeepd.socket")
    assert service.machine.run("stat", "--format=%a %G", SOCKET).stdout.strip() == "660 wskeep"
    # Nobody runs: the first client is what starts the daemon.
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    assert request(service.socket, "GET", "/healthz").status == 200
    service.wait_ready()
    assert service.machine.property("wskeepd", "ActiveState") == "active"
    app = V1Subscriber(service.socket, "feed")
    cursor = f"{app.hello['epoch']}:{_echo(app, 'before')}"
    # Stopped in the middle of its life, so that whoever connects now is not answered by it any more.
    before = service.pid
    os.kill(service.pid_here, signal.SIGSTOP)
    client = connect(service.socket)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    os.kill(service.pid_here, signal.SIGKILL)
    assert client.recv(100).startswith(b"HTTP/1.1 200 "), "the next daemon answers what waited in the socket"
    client.close()
    assert service.pid != before
    # A reader comes back at once, and is told that what it knows is over.
    back = V1Subscriber(service.socket, "feed", f"after={cursor}")
    assert back.hello["epoch"] != app.hello["epoch"] and back.read_event("gap")["from"] == 0
    # And over ordinary restarts the door stays open to whoever comes, however often.
    inode = service.socket.stat().st_ino
    with Asking(service.socket) as asking:
        for _ in range(3):
            service.systemctl("restart", "wskeepd")
    assert asking.refused == [] and asking.answered > 0
    assert service.socket.stat().st_ino == inode, "nobody has made the socket anew"


def test_a_wrong_configuration_behind_the_socket(service: Service) -> None:
    """Whoever comes starts the daemon in vain: systemd gives up in the end, and is told when it is mended."""
    service.systemctl("stop", "wskeepd")
    service.systemctl("enable", "--now", "wskeepd.socket")
    service.configure("connections: {}\n")
    with connect(service.socket) as waiting:
        wait_for(lambda: service.machine.property("wskeepd.socket", "ActiveState") == "failed", "systemd gives up", 120)
        assert service.machine.property("wskeepd", "ExecMainStatus") == "5"
        waiting.settimeout(DEADLINE)
        with contextlib.suppress(ConnectionResetError):
            assert waiting.recv(1) == b"", "who waited is not left waiting"
    assert f"{FILE}:1:14" in service.machine.property("wskeepd", "StatusText")
    service.configure()
    service.systemctl("reset-failed", "wskeepd.service", "wskeepd.socket")
    service.systemctl("start", "wskeepd.socket", "wskeepd.service")
    service.wait_ready()


def test_tail_goes_on_over_a_restart(service: Service) -> None:
    """What a person or a script sees, with the socket held by systemd."""
    service.systemctl("stop", "wskeepd")
    service.systemctl("enable", "--now", "wskeepd.socket")
    service.systemctl("start", "wskeepd")
    service.wait_ready()
    tail = service.machine.start_inside("runuser", "-u", "alice", "--", "wskeep", "tail", "feed", "--reconnect", "--events")
    tail.wait_for_output('"hello"')
    service.as_alice("wskeep", "send", "feed", "first")
    tail.wait_for_output("first")
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
    wait_for(lambda: tail.output.count('"hello"') == 2, "tail has come back")
    service.as_alice("wskeep", "send", "feed", "second")
    said = tail.wait_for_output("second")
    assert said.index("first") < said.index('"gap"') < said.index("second"), said


def test_the_watchdog_restarts_a_stuck_daemon(service: Service) -> None:
    service.override("WatchdogSec=1s")
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
    before, process = service.pid, service.pid_here
    runs = service.machine.property("wskeepd", "NRestarts")
    # It is fed while it works: several intervals pass without a word from systemd.
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(service.socket))
        idle.settimeout(3)
        with pytest.raises(TimeoutError):
            idle.recv(1)
    assert service.machine.property("wskeepd", "NRestarts") == runs and service.pid == before
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: service.pid not in (0, before), "systemd starts another", 60)
    service.wait_ready()
    wait_for(lambda: "'watchdog'" in service.machine.journal("wskeepd"), "systemd says why")


def test_the_watchdog_sees_one_loop_of_several_stuck(service: Service) -> None:
    service.override("WatchdogSec=1s")
    service.configure("threads: 3\n" + CONFIGURATION)
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
    before = service.pid
    loops = wait_for(lambda: found if len(found := event_loops(service.pid_here)) >= 3 else None, "three loops wait")
    assert loops is not None
    with frozen(loops[-1]):
        wait_for(lambda: service.pid not in (0, before), "systemd starts another", 60)
    service.wait_ready()


def test_credentials_are_read_and_renewed(service: Service) -> None:
    """A file that only root can read, which systemd hands over: at the start, and again at each reload."""
    secret = service.machine.path("/root/token")
    secret.write_text("quiet-old\n")
    secret.chmod(0o600)
    service.override("LoadCredential=token:/root/token")
    before = len(service.seen)
    service.configure(CONFIGURATION + '    authorization: {bearer: "${credential:token}"}\n')
    service.systemctl("restart", "wskeepd")
    assert service.wait_seen(before, opened="/feed")["authorization"] == "Bearer quiet-old"
    service.wait_ready()
    secret.write_text("quiet-new\n")
    service.systemctl("reload", "wskeepd")
    service.machine.run("wskeep", "reconnect", "feed", "--wait")
    assert service.wait_seen(before, opened="/feed", authorization="Bearer quiet-new")
    # Without it the daemon says what is missing, and where it comes from.
    service.override("Environment=NOTHING=1")
    assert service.systemctl("restart", "wskeepd", check=False).returncode != 0
    service.wait_journal("token", "LoadCredential")
    assert "quiet-" not in service.machine.journal("wskeepd")
