"""Who may read, send and control; and that a name one has no right to is like none."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.byte_stream import DEADLINE
from support.daemon import Daemon, build_folder, program_environment, run_program, write_configuration
from support.frames import Opcode
from support.local import Refused, Response, connect, request
from support.processes import free_port
from support.scripted_server import Peer, ScriptedServer
from support.session import StartDaemon, StartServer
from support.streams import Lines
from support.users import ALICE, BOB, CAROL, NOBODY, READERS, WRITERS, User, acting_as, needs_root, open_to_all
from support.waiting import wait_for

pytestmark = needs_root

REQUESTS = [("GET", ""), ("HEAD", ""), ("PUT", ""), ("GET", "/attempts"), ("GET", "/messages"), ("GET", "/messages?from=oldest"),
            ("GET", "/messages?nonsense=1"), ("POST", "/messages"), ("DELETE", "/messages"), ("POST", "/reconnect"),
            ("GET", "/reconnect"), ("POST", "/pause"), ("POST", "/resume"), ("GET", "/nonsense")]


class World:
    """A daemon that all users can reach, with connections `feed` (open) and `secret` (as a test says)."""

    def __init__(self, daemon: Daemon, servers: list[ScriptedServer], feed: Peer, secret: Peer) -> None:
        self.daemon, self.servers, self.feed, self.secret = daemon, servers, feed, secret

    def user(self, uid: int, gid: int | None = None, groups: tuple[int, ...] = ()) -> User:
        return User(self.daemon.socket, uid, gid, groups)

    def reload(self, change: Callable[[dict[str, Any]], None]) -> Response:
        settings = json.loads(self.daemon.file.read_text())
        change(settings)
        write_configuration(self.daemon.file, settings)
        return request(self.daemon.socket, "POST", "/v1/reload")

    def set_access(self, **access: list[str]) -> None:
        answer = self.reload(lambda settings: settings["connections"]["secret"].update(access=access))
        assert answer.status == 200, answer


StartWorld = Callable[..., World]


@pytest.fixture
def start_world(folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> StartWorld:
    def start(access: dict[str, list[str]], ipc: dict[str, Any] | None = None, **settings: Any) -> World:
        open_to_all(folder)
        servers: list[ScriptedServer] = [start_server(), start_server()]
        daemon = start_daemon({"feed": servers[0], "secret": {"url": servers[1].url, "access": access}},
                              ipc={"mode": "0666"} | (ipc or {}), **settings)
        peers = [server.accept_and_upgrade() for server in servers]
        for name in ("feed", "secret"):  # whoever asks here may have no right to ask
            wait_for(lambda name=name: daemon.log_has(f" {name} connected "), "ready")
        return World(daemon, servers, *peers)

    return start


def _what_is_said(response: Response) -> tuple[int, dict[str, str], bytes]:
    return response.status, {name: value for name, value in response.headers.items() if name != "date"}, response.body


def _closed_with(subscriber: Any) -> tuple[int, str]:
    close = subscriber.read_until(Opcode.CLOSE)
    return int.from_bytes(close.payload[:2], "big"), close.payload[2:].decode()


def test_by_default_whoever_may_connect_reads_and_sends(start_world: StartWorld) -> None:
    world = start_world({})
    alice = world.user(ALICE)
    subscriber = alice.subscribe_v1("feed")
    world.feed.send(frames.text("hello"))
    assert subscriber.next_message().payload == b"hello"
    subscriber.publish("1", "up")
    assert subscriber.read_event("sent")["id"] == "1"
    assert alice.post("feed", b"posted").json == {"outcome": "written"}
    assert [world.feed.read_until(Opcode.TEXT).payload for _ in range(2)] == [b"up", b"posted"]
    for what in ("reconnect", "pause", "resume"):
        refused = alice.request("POST", f"/v1/connections/feed/{what}")
        assert refused.status == 403 and refused.json["error"] == "not_allowed"
    assert alice.request("POST", "/v1/reload").status == 403
    assert world.daemon.control("feed", "resume").status == 202
    assert request(world.daemon.socket, "POST", "/v1/reload").status == 200
    subscriber.close()


def test_to_read_is_not_to_send(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}"], "publish": []})
    alice = world.user(ALICE)
    subscriber = alice.subscribe_v1("secret")
    subscriber.publish("7", "up")
    failed = subscriber.read_event("failed")
    assert (failed["id"], failed["error"]) == ("7", "not_allowed")
    world.secret.send(frames.text("down"))
    assert subscriber.next_message().payload == b"down"  # and it goes on
    plain = alice.subscribe("secret")
    plain.send_text("up")
    assert _closed_with(plain) == (1008, "you may not publish to this connection")
    posted = alice.post("secret", b"up")
    assert posted.status == 403
    assert (posted.json["outcome"], posted.json["error"]) == ("rejected", "not_allowed")
    world.set_access(subscribe=[f"uid:{ALICE}"], publish=[f"uid:{ALICE}"])
    subscriber.publish("8", "now")
    assert subscriber.read_event("sent")["id"] == "8"
    assert world.secret.read_until(Opcode.TEXT).payload == b"now"  # and nothing of what was refused
    subscriber.close()
    plain.close()


def test_to_send_or_to_control_is_not_to_read(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [], "publish": [f"uid:{ALICE}"], "control": [f"gid:{WRITERS}"]})
    alice, bob = world.user(ALICE), world.user(BOB, groups=(WRITERS,))
    for user in (alice, bob):
        assert user.get("/v1/connections/secret").status == 200
        assert user.get("/v1/connections/secret/messages").status == 403
        with pytest.raises(Refused) as refused:
            user.subscribe("secret")
        assert refused.value.status == 403
    assert alice.post("secret", b"up").json == {"outcome": "written"}
    assert bob.post("secret", b"up").status == 403
    assert alice.request("POST", "/v1/connections/secret/resume").status == 403
    assert bob.request("POST", "/v1/connections/secret/resume").status == 202
    assert bob.request("POST", "/v1/reload").status == 403  # that is the daemon's own


@pytest.mark.parametrize("uid, gid, groups, allowed", [
    (ALICE, None, (), True),  # by uid
    (BOB, READERS, (), True),  # by its own group
    (BOB, None, (1, READERS, 62_000), True),  # by another
    (BOB, None, tuple(range(70_000, 70_200)) + (READERS,), True),  # by one of many
    (BOB, None, (WRITERS,), False),
    (READERS, None, (), False),  # a user of the same number
    (0, None, (), False),  # what root may is said like everybody's
    (NOBODY, NOBODY, (NOBODY,), False),
])
def test_users_and_groups(start_world: StartWorld, uid: int, gid: int | None, groups: tuple[int, ...], allowed: bool) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}", f"gid:{READERS}"], "publish": []})
    user = world.user(uid, CAROL if uid == READERS else gid, groups)
    assert (user.get("/v1/connections/secret/messages").status == 200) == allowed


def test_a_denied_name_is_like_an_unknown_one(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}"], "publish": [f"uid:{ALICE}"]})
    bob = world.user(BOB)
    for method, rest in REQUESTS:
        said = [_what_is_said(bob.request(method, f"/v1/connections/{name}{rest}", b"x" if method == "POST" else None))
                for name in ("secret", "absent")]
        assert said[0] == said[1], (method, rest)
        assert said[0][0] == 404 or method in ("PUT", "DELETE"), (method, rest, said[0])
    for user, names in ((bob, ["feed"]), (world.user(ALICE), ["feed", "secret"])):
        assert [entry["name"] for entry in user.get("/v1/connections").json["connections"]] == names
        status = user.get("/v1/status").json
        assert status["connections"] == len(names) and status["states"]["ready"] == len(names)
        assert (b'"secret"' in user.get("/metrics").body) == ("secret" in names)
    world.daemon.control("secret", "pause")
    world.daemon.wait_state("secret", "paused")
    assert bob.get("/readyz").body == b"ready\n"
    assert world.user(ALICE).get("/readyz").body == b"secret\n"
    # Of itself it knows, of other users it does not.
    assert [user["uid"] for user in bob.get("/v1/status").json["local"]["users"]] == [BOB]


def test_a_right_that_is_taken_away_ends_what_goes_on(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}", f"uid:{BOB}"], "publish": [f"uid:{ALICE}"]}, threads=2)
    alice, bob = world.user(ALICE), world.user(BOB)
    plain, v1, other = alice.subscribe("secret"), alice.subscribe_v1("secret"), bob.subscribe_v1("secret")
    elsewhere = alice.subscribe_v1("feed")
    world.set_access(subscribe=[f"uid:{BOB}"], publish=[f"uid:{BOB}"])
    for subscriber in (plain, v1):
        assert _closed_with(subscriber) == (1008, "the right to subscribe was taken away")
        subscriber.close()
    with pytest.raises(Refused) as refused:
        alice.subscribe("secret")
    assert refused.value.status == 404
    world.secret.send(frames.text("to bob"))
    world.feed.send(frames.text("to alice"))
    assert other.next_message().payload == b"to bob"
    assert elsewhere.next_message().payload == b"to alice"
    other.publish("1", "granted meanwhile")
    assert other.read_event("sent")["id"] == "1"
    # The rights for all are no other matter.
    assert world.reload(lambda settings: settings["ipc"].update(access={"subscribe": [f"uid:{BOB}"]})).status == 200
    assert _closed_with(elsewhere) == (1008, "the right to subscribe was taken away")
    for subscriber in (other, elsewhere):
        subscriber.close()


def test_streams_of_all_connections_have_those_that_may_be_seen(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}"], "publish": []}, threads=2)
    streams = {}
    for uid in (ALICE, BOB):
        with acting_as(uid):
            streams[uid] = [Lines(world.daemon.socket, f"{path}?follow=true") for path in ("/v1/connections/*/messages", "/v1/events")]
    messages, events = streams[ALICE]
    assert {messages.read()["connection"] for _ in range(2)} == {"feed", "secret"}
    assert streams[BOB][0].read()["connection"] == "feed"
    world.secret.send(frames.text("for alice"))
    world.feed.send(frames.text("for both"))
    assert {messages.read()["data"] for _ in range(2)} == {"for alice", "for both"}
    assert streams[BOB][0].read()["data"] == "for both"
    world.daemon.control("secret", "pause")
    assert events.read_event("disconnected")["connection"] == "secret"
    world.daemon.control("feed", "pause")
    assert streams[BOB][1].read_event("disconnected")["connection"] == "feed"  # and nothing before it of the other
    # A right that is taken away takes the connection out of the stream, and the stream goes on.
    world.set_access(subscribe=[f"uid:{CAROL}"], publish=[])
    assert messages.read_event("removed")["connection"] == "secret"
    world.daemon.control("feed", "resume")
    peer = world.servers[0].accept_and_upgrade()
    peer.send(frames.text("still there"))
    while "data" not in (line := messages.read()):
        pass
    assert line["data"] == "still there"
    for stream in streams[ALICE] + streams[BOB]:
        stream.close()


def test_lines_end_when_the_right_does(start_world: StartWorld) -> None:
    world = start_world({})
    with subprocess.Popen(["/usr/bin/python3", "-c", READ_LINES, world.daemon.socket], stdout=subprocess.PIPE, user=ALICE,
                          group=ALICE, extra_groups=[], text=True) as reader:
        assert reader.stdout is not None
        assert '"hello"' in reader.stdout.readline()
        world.set_access(subscribe=[f"uid:{BOB}"])
        last = reader.stdout.readlines()[-1]
        assert reader.wait(DEADLINE) == 0
    assert json.loads(last) == {"event": "closed", "code": 1008, "reason": "the right to subscribe was taken away"}


# A program of its own, as any user would run it.
READ_LINES = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b"GET /v1/connections/secret/messages?follow=true HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
for line in sock.makefile("rb"):
    if line.startswith(b"{"):
        print(line.decode().strip(), flush=True)
"""


def test_a_name_that_is_gone_is_an_error_of_the_reload(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [f"uid:{ALICE}"]})
    answer = world.reload(lambda settings: settings["connections"]["secret"].update(access={"subscribe": ["user:no-such-user"]}))
    assert answer.status == 422
    problem = answer.json["problems"][0]
    assert problem["line"] > 0 and problem["column"] > 0 and "no-such-user" in problem["message"]
    assert world.user(ALICE).get("/v1/connections/secret").status == 200
    assert world.user(BOB).get("/v1/connections/secret/messages").status == 403


def test_a_socket_for_reading(folder: Path, start_world: StartWorld) -> None:
    path = folder / "read.sock"
    socket = {"path": str(path), "mode": "0666", "access": {"publish": [], "control": [], "subscribe": [f"uid:{ALICE}", "root"]}}
    world = start_world({}, {"mode": "0600", "sockets": [socket]})
    assert path.stat().st_mode & 0o777 == 0o666 and world.daemon.socket.stat().st_mode & 0o777 == 0o600
    with pytest.raises(PermissionError):
        world.user(ALICE).get("/healthz")
    alice, bob, root = User(path, ALICE), User(path, BOB), User(path, 0)
    subscriber = alice.subscribe_v1("feed")
    subscriber.publish("1", "up")
    assert subscriber.read_event("failed")["error"] == "not_allowed"
    assert bob.get("/v1/connections").json == {"connections": []}
    assert bob.get("/v1/connections/feed").status == 404
    assert root.request("POST", "/v1/connections/feed/pause").status == 403
    assert root.request("POST", "/v1/reload").status == 403
    assert world.daemon.post("feed", b"up").json == {"outcome": "written"}
    listed = run_program("wskeep", ["--socket", str(path), "list"])
    assert listed.returncode == 0 and "feed " in listed.stdout
    # Its rights alone can be changed while it is there.
    answer = world.reload(lambda settings: settings["ipc"]["sockets"][0].update(access={"subscribe": [f"uid:{BOB}"]}))
    assert answer.json["in_place"] == ["ipc.sockets"]
    assert _closed_with(subscriber) == (1008, "the right to subscribe was taken away")
    assert bob.get("/v1/connections/feed").status == 200
    subscriber.close()


def test_real_processes_of_other_users(start_world: StartWorld) -> None:
    """As above, with programs that are started as those users."""
    world = start_world({"subscribe": [f"uid:{ALICE}"], "publish": [f"gid:{WRITERS}"]})
    said = {}
    for name, uid, groups in (("alice", ALICE, []), ("bob", BOB, [WRITERS]), ("carol", CAROL, [])):
        done = subprocess.run(["/usr/bin/python3", "-c", ASK, world.daemon.socket], capture_output=True, text=True, timeout=DEADLINE,
                              user=uid, group=uid, extra_groups=groups, check=True)
        said[name] = json.loads(done.stdout)
    assert said == {"alice": [200, 200, 403, 403], "bob": [200, 403, 200, 403], "carol": [404, 404, 404, 404]}
    wait_for(lambda: world.secret.read_until(Opcode.TEXT).payload == b"up")


ASK = """
import json, socket, sys
def status(method, rest):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(sys.argv[1])
    body = b"up" if method == "POST" else b""
    sock.sendall(f"{method} /v1/connections/secret{rest} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
    return int(sock.recv(64).split()[1])
print(json.dumps([status("GET", ""), status("GET", "/messages"), status("POST", "/messages"), status("POST", "/resume")]))
"""


def test_an_unknown_user_in_the_file(folder: Path) -> None:
    file = folder / "wskeep.yaml"
    file.write_text("ipc:\n  access:\n    publish: [root, 'user:no-such-user']\nconnections:\n  feed: {url: ws://127.0.0.1:1/}\n")
    for program, arguments in (("wskeepd", ["--config", file]), ("wskeep", ["check", file])):
        done = subprocess.run([build_folder() / program, *arguments], capture_output=True, text=True, timeout=DEADLINE,
                              env=program_environment(), check=False)
        assert done.returncode == 5
        assert f"{file}:3:21: ipc.access.publish[1]: 'user:no-such-user' names a user that does not exist here" in done.stderr


def test_the_metrics_listener_sees_all_and_may_nothing(start_world: StartWorld) -> None:
    world = start_world({"subscribe": [], "publish": [], "control": []}, metrics={"listen": f"127.0.0.1:{free_port()}"})
    address = world.daemon.get("/v1/status").json["metrics_listen"]
    done = subprocess.run(["curl", "-s", f"http://{address}/metrics"], capture_output=True, text=True, timeout=DEADLINE, check=True)
    assert 'connection="secret"' in done.stdout
    done = subprocess.run(["curl", "-s", f"http://{address}/v1/connections/secret"], capture_output=True, text=True,
                          timeout=DEADLINE, check=True)
    assert "not_found" in done.stdout
    assert world.daemon.get("/v1/connections/secret").status == 404
    connect(world.daemon.socket).close()


def test_check_warns_of_rights_that_nobody_has(folder: Path) -> None:
    file = write_configuration(folder / "wskeep.yaml", {"connections": {
        "feed": {"url": "ws://127.0.0.1:1/", "access": {"control": ["gid:4000000"], "publish": [], "subscribe": ["gid:4000000", "root"]}}}})
    sentence = "nobody has this right, for nobody is meant by gid:4000000"
    checked = run_program("wskeep", ["check", file])
    assert checked.returncode == 0 and f"connections.feed.access.control: {sentence}" in checked.stdout
    assert checked.stdout.count("warning") == 1
    (warning,) = json.loads(run_program("wskeep", ["--json", "check", file]).stdout)["warnings"]
    assert warning["key"] == "connections.feed.access.control" and warning["message"].startswith(sentence)


def test_the_command_line_says_what_may_be_done(start_world: StartWorld) -> None:
    world = start_world({"subscribe": ["root"], "publish": [], "control": []})
    shown = run_program("wskeep", ["--socket", world.daemon.socket, "show", "secret"])
    assert any(line.split() == ["rights", "subscribe"] for line in shown.stdout.splitlines()), shown.stdout
    paused = run_program("wskeep", ["--socket", world.daemon.socket, "pause", "secret"])
    assert paused.returncode != 0 and "you may not" in paused.stderr
    status = run_program("wskeep", ["--socket", world.daemon.socket, "status"])
    assert "of 4096, 2048 of a user" in status.stdout and f"{world.daemon.socket}\n" in status.stdout
