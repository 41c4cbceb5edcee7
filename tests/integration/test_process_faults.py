"""The process in want: of descriptors, of memory, of room on the disk; and with a thread that is stuck."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.daemon import Daemon, build_folder, sanitized, write_configuration
from support.frames import text
from support.local import Response, request
from support.metrics import samples_with
from support.scripted_server import Peer
from support.session import Session, StartDaemon, StartServer
from support.steady import Steady
from support.users import needs_root
from support.waiting import wait_for

MIB = 1 << 20
without_sanitizer = pytest.mark.skipif(sanitized(), reason="a sanitizer wants terabytes of address space")


def _reload(daemon: Daemon, change: Callable[[dict[str, Any]], None]) -> Response:
    settings = json.loads(daemon.file.read_text())
    change(settings)
    write_configuration(daemon.file, settings)
    return request(daemon.socket, "POST", "/v1/reload")


def _descriptors(daemon: Daemon) -> int:
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


# Out of descriptors. What local apps have left to them: test_local_limits.py.


@contextlib.contextmanager
def _no_descriptor_left(daemon: Daemon) -> Iterator[None]:
    """What is open stays open."""
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, before)


def test_without_descriptors_a_connection_waits_and_comes_back(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, other = start_server(), start_server()
    daemon = start_daemon({"feed": {"url": f"wss://127.0.0.1:{server.port}/"}, "other": other})
    well = other.accept_and_upgrade()
    daemon.wait_state("other", "ready")
    app = daemon.subscribe("other")
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    with _no_descriptor_left(daemon):
        peer.reset()
        wait_for(lambda: daemon.log_has("feed", "out_of_resources", "Too many open files"), "the log says what is wanting")
        before = daemon.processor_seconds()
        for number in range(20):
            well.send(text(str(number)))
            assert app.read_message().payload == str(number).encode()
        time.sleep(0.5)
        assert daemon.processor_seconds() - before < 3, "it does not spin"
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    ended = [sample for sample in samples_with(daemon.metrics(), connection="feed", reason="out_of_resources")]
    assert ended and ended[0].value >= 1
    assert daemon.connection("other")["sessions"] == 1


def test_a_command_without_descriptors(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": f"wss://127.0.0.1:{server.port}/", "session": {
        "prepare": [{"command": ["/bin/echo", "token"], "set": {"token": "${answer}"}}]}}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    with _no_descriptor_left(daemon):
        peer.reset()
        wait_for(lambda: daemon.log_has("feed", "prepare_failed", "no pipe for a program"), "the log says what is wanting")
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


def test_a_reload_without_descriptors(session: Session) -> None:
    daemon = session.daemon
    app = daemon.subscribe("feed")
    settings = json.loads(daemon.file.read_text())
    before = _descriptors(daemon)
    settings["connections"]["new"] = {"url": "wss://127.0.0.1:1/"}
    write_configuration(daemon.file, settings)
    with _no_descriptor_left(daemon):
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.log_has("reload_failed"), "it is refused")
    session.peer.send(text("untouched"))
    assert app.read_message().payload == b"untouched"
    assert daemon.get("/v1/connections/new").status == 404
    answer = request(daemon.socket, "POST", "/v1/reload")
    assert answer.json["added"] == ["new"]
    assert daemon.connection("feed")["sessions"] == 1
    settings["connections"].pop("new")
    write_configuration(daemon.file, settings)
    assert request(daemon.socket, "POST", "/v1/reload").status == 200
    wait_for(lambda: _descriptors(daemon) <= before, "none is left behind")


# Out of memory.


def _address_space(daemon: Daemon) -> int:
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[0]) * resource.getpagesize()


@contextlib.contextmanager
def _memory_left(daemon: Daemon, size: int) -> Iterator[None]:
    before = resource.prlimit(daemon.process.pid, resource.RLIMIT_AS)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (_address_space(daemon) + size, before[1]))
    try:
        yield
    finally:
        if daemon.process.poll() is None:
            resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, before)


@without_sanitizer
def test_no_memory_for_a_ring_at_the_start(folder: Path) -> None:
    file = write_configuration(folder / "wskeep.yaml", {"ipc": {"socket": str(folder / "wskeep.sock")}, "connections": {
        "small": {"url": "wss://127.0.0.1:1/"}, "large": {"url": "wss://127.0.0.1:1/", "history": "1GiB"}}})
    done = subprocess.run(["bash", "-c", f"ulimit -v {800 * 1024}; exec '{build_folder()}/wskeepd' --config '{file}'"], capture_output=True,
                          text=True, timeout=DEADLINE)
    assert done.returncode == 1, done
    assert "error" in done.stderr and "large" in done.stderr and "history" in done.stderr, done.stderr
    assert not (folder / "wskeep.sock").exists()


@without_sanitizer
@pytest.mark.parametrize("what", ["added", "changed"])
def test_no_memory_for_a_ring_at_a_reload(what: str, session: Session) -> None:
    daemon = session.daemon
    app = daemon.subscribe_v1("feed")

    def change(settings: dict[str, Any]) -> None:
        if what == "added":
            settings["connections"]["new"] = {"url": "wss://127.0.0.1:1/", "history": "1GiB"}
        else:
            settings["connections"]["feed"]["history"] = "1GiB"
        settings["connections"]["another"] = {"url": "wss://127.0.0.1:1/"}

    descriptors = _descriptors(daemon)
    with _memory_left(daemon, 400 * MIB):
        answer = _reload(daemon, change)
        assert (answer.status, answer.json["error"]) == (503, "out_of_resources"), answer
        assert "nothing was changed" in answer.json["message"] and ("new" if what == "added" else "feed") in answer.json["message"]
        wait_for(lambda: daemon.log_has("reload_failed", "no memory"), "the log says so")
        session.peer.send(text("untouched"))
        assert app.next_message().payload == b"untouched"
        assert daemon.connection("feed")["sessions"] == 1
        assert daemon.get("/v1/connections/another").status == 404
        wait_for(lambda: _descriptors(daemon) <= descriptors + 1, "what was made for it is gone")
    assert request(daemon.socket, "POST", "/v1/reload").status == 200


@without_sanitizer
@pytest.mark.parametrize("format", ["text", "json"])
@pytest.mark.parametrize("threads", [1, 3])
def test_no_memory_at_all_ends_it_with_a_word(threads: int, format: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    """Rather than to go on with half of something; the service manager starts it anew."""
    names = [f"feed{number}" for number in range(threads)]
    servers = {name: start_server() for name in names}
    daemon = start_daemon({name: {"url": servers[name].url, "max_message": "256MiB", "send_buffer": "256MiB"} for name in names},
                          threads=threads, log={"format": format}, ipc={"limits": {"in_flight": "4GiB"}})
    for name in names:
        servers[name].accept_and_upgrade()
        daemon.wait_state(name, "ready")
    daemon.expected_exit = 71
    resource.prlimit(daemon.process.pid, resource.RLIMIT_AS, (_address_space(daemon) + 8 * MIB,) * 2)
    apps = [daemon.subscribe(names[-1]) for _ in range(4)]
    ended = threading.Event()

    def publish(app: Any) -> None:
        """Most of a message of 100 MB, which the daemon has to keep."""
        with contextlib.suppress(OSError):
            app.send(bytes([0x82, 0x80 | 127]) + (100 * MIB).to_bytes(8, "big") + bytes(4))
            while not ended.is_set():
                app.send(bytes(MIB // 4))

    publishers = [threading.Thread(target=publish, args=(app,)) for app in apps]
    for publisher in publishers:
        publisher.start()
    try:
        assert daemon.wait() == 71, daemon.log[-2000:]
    finally:
        ended.set()
        for publisher in publishers:
            publisher.join()
    last = [line for line in daemon.log.splitlines() if "out_of_memory" in line][-1]
    if format == "json":
        told = json.loads(last)
        assert (told["level"], told["event"]) == ("error", "out_of_memory") and "MemoryMax" in told["message"]
    else:
        assert "error" in last and "MemoryMax" in last
    for app in apps:
        app.close()


# The disk.


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    path = folder / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", path], capture_output=True, text=True)
    if made.returncode != 0:
        pytest.skip(f"cannot mount: {made.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def _failures(daemon: Daemon) -> float:
    return daemon.metrics()["wskeep_state_write_failures_total"].samples[0].value


def _budget_used(state: Path) -> int:
    return len(json.loads((state / "connects.json").read_text())["connections"]["feed"]["times"])


@needs_root
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_disk_that_takes_nothing(how: str, small_disk: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    """What cannot be kept is told and counted; when the disk takes it again it is written."""
    state = small_disk / "state"
    server, other = start_server(), start_server()
    daemon = start_daemon({"feed": {"url": f"wss://127.0.0.1:{server.port}/", "reconnect": {"initial": "1ms", "max": "5ms", "budget": "50/1h"}},
                           "steady": other}, state_directory=str(state))
    steady = Steady(daemon, other.accept_and_upgrade())
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: (state / "connects.json").exists() and _budget_used(state) == 1, "it is kept")
    filler = small_disk / "filler"
    if how == "full":
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    else:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    peer.reset()
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: daemon.log_has("state_not_written", "connects.json"), "the log says so")
    wait_for(lambda: _failures(daemon) >= 2, "it is tried again, and counted")
    assert daemon.log.count("state_not_written") == 1
    steady.check()
    if how == "full":
        filler.unlink()
    else:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    wait_for(lambda: _budget_used(state) == 2, "it is written at last")


@needs_root
def test_a_state_directory_that_is_read_only_from_the_start(small_disk: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    server = start_server()
    daemon = start_daemon({"feed": server}, state_directory=str(small_disk))
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    wait_for(lambda: daemon.log_has("state_not_kept", "state_directory"), "it says what to do")


# A loop that is stuck.

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17
_ALL_KINDS = 0x40000000  # __WALL


class StuckThread:
    """Stops one thread of a process, as a debugger does, until `release`. In a thread of its own, which the kernel wants for that."""

    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._stopped = threading.Event()
        self._over = threading.Event()
        self.problem = ""
        self._tracer = threading.Thread(target=self._run)
        self._tracer.start()
        assert self._stopped.wait(DEADLINE)

    def _run(self) -> None:
        if _libc.ptrace(_SEIZE, self._thread, None, None) != 0:
            self.problem = os.strerror(ctypes.get_errno())
            self._stopped.set()
            return
        _libc.ptrace(_INTERRUPT, self._thread, None, None)
        os.waitpid(self._thread, _ALL_KINDS)
        self._stopped.set()
        self._over.wait()
        _libc.ptrace(_DETACH, self._thread, None, None)

    def release(self) -> None:
        self._over.set()
        self._tracer.join()


class Notices:
    """The end of the notify socket that a service manager has."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))

    def wait_for_sign(self, timeout: float = DEADLINE) -> None:
        deadline = time.monotonic() + timeout
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            if b"WATCHDOG=1" in self.socket.recv(4096):
                return

    def drop_what_came(self) -> None:
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.socket.recv(4096):
                pass

    def signs_within(self, seconds: float) -> int:
        signs, end = 0, time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while True:
                self.wait_for_sign(end - time.monotonic())
                signs += 1
        return signs


def _loops(daemon: Daemon) -> list[int]:
    """The threads that wait in epoll(7), the daemon's first one first."""
    tasks = Path(f"/proc/{daemon.process.pid}/task")
    others = [int(task.name) for task in tasks.iterdir() if int(task.name) != daemon.process.pid and "poll" in (task / "wchan").read_text()]
    return [daemon.process.pid, *others]


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_loop_that_is_stuck_has_no_sign_of_life(which: str, folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
    """One thread of four is enough, be the others well; the manager then ends the daemon and starts it anew: test_systemd.py."""
    notices = Notices(folder / "notify")
    servers = [start_server() for _ in range(4)]
    daemon = start_daemon({f"feed{number}": server for number, server in enumerate(servers)}, threads=4, core_dumps=True,
                          environment={"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "300000"})
    peers: list[Peer] = [server.accept_and_upgrade() for server in servers]
    for number in range(4):
        daemon.wait_state(f"feed{number}", "ready")
    loops = [daemon.process.pid]
    with contextlib.suppress(AssertionError):
        loops = wait_for(lambda: _loops(daemon) if len(_loops(daemon)) == 4 else None, "all four wait", 5)
    stuck = StuckThread(loops[0 if which == "first" else -1])
    if stuck.problem or len(loops) != 4:
        stuck.release()
        notices.socket.close()
        pytest.skip(f"cannot stop a thread: {stuck.problem or 'the kernel does not say where they wait'}")
    try:
        # The loops may have answered when they were asked last: then there is one sign more, where there would be twenty.
        notices.drop_what_came()
        assert notices.signs_within(2.0) <= 1
        for peer in peers:
            peer.send(frames.frame(frames.Opcode.PING, b"there?"))
        silent = list(peers)

        def others_answer() -> bool:
            for peer in list(silent):
                with contextlib.suppress(TimeoutError):
                    peer.read_until(frames.Opcode.PONG, timeout=0.05)
                    silent.remove(peer)
            return len(silent) == 1

        wait_for(others_answer, "the other loops go on")
    finally:
        stuck.release()
    notices.wait_for_sign()
    notices.socket.close()
