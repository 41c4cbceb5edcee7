"""The socket's file: whose it is, who may open it, and what becomes of it. And what comes through it that nobody wants: descriptors."""

from __future__ import annotations

import array
import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.daemon import Daemon, build_folder, program_environment, write_configuration
from support.local import connect, request
from support.metrics import samples_with
from support.session import Session, StartDaemon
from support.users import ALICE, acting_as, needs_root, open_to_all
from support.waiting import wait_for

NOWHERE = "ws://127.0.0.1:1/"


def _start_in_vain(folder: Path, path: Path) -> str:
    """What a daemon says that must not listen at that path."""
    file = write_configuration(folder / "vain.yaml", {"ipc": {"socket": str(path)}, "connections": {"feed": {"url": NOWHERE}}})
    done = subprocess.run([build_folder() / "wskeepd", "--config", file], capture_output=True, text=True, timeout=DEADLINE,
                          env=program_environment(), check=False)
    assert done.returncode == 1, done
    return done.stdout + done.stderr


def _file_of(daemon: Daemon) -> dict[str, object]:
    return daemon.get("/v1/status").json["local"]["sockets"][0]  # type: ignore[no-any-return]


def test_a_stale_file_is_taken_over_and_a_living_daemon_s_is_not(folder: Path, start_daemon: StartDaemon) -> None:
    path = folder / "wskeep.sock"
    first = start_daemon({"feed": NOWHERE}, ipc={"socket": str(path)})
    assert "another wskeepd listens" in _start_in_vain(folder, path)
    assert first.get("/healthz").status == 200
    first.expected_exit = -signal.SIGKILL
    first.process.kill()
    first.wait()
    assert path.is_socket()
    second = start_daemon({"feed": NOWHERE}, ipc={"socket": str(path)})
    assert second.get("/healthz").status == 200
    # Not even where the lock file is gone is a file taken from somebody who answers.
    Path(f"{path}.lock").unlink()
    assert "somebody listens" in _start_in_vain(folder, path)
    assert second.get("/healthz").status == 200


def test_what_is_no_socket_stays_as_it_is(folder: Path) -> None:
    for name in ("folder", "file", "link"):
        path = folder / name
        if name == "folder":
            path.mkdir()
        elif name == "file":
            path.write_text("precious")
        else:
            path.symlink_to(folder / "file")
        assert "exists and is not a socket: remove it, or choose another path" in _start_in_vain(folder, path)
    assert (folder / "folder").is_dir() and (folder / "file").read_text() == "precious"


def test_a_removed_file_is_made_anew(session: Session) -> None:
    daemon = session.daemon
    subscriber = daemon.subscribe_v1("feed")
    kept = connect(daemon.socket)
    daemon.socket.unlink()
    wait_for(lambda: daemon.socket.is_socket() and daemon.socket.stat().st_mode & 0o777 == 0o660)
    assert wait_for(lambda: daemon._answers())
    wait_for(lambda: daemon.log_has("socket_renewed", str(daemon.socket)))
    assert (_file_of(daemon)["file"], _file_of(daemon)["renewed"]) == ("ours", 1)
    renewed = samples_with(daemon.metrics(), socket=str(daemon.socket))
    assert {sample.name: sample.value for sample in renewed} == {"wskeep_socket_file_present": 1,
                                                                 "wskeep_socket_file_renewed_total": 1}
    # Those who had come before do not notice.
    session.peer.send(frames.text("still here"))
    assert subscriber.next_message().payload == b"still here"
    kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert kept.recv(1024).startswith(b"HTTP/1.1 200")
    kept.close()
    subscriber.close()


def test_a_replaced_file_is_reported_and_left_alone(folder: Path, start_daemon: StartDaemon) -> None:
    spare = folder / "spare.sock"
    daemon = start_daemon({"feed": NOWHERE}, ipc={"sockets": [{"path": str(spare)}]})
    main = daemon.socket
    other = folder / "other"
    other.write_text("somebody else's")
    other.rename(main)
    wait_for(lambda: daemon.log_has("socket_replaced", str(main)))
    assert request(spare, "GET", "/v1/status").json["local"]["sockets"][0]["file"] == "replaced"
    assert b'wskeep_socket_file_present{socket="%s"} 0' % str(main).encode() in request(spare, "GET", "/metrics").body
    assert main.read_text() == "somebody else's"
    main.unlink()
    wait_for(lambda: main.is_socket())
    assert wait_for(lambda: daemon._answers())
    other.write_text("again")
    other.rename(main)
    daemon.terminate()
    daemon.wait()
    assert main.read_text() == "again" and not spare.exists()


@needs_root
def test_nobody_connects_before_mode_and_group_are_set(folder: Path, start_daemon: StartDaemon) -> None:
    """Another user tries all the while, as fast as it can."""
    open_to_all(folder)
    path = folder / "wskeep.sock"
    intruders = subprocess.Popen(["/usr/bin/python3", "-c", INTRUDE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 user=ALICE, group=ALICE, extra_groups=[], text=True)
    try:
        for _ in range(5):
            daemon = start_daemon({"feed": NOWHERE}, ipc={"socket": str(path), "mode": "0600"})
            daemon.terminate()
            daemon.wait()
        said, _ = intruders.communicate("\n", timeout=DEADLINE)
    finally:
        intruders.kill()
    outcomes = dict(line.split() for line in said.splitlines())
    assert "connected" not in outcomes and int(outcomes["refused"]) > 0, outcomes


# Tries until its standard input says something.
INTRUDE = """
import collections, select, socket, sys
seen = collections.Counter()
while not select.select([sys.stdin], [], [], 0)[0]:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(sys.argv[1])
        seen["connected"] += 1
    except PermissionError:
        seen["refused"] += 1
    except OSError:
        seen["absent"] += 1
    sock.close()
for name, count in seen.items():
    print(name, count)
"""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def _send_with_descriptor(sock: socket.socket, data: bytes, descriptor: int) -> None:
    passed = array.array("i", [descriptor] * 16)
    sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)])


def _is_at_end(reading: int) -> bool:
    readable, _, _ = select.select([reading], [], [], 0)
    return bool(readable) and os.read(reading, 1) == b""


def test_descriptors_that_are_passed_are_dropped(session: Session, pipe: tuple[int, int]) -> None:
    """While anybody has the writing end, the pipe does not end."""
    daemon = session.daemon
    reading, writing = pipe
    request_socket = connect(daemon.socket)
    subscriber = daemon.subscribe_v1("feed")
    _send_with_descriptor(request_socket, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", writing)
    assert request_socket.recv(1024).startswith(b"HTTP/1.1 200")
    _send_with_descriptor(subscriber.socket, frames.text("1\nup", masked=True), writing)
    assert subscriber.read_event("sent")["id"] == "1"
    os.close(writing)
    wait_for(lambda: _is_at_end(reading), "nobody has what was passed")
    # And who passed them is served on.
    request_socket.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert request_socket.recv(1024).startswith(b"HTTP/1.1 200")
    request_socket.close()
    subscriber.close()


def test_several_sockets_are_handed_over(folder: Path) -> None:
    paths = [folder / name for name in ("first.sock", "second.sock", "own.sock")]
    held = []
    for path in paths[:2]:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen(16)
        held.append(listening)
    file = write_configuration(folder / "wskeep.yaml", {
        "ipc": {"socket": str(paths[0]), "sockets": [{"path": str(paths[2])},
                                                     {"path": str(paths[1]), "access": {"control": []}}]},
        "connections": {"feed": {"url": NOWHERE}}})
    # In another order than they are configured: each goes by its path.
    command = (f"export LISTEN_PID=$$ LISTEN_FDS=2; exec '{build_folder()}/wskeepd' --config '{file}' "
               f"3<&{held[1].fileno()} 4<&{held[0].fileno()}")
    daemon = subprocess.Popen(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              pass_fds=[listening.fileno() for listening in held], env=program_environment(), text=True)
    try:
        wait_for(lambda: paths[2].is_socket())
        for path in paths:
            wait_for(lambda path=path: request(path, "GET", "/healthz").status == 200)
        assert request(paths[0], "POST", "/v1/reload").status == 200
        assert request(paths[1], "POST", "/v1/reload").status == 403
        handed = [entry["handed_over"] for entry in request(paths[0], "GET", "/v1/status").json["local"]["sockets"]]
        assert handed == [True, False, True]
    finally:
        daemon.send_signal(signal.SIGTERM)
        said, _ = daemon.communicate(timeout=DEADLINE)
        for listening in held:
            listening.close()
    assert daemon.returncode == 0, said
    assert paths[0].is_socket() and paths[1].is_socket() and not paths[2].exists()


@needs_root
def test_who_may_open_it(folder: Path, start_daemon: StartDaemon) -> None:
    open_to_all(folder)
    daemon = start_daemon({"feed": NOWHERE}, ipc={"mode": "0660"})
    with acting_as(ALICE), pytest.raises(PermissionError):
        connect(daemon.socket)
    with acting_as(ALICE, groups=[os.getegid()]):
        connect(daemon.socket).close()
