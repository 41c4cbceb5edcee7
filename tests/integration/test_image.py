"""The image, really built from docker/Dockerfile and run as the documents say.

It compiles a release inside, which takes minutes of processor time: too long for each run of all tests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import images as containers
from support.images import BASE, Images
from support.waiting import wait_for

GROUP = "4680"
BEYOND_THE_BASE = 60 * 1000 * 1000
_NOT_HERE = containers.why_not() or ("" if os.environ.get("WSKEEP_TEST_IMAGE") == "1" else
                                     "compiles a release, which takes minutes: WSKEEP_TEST_IMAGE=1 asks for it")

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


@pytest.fixture(scope="module")
def images() -> Iterator[Images]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-images-"))
    images = Images(folder)
    try:
        images.make_base()
        started = time.monotonic()
        images.build("docker/Dockerfile", "wskeep")
        print(f"built in {time.monotonic() - started:.0f} s")
        images.build("docker/demo/Dockerfile", "wskeep-demo")
        yield images
    finally:
        images.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def system(images: Images) -> Iterator[Images]:
    """What docker/compose.yaml starts, without Prometheus and Grafana. The feed shares the daemon's network, as there is no other."""
    for volume in ("socket", "state"):
        images.podman("volume", "rm", "--force", volume, check=False)
        images.podman("volume", "create", volume)
    configuration = Path(tempfile.mkdtemp(prefix="wskeep-mounted-")) / "wskeep.yaml"
    configuration.write_text("connections:\n  trades:\n    url: ws://127.0.0.1:8080/\n    reconnect: {initial: 50ms, max: 200ms}\n")
    os.chmod(configuration.parent, 0o755)
    confined = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    images.run("wskeepd", "wskeep", *confined, "--network=none", "--volume", "socket:/run/wskeep", "--volume", "state:/var/lib/wskeep",
               "--volume", f"{configuration}:/etc/wskeep/wskeep.yaml:ro")
    images.run("feed", "wskeep-demo", *confined, "--network=container:wskeepd", command=["python3", "/app/feed.py"])
    images.run("app", "wskeep-demo", *confined, "--network=none", f"--group-add={GROUP}", "--volume", "socket:/run/wskeep:ro")
    yield images
    shutil.rmtree(configuration.parent, ignore_errors=True)


def test_what_the_image_is(images: Images) -> None:
    found = images.inspect("wskeep")
    added = found["Size"] - images.inspect(BASE)["Size"]
    print(f"{added / 1e6:.1f} MB beyond the base")
    assert 0 < added < BEYOND_THE_BASE
    configuration = found["Config"]
    assert configuration["User"] == "4680:4680"
    assert configuration["StopSignal"] in ("SIGTERM", "15")
    assert {"org.opencontainers.image.title", "org.opencontainers.image.version", "org.opencontainers.image.licenses"} <= set(configuration["Labels"])
    assert "status" in (configuration.get("Healthcheck") or found["Healthcheck"])["Test"]


def test_the_configuration_in_the_image_is_good(images: Images) -> None:
    assert "good" in images.podman("run", "--rm", "--read-only", "--network=none", "--ulimit", "nofile=4096:4096", "--ulimit",
                                   "nproc=4096:4096", "wskeep", "--check", "/etc/wskeep/wskeep.yaml").stdout


def test_an_app_in_another_container_reads_through_the_shared_socket(system: Images) -> None:
    wait_for(lambda: "ACORN" in system.logs("app"), f"messages arrive; daemon: {system.logs('wskeepd')}; feed: {system.logs('feed')}", 60)
    assert system.podman("exec", "app", "id", "-u").stdout.strip() == "4711"
    assert system.podman("healthcheck", "run", "wskeepd").returncode == 0
    assert "ready" in system.podman("exec", "wskeepd", "wskeep", "list", "--once").stdout


def test_who_is_not_in_the_group_is_refused(system: Images) -> None:
    program = "import socket; socket.socket(socket.AF_UNIX).connect('/run/wskeep/wskeep.sock')"
    options = ["run", "--rm", "--network=none", "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", "--volume", "socket:/run/wskeep:ro"]
    allowed = system.podman(*options, f"--group-add={GROUP}", "wskeep-demo", "python3", "-c", program, check=False)
    assert allowed.returncode == 0, allowed
    refused = system.podman(*options, "wskeep-demo", "python3", "-c", program, check=False)
    assert refused.returncode != 0 and "PermissionError" in refused.stderr, refused


def test_it_runs_confined_and_ends_cleanly(system: Images) -> None:
    assert system.podman("exec", "wskeepd", "id", "-u").stdout.strip() == "4680"
    assert system.podman("exec", "wskeepd", "touch", "/etc/wskeep/new", check=False).returncode != 0
    system.podman("stop", "--time", "15", "wskeepd")
    assert system.podman("inspect", "--format", "{{.State.ExitCode}}", "wskeepd").stdout.strip() == "0"
    assert "stopped" in system.logs("wskeepd")
