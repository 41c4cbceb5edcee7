"""The image, really built from docker/Dockerfile and run as the documents say.

It compiles a release inside, which takes minutes of processor time. WSKEEP_TEST_IMAGE=installed takes the programs of the build folder
under test instead; WSKEEP_TEST_IMAGE=all builds its stage `test` as well, which compiles and runs the unit tests.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import images as containers
from support.documents import ROOT, blocks_of
from support.images import BASE, Done, Images
from support.waiting import wait_for

BEYOND_THE_BASE = 60 * 1000 * 1000
UPSTREAM = ROOT / "tests" / "integration" / "image" / "upstream.py"
CONFINED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges")
PATIENCE = 60.0
"""For what containers do: starting one takes a second, and several on a machine that compiles."""
RECONNECT = "reconnect: {initial: 50ms, max: 200ms, budget: 5000/5m}"
TRADES = f"connections:\n  trades:\n    url: ws://127.0.0.1:8080/\n    {RECONNECT}\n"

_WAY = os.environ.get("WSKEEP_TEST_IMAGE", "")
_NOT_HERE = containers.why_not()
pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-images-"))
    images = Images(folder)
    try:
        images.make_base()
        started = time.monotonic()
        if _WAY == "installed":
            images.build_of_installed("docker/Dockerfile", "wskeep")
        else:
            images.build("docker/Dockerfile", "wskeep")
        print(f"built in {time.monotonic() - started:.0f} s")
        images.build("docker/demo/Dockerfile", "wskeep-demo")
        yield images
    finally:
        images.end()
        shutil.rmtree(folder, ignore_errors=True)


class World:
    """An upstream and what reads it, each in a container, in one network that is nothing but loopback."""

    _numbers = itertools.count(1)

    def __init__(self, images: Images, folder: Path) -> None:
        self.images = images
        self.folder = folder
        self._number = next(self._numbers)
        self._containers: list[str] = []
        self.socket = f"socket-{self._number}:/run/wskeep"
        self._state = f"state-{self._number}:/var/lib/wskeep"
        self.upstream = self._start("upstream", "wskeep-demo", *CONFINED, "--network=none", "--volume", f"{UPSTREAM}:/upstream.py:ro",
                                    command=["python3", "/upstream.py"])

    def _start(self, name: str, image: str, *options: str, command: list[str] | None = None) -> str:
        full = f"{name}-{self._number}"
        self._containers.append(full)
        self.images.run(full, image, *options, command=command or [])
        return full

    def configure(self, text: str) -> None:
        """As an editor does: another file takes the place of the old one."""
        new = self.folder / "new"
        new.write_text(text)
        new.chmod(0o644)
        new.rename(self.folder / "wskeep.yaml")

    def start_daemon(self, *options: str, configuration: str = TRADES) -> str:
        self.configure(configuration)
        return self._start("daemon", "wskeep", *CONFINED, f"--network=container:{self.upstream}", "--volume", self.socket, "--volume", self._state,
                           "--volume", f"{self.folder}:/etc/wskeep:ro", *options)

    def start_app(self) -> str:
        return self._start("app", "wskeep-demo", *CONFINED, "--network=none", "--group-add=4680", "--volume", f"{self.socket}:ro")

    def cli(self, *options: str, command: list[str]) -> Done:
        """The CLI in a container of its own, which has the socket and nothing else."""
        return self.images.podman("run", "--rm", *CONFINED, "--network=none", "--volume", f"{self.socket}:ro", "--entrypoint", "wskeep",
                                  *options, "wskeep", *command, check=False)

    def inside(self, daemon: str, *command: str, check: bool = True) -> Done:
        return self.images.podman("exec", daemon, *command, check=check)

    def is_healthy(self, daemon: str) -> bool:
        return self.images.podman("healthcheck", "run", daemon, check=False).returncode == 0

    def shown(self, daemon: str, name: str = "trades") -> dict[str, Any]:
        found = self.inside(daemon, "wskeep", "--json", "show", name, check=False)
        return dict(json.loads(found.stdout)) if found.returncode == 0 else {"state": ""}

    def wait_ready(self, daemon: str, name: str = "trades") -> None:
        wait_for(lambda: self.shown(daemon, name)["state"] == "ready",
                 f"{name} is ready: {self.images.logs(daemon)}; {self.images.logs(self.upstream)}", PATIENCE)

    def heard(self, event: str) -> list[dict[str, Any]]:
        """What upstream has said of such."""
        lines = [json.loads(line) for line in self.images.logs(self.upstream).splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def end(self) -> None:
        for name in reversed(self._containers):
            self.images.podman("rm", "--force", "--time", "1", name, check=False)


@pytest.fixture
def world(images: Images) -> Iterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-mounted-"))
    folder.chmod(0o755)
    world = World(images, folder)
    yield world
    world.end()
    shutil.rmtree(folder)


# -- what it is

def test_what_the_image_is(images: Images) -> None:
    found = images.inspect("wskeep")
    added = found["Size"] - images.inspect(BASE)["Size"]
    print(f"{added / 1e6:.1f} MB beyond the base")
    assert 0 < added < BEYOND_THE_BASE
    configuration = found["Config"]
    assert configuration["User"] == "4680:4680"
    assert configuration["StopSignal"] in ("SIGTERM", "15")
    assert configuration["Entrypoint"] == ["/usr/bin/wskeepd"]  # neither a shell nor an init before it
    assert set(configuration["Volumes"]) == {"/run/wskeep", "/var/lib/wskeep"}
    assert (configuration.get("Healthcheck") or found["Healthcheck"])["Test"] == ["CMD", "wskeep", "--timeout", "3s", "health"]


def test_its_labels(images: Images) -> None:
    version = images.podman("run", "--rm", "--network=none", "wskeep", "--version").stdout.strip()
    labels = images.inspect("wskeep")["Config"]["Labels"]
    label = {name.removeprefix("org.opencontainers.image."): value for name, value in labels.items()}
    assert label["version"] and label["version"] in version
    assert (label["title"], label["licenses"], label["base.name"]) == ("wskeep", "Apache-2.0", BASE)
    assert {"description", "revision", "vendor"} <= set(label)


@pytest.mark.skipif(_WAY != "all", reason="compiles all unit tests: WSKEEP_TEST_IMAGE=all asks for it")
def test_the_unit_tests_within_it(unit_tests: str) -> None:
    assert re.search(r"100% tests passed, 0 tests failed out of [1-9]\d\d", unit_tests), unit_tests[-3000:]


@pytest.fixture(scope="module")
def unit_tests(images: Images) -> str:
    """Not within the test's time, which is bounded."""
    return images.build("docker/Dockerfile", "wskeep-test", "--target", "test")


# -- how it runs

def test_it_runs_confined(world: World) -> None:
    daemon = world.start_daemon()
    world.wait_ready(daemon)
    assert world.inside(daemon, "cat", "/proc/1/comm").stdout == "wskeepd\n"
    status = dict(re.findall(r"^(\w+):\s+(.*)$", world.inside(daemon, "cat", "/proc/1/status").stdout, re.MULTILINE))
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"4680"}
    assert {name: int(value, 16) for name, value in status.items() if name.startswith("Cap")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), 0)
    assert status["NoNewPrivs"] == "1"
    for folder in ("/", "/etc/wskeep", "/usr/bin", "/tmp", "/var/tmp"):
        assert world.inside(daemon, "touch", f"{folder}/new", check=False).returncode != 0, folder


def test_whether_it_is_healthy(world: World) -> None:
    """podman runs the check only when it is asked to, where there is no systemd."""
    daemon = world.start_daemon()

    def found() -> tuple[bool, str]:
        return world.is_healthy(daemon), world.images.state(daemon, "Health.Status")

    wait_for(lambda: found() == (True, "healthy"), "it answers", PATIENCE)
    world.images.podman("kill", "--signal", "STOP", daemon)
    wait_for(lambda: found() == (False, "unhealthy"), "three checks in a row have failed", PATIENCE)
    world.images.podman("kill", "--signal", "CONT", daemon)
    wait_for(lambda: found() == (True, "healthy"), "it answers again", PATIENCE)


def test_upstreams_that_are_away_do_not_make_it_unhealthy(world: World) -> None:
    daemon = world.start_daemon(configuration=TRADES.replace("8080", "1"))
    wait_for(lambda: world.is_healthy(daemon), "it is healthy", PATIENCE)
    assert world.inside(daemon, "wskeep", "health", "--ready", check=False).returncode == 6


def test_without_a_configuration_it_says_what_to_do(images: Images) -> None:
    images.run("bare", "wskeep", *CONFINED, "--network=none")
    try:
        wait_for(lambda: "mount-your-configuration" in images.logs("bare"), "the log says it", PATIENCE)
        assert "mount-your-configuration" in images.podman("exec", "bare", "wskeep", "list", "--once").stdout
        # What the file in the image says.
        assert "wskeep init --url" in images.podman("exec", "bare", "cat", "/etc/wskeep/wskeep.yaml").stdout
    finally:
        images.podman("rm", "--force", "--time", "1", "bare")


def test_a_broken_configuration_ends_it_with_a_word(world: World) -> None:
    daemon = world.start_daemon(configuration=TRADES.replace("url", "ulr"))
    wait_for(lambda: world.images.state(daemon, "Status") == "exited", "it ends", PATIENCE)
    assert world.images.state(daemon, "ExitCode") == "5"
    assert "wskeep.yaml:3" in world.images.logs(daemon)


def test_sigterm_closes_upstreams_with_1001(world: World) -> None:
    daemon = world.start_daemon()
    world.wait_ready(daemon)
    started = time.monotonic()
    world.images.podman("stop", "--time", "60", daemon)
    assert time.monotonic() - started < 30  # not killed: `shutdown` is 5 s, the rest is a loaded machine
    assert world.images.state(daemon, "ExitCode") == "0"
    assert "stopped" in world.images.logs(daemon)
    wait_for(lambda: [said["code"] for said in world.heard("closed")] == [1001], "upstream was told", PATIENCE)


def _hang_up(world: World, daemon: str) -> None:
    world.images.podman("kill", "--signal", "HUP", daemon)


def _ask_to_reload(world: World, daemon: str) -> None:
    world.inside(daemon, "wskeep", "reload", check=False)


@pytest.mark.parametrize("reload", [_hang_up, _ask_to_reload])
def test_a_reload(reload: Callable[[World, str], None], world: World) -> None:
    daemon = world.start_daemon()
    world.wait_ready(daemon)
    world.configure(TRADES + TRADES.splitlines()[1].replace("trades", "quotes") + "\n    url: ws://127.0.0.1:8080/quotes\n")
    reload(world, daemon)
    world.wait_ready(daemon, "quotes")
    world.configure("connections: nothing\n")
    reload(world, daemon)
    wait_for(lambda: "wskeep.yaml:1" in world.images.logs(daemon), "the log says what is wrong", PATIENCE)
    assert [said["path"] for said in world.heard("connected")] == ["/", "/quotes"]  # and nobody was sent away
    assert world.heard("closed") == []
    world.wait_ready(daemon, "quotes")


# -- the shared socket

OTHER = "--user=4711:4711"


@pytest.mark.parametrize(("of_daemon", "options", "let_in"), [
    pytest.param([], [OTHER, "--group-add=4680"], True, id="in the group"),
    pytest.param([], ["--user=4711:4680"], True, id="with that group as its own"),
    pytest.param([], ["--user=4680:4680"], True, id="the daemon's user"),
    pytest.param([], [OTHER], False, id="another"),
    pytest.param([], ["--user=0:0"], False, id="root without capabilities"),
    pytest.param(["--user=4680:4999"], [OTHER, "--group-add=4999"], True, id="a group given to the daemon"),
    pytest.param(["--user=4680:4999"], [OTHER, "--group-add=4680"], False, id="another group than the daemon's"),
])
def test_who_may_use_the_socket_from_another_container(of_daemon: list[str], options: list[str], let_in: bool, world: World) -> None:
    daemon = world.start_daemon(*of_daemon)
    world.wait_ready(daemon)
    done = world.cli(*options, command=["tail", "trades", "--from", "oldest", "--limit", "1"])
    if let_in:
        assert done.returncode == 0 and json.loads(done.stdout)["id"] == "s1", done
    else:
        assert done.returncode == 3 and "not allowed to open /run/wskeep/wskeep.sock" in done.stderr, done


def test_a_mode_and_rights_by_number(world: World) -> None:
    daemon = world.start_daemon(configuration=f'ipc: {{mode: "0666", access: {{subscribe: ["gid:4711"]}}}}\n{TRADES}')
    world.wait_ready(daemon)
    read = ["tail", "trades", "--from", "oldest", "--limit", "1"]
    assert world.cli(OTHER, command=read).returncode == 0
    refused = world.cli("--user=4712:4712", command=read)
    assert refused.returncode != 0 and "right" in refused.stderr, refused


def test_an_app_comes_back_by_its_cursor_when_the_daemon_is_restarted(world: World) -> None:
    daemon = world.start_daemon()
    app = world.start_app()

    def logs() -> str:
        return world.images.logs(app)

    wait_for(lambda: '"n": 5}' in logs(), "messages arrive", PATIENCE)
    assert world.images.podman("exec", app, "id", "-u").stdout.strip() == "4711"
    assert "missed" not in logs()
    world.images.podman("restart", "--time", "30", daemon)
    # Of another life of the ring, nobody knows how much: the daemon says so, and goes on with what it has.
    said = wait_for(lambda: re.search(r"^missed: an unknown number$(.*)", logs(), re.MULTILINE | re.DOTALL), "it is told", PATIENCE)
    wait_for(lambda: '"n": ' in logs()[said.start(1):], f"messages arrive again: {logs()}", PATIENCE)
    world.images.podman("stop", "--time", "60", app)
    assert world.images.state(app, "ExitCode") == "0"


def test_what_a_container_leaves_in_its_volume_the_next_one_goes_on_with(world: World) -> None:
    configuration = """connections:
  trades:
    url: ws://127.0.0.1:8080/
    reconnect: {budget: 5/1h, initial: 50ms}
    session:
      open: [{send: identify}]
      resume: [{send: 'resume ${id}'}]
      remember: {id: {value: /id, keep: restart}}
"""
    daemon = world.start_daemon(configuration=configuration)
    world.wait_ready(daemon)
    wait_for(lambda: world.shown(daemon)["messages_in"] > 0, "there is something to remember", PATIENCE)
    assert _spent(world.shown(daemon)) == 1
    world.images.podman("stop", "--time", "60", daemon)
    world.images.podman("rm", daemon)
    again = world.start_daemon(configuration=configuration)
    world.wait_ready(again)
    assert [said["text"] for said in world.heard("message")] == ["identify", "resume s1"]
    assert _spent(world.shown(again)) == 2
    kept = world.inside(again, "stat", "--format", "%n %a %u", "/var/lib/wskeep/connects.json", "/var/lib/wskeep/remembered.json").stdout
    assert kept == "/var/lib/wskeep/connects.json 600 4680\n/var/lib/wskeep/remembered.json 600 4680\n"


def _spent(shown: dict[str, Any]) -> int:
    return int(next(budget["used"] for budget in shown["budgets"] if budget["host"] is None))


# -- secrets, programs

def _documented_secrets() -> str:
    (text,) = (block.text for block in blocks_of("docs/docker.md") if block.language == "yaml")
    assert "/run/secrets/token" in text and "${env:ACCOUNT}" in text
    return text.replace("wss://stream.example.com/ws", "ws://127.0.0.1:8080/") + f"    {RECONNECT}\n"


@pytest.mark.parametrize("way", ["podman's secret", "a mounted folder"])
def test_secrets(way: str, world: World) -> None:
    token = world.folder.parent / f"{world.folder.name}-token"
    token.mkdir(mode=0o755)
    (token / "token").write_text("t0ken-of-the-test\n")
    try:
        if way == "a mounted folder":
            options = ["--volume", f"{token}:/run/secrets:ro"]
        else:
            world.images.podman("secret", "create", "token", token / "token")
            options = ["--secret", "token,uid=4680,mode=0400", "--tmpfs", "/run/secrets"]
        daemon = world.start_daemon(*options, "--env", "ACCOUNT=desk-7", configuration=_documented_secrets())
        world.wait_ready(daemon)
        headers = {name.lower(): value for name, value in world.heard("connected")[0]["headers"].items()}
        assert (headers["authorization"], headers["x-account"]) == ("Bearer t0ken-of-the-test", "desk-7")
        said = world.images.logs(daemon) + world.images.podman("inspect", daemon).stdout + json.dumps(world.shown(daemon))
        assert "t0ken" not in said
    finally:
        shutil.rmtree(token)
        world.images.podman("secret", "rm", "token", check=False)


def test_what_programs_leave_behind_is_reaped(world: World) -> None:
    """wskeepd is process 1 there: whatever loses its parent becomes its child."""
    daemon = world.start_daemon(configuration=f"""connections:
  trades:
    url: ws://127.0.0.1:8080/
    {RECONNECT}
    session:
      prepare:
        - command: [/bin/sh, -c, "sleep 600 & sleep 600 & echo token"]
""")
    for number in range(1, 4):
        wait_for(lambda: len(world.heard("connected")) == number, "it connects", PATIENCE)
        world.inside(daemon, "wskeep", "reconnect", "trades")
    world.wait_ready(daemon)
    states = "for each in /proc/[0-9]*/stat; do read -r _ name state _ <$each && echo $name $state; done; true"

    def ended() -> list[str]:
        return [line for line in world.inside(daemon, "sh", "-c", states).stdout.splitlines() if line.endswith(" Z")]

    # Those of the last run may wait for the next one.
    wait_for(lambda: len(ended()) <= 2, f"nothing that has ended is left: {ended()}", PATIENCE)


# -- all of it, and the documents

def test_compose(images: Images) -> None:
    """The file as it stands. Debian's Prometheus stands in for the one of the registry; of Grafana there is none."""
    stand_in = ROOT / "tests" / "integration" / "image" / "prometheus.Dockerfile"
    images.build(stand_in, "docker.io/prom/prometheus:v2.53.4")
    wanted = ["wskeepd", "feed", "app", "prometheus"]
    try:
        starting = images.start_compose("up", "--detach", *wanted)
        # The app waits until the daemon is healthy, which nobody looks at where there is no systemd.
        wait_for(lambda: images.podman("healthcheck", "run", "wskeep_wskeepd_1", check=False).returncode == 0 or starting.poll() is not None,
                 "the daemon is healthy", 240)
        assert starting.wait(240) == 0, [images.logs(f"wskeep_{name}_1")[-1000:] for name in wanted]
        wait_for(lambda: "ACORN" in images.logs("wskeep_app_1"), f"the app reads: {images.logs('wskeep_app_1')}", PATIENCE)
        (ready,) = wait_for(lambda: _ask_prometheus(images, "query?query=wskeep_connection_state%7Bstate%3D%22ready%22%7D%3D%3D1")["result"],
                            "Prometheus has scraped the daemon", PATIENCE)
        assert (ready["metric"]["connection"], ready["metric"]["job"]) == ("trades", "wskeep")
        rules = [rule for group in _ask_prometheus(images, "rules")["groups"] for rule in group["rules"]]
        assert len(rules) > 5 and all(rule["health"] in ("ok", "unknown") for rule in rules)
    finally:
        done = images.compose("down", "--volumes")
    assert done.returncode == 0, done


def _ask_prometheus(images: Images, what: str) -> dict[str, Any]:
    """Through the port that compose.yaml publishes."""
    found = images.inside("curl", "--silent", "--noproxy", "*", f"http://127.0.0.1:9090/api/v1/{what}", check=False)
    return dict(json.loads(found.stdout)["data"]) if found.returncode == 0 and found.stdout else {"result": [], "groups": []}


def _documented(name: str) -> str:
    (text,) = (block.text for block in blocks_of("docs/docker.md") if (block.excuse or "").endswith(f"test_image.py: {name}"))
    return text


def test_the_commands_of_the_document(images: Images) -> None:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-document-"))
    folder.chmod(0o755)

    def shell(name: str) -> Done:
        return images.shell(_documented(name), folder)

    try:
        # The daemon may need a moment until it answers; people do, too.
        script = _documented("first-steps").replace("docker exec", "until docker exec wskeepd wskeep health; do sleep 0.1; done\ndocker exec", 1)
        first = images.shell(script, folder)
        assert first.returncode == 0 and "good" in first.stdout and "trades" in first.stdout and "listening" in first.stdout + first.stderr, first
        file = folder / "wskeep" / "wskeep.yaml"
        file.write_text(file.read_text() + "\n  quotes:\n    url: wss://stream.example.com/quotes\n")
        reloaded = shell("reload")
        assert reloaded.returncode == 0 and "quotes" in reloaded.stdout, reloaded
        shared = shell("share")
        assert shared.returncode == 0 and "quotes" in shared.stdout, shared
        (folder / "token").write_text("token\n")
        file.write_text(_documented_secrets())
        secrets = shell("secrets")
        assert secrets.returncode == 0 and "good" in secrets.stdout, secrets
        assert images.shell("docker kill -s HUP wskeepd", folder).returncode == 0
        assert images.shell("docker stop wskeepd", folder).returncode == 0
        assert images.state("wskeepd", "ExitCode") == "0"
    finally:
        images.podman("rm", "--force", "--time", "1", "wskeepd", check=False)
        images.podman("volume", "rm", "--force", "wskeep-socket", "wskeep-state", check=False)
        shutil.rmtree(folder)
