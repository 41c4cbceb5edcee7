"""What a service manager sees and gives: readiness, status, signs of life, a socket handed over (sd_notify(3), sd_listen_fds(3))."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.daemon import build_folder, program_environment, write_configuration
from support.frames import text
from support.local import V1Subscriber, connect, request
from support.session import StartDaemon, StartServer
from support.waiting import wait_for


class Manager:
    """The end that systemd would have."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))

    def wait_for(self, *words: str) -> str:
        """The next message that has all these words; those before it are dropped."""
        deadline = time.monotonic() + DEADLINE
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            message = self._socket.recv(4096).decode()
            if all(word in message for word in words):
                return message

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(folder: Path) -> Iterator[Manager]:
    made = Manager(folder)
    yield made
    made.close()


def test_it_tells_when_it_is_ready_how_it_is_and_that_it_stops(manager: Manager, start_daemon: StartDaemon,
                                                               start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server, "other": "wss://127.0.0.1:1/"}, environment={"NOTIFY_SOCKET": str(manager.path)})
    assert str(daemon.socket) in manager.wait_for("READY=1", "STATUS=")
    server.accept_and_upgrade()
    manager.wait_for("STATUS=1 of 2 connections ready")
    daemon.terminate()
    manager.wait_for("STOPPING=1")


def test_it_tells_of_a_reload(manager: Manager, start_daemon: StartDaemon, start_server: StartServer) -> None:
    daemon = start_daemon({"feed": start_server()}, environment={"NOTIFY_SOCKET": str(manager.path)})
    manager.wait_for("READY=1")
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    daemon.process.send_signal(signal.SIGHUP)
    message = manager.wait_for("RELOADING=1", "MONOTONIC_USEC=")
    told = int(message.split("MONOTONIC_USEC=")[1].split()[0])
    assert before <= told <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.wait_for("READY=1", "STATUS=configuration reloaded")
    daemon.file.write_text("connections: {}\n")
    daemon.process.send_signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    broken = manager.wait_for("READY=1", "STATUS=not reloaded", "1 problem")
    assert f"{daemon.file}:1:14" in broken
    manager.wait_for("STATUS=0 of 1 connections ready", "not reloaded", f"{daemon.file}:1:14")


@pytest.mark.parametrize("threads", [1, 3])
def test_it_gives_signs_of_life_while_its_loops_turn(threads: int, manager: Manager, start_daemon: StartDaemon,
                                                     start_server: StartServer) -> None:
    daemon = start_daemon({"feed": start_server()}, threads=threads,
                          environment={"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"})
    for _ in range(5):
        manager.wait_for("WATCHDOG=1")
    os.kill(daemon.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):  # what was sent before comes yet, and then nothing
            deadline = time.monotonic() + 1
            while time.monotonic() < deadline:
                manager._socket.settimeout(0.5)
                manager._socket.recv(4096)
    finally:
        os.kill(daemon.process.pid, signal.SIGCONT)
    manager.wait_for("WATCHDOG=1")


class HandedOver:
    """A daemon whose socket somebody else holds."""

    def __init__(self, folder: Path, listener: socket.socket, configured: Path, url: str = "ws://127.0.0.1:1/") -> None:
        file = write_configuration(folder / "wskeep.yaml", {
            "ipc": {"socket": str(configured)}, "shutdown": "2s", "connections": {"feed": {
                "url": url, "reconnect": {"initial": "10ms", "max": "50ms"}, "timeouts": {"close": "500ms"}}}})
        # bash, for descriptors of two digits. Its process becomes the daemon's, so that LISTEN_PID is right.
        command = f"export LISTEN_PID=$$ LISTEN_FDS=1; exec '{build_folder()}/wskeepd' --config '{file}' 3<&{listener.fileno()}"
        self.process = subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, pass_fds=[listener.fileno()], env=program_environment(),
                                        text=True)

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=DEADLINE)
        return said


@pytest.fixture
def listener(folder: Path) -> Iterator[socket.socket]:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / "held.sock"))
    listening.listen(16)
    yield listening
    listening.close()


def test_a_socket_that_was_handed_over_outlives_the_daemon(folder: Path, listener: socket.socket) -> None:
    path = folder / "held.sock"
    first = HandedOver(folder, listener, path)
    assert wait_for(lambda: request(path, "GET", "/healthz").status == 200)
    first.stop()
    assert first.process.returncode == 0 and path.is_socket()
    # Whoever comes meanwhile waits at an open door.
    early = connect(path)
    early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    second = HandedOver(folder, listener, path)
    assert early.recv(1024).startswith(b"HTTP/1.1 200")
    early.close()
    second.stop()
    assert second.process.returncode == 0 and path.is_socket()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_who_comes_back_by_cursor_after_a_restart_is_told_the_gap(end: signal.Signals, folder: Path, listener: socket.socket,
                                                                  start_server: StartServer) -> None:
    """An app meets an open door at any time; what was received by nobody, or by a daemon that is gone, is told as a gap."""
    path = folder / "held.sock"
    server = start_server(None)
    first = HandedOver(folder, listener, path, server.url)
    peer = server.accept_and_upgrade()
    app = V1Subscriber(path, "feed")
    peer.send(text("before"))
    seen = app.next_message()
    first.process.send_signal(end)
    if end == signal.SIGTERM:
        assert app.read_close().close_code == 1001
        peer.read_close()
        peer.send(frames.close(1001))
    assert app.wait_for_end() == b""
    app.close()
    peer.close()
    first.process.communicate(timeout=DEADLINE)
    assert first.process.returncode == (0 if end == signal.SIGTERM else -end)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        # The answer comes when there is a daemon again.
        coming = thread.submit(V1Subscriber, path, "feed", f"after={app.hello['epoch']}:{seen.sequence}")
        second = HandedOver(folder, listener, path, server.url)
        back = coming.result(DEADLINE)
    assert back.hello["epoch"] != app.hello["epoch"]
    gap = back.read_event("gap")
    assert gap["from"] == 0, "nobody knows how much"
    peer = server.accept_and_upgrade()
    peer.send(text("behind"))
    assert back.next_message().payload == b"behind"
    back.close()
    peer.close()
    second.stop()
    assert second.process.returncode == 0


def test_a_socket_elsewhere_than_configured_is_refused(folder: Path, listener: socket.socket) -> None:
    daemon = HandedOver(folder, listener, folder / "other.sock")
    said, _ = daemon.process.communicate(timeout=DEADLINE)
    assert daemon.process.returncode != 0
    assert "other.sock" in said and "held.sock" in said and "ListenStream" in said


def test_what_is_no_listening_socket_is_refused(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        daemon = HandedOver(folder, silent, folder / "held.sock")
        said, _ = daemon.process.communicate(timeout=DEADLINE)
    assert daemon.process.returncode != 0 and "wskeepd.socket" in said
