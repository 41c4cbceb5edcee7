"""Container images, built and run with podman, in a storage and a network of the test's own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import debian_tree
from .daemon import build_folder
from .documents import ROOT
from .waiting import wait_for

BASE = "docker.io/library/debian:bookworm-slim"
Done = subprocess.CompletedProcess[str]
_BUILD = ["--isolation", "chroot", "--network", "host", "--format", "docker", "--pull=never"]


def why_not() -> str:
    """Why this machine cannot build and run images; empty: it can."""
    missing = [program for program in ("podman", "runc", "ip", "nsenter") if shutil.which(program) is None]
    if missing:
        return f"needs {', '.join(missing)}: scripts/setup system installs them"
    return debian_tree.why_not()


class Images:
    """Containers run in a network namespace of their own, of which they see bridges and loopback and nothing else."""

    def __init__(self, folder: Path) -> None:
        # Where trees are kept between runs, so are the layers, and the compiler's cache.
        kept = os.environ.get("WSKEEP_TEST_ROOT")
        self._storage = Path(kept) / "images" if kept else folder / "images"
        self._kept = bool(kept)
        self._folder = folder
        self._network = f"wskeep-image-{os.getpid()}"
        self._service: subprocess.Popen[bytes] | None = None
        (self._storage / "temporary").mkdir(parents=True, exist_ok=True)
        configuration = folder / "containers.conf"
        # Without limits some machines refuse to start a container at all.
        configuration.write_text('[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n')
        self._environment = os.environ | {"CONTAINERS_CONF": str(configuration), "TMPDIR": str(self._storage / "temporary")}
        self._options: list[str | Path] = [
            "--root", self._storage / "layers", "--runroot", self._storage / "run", "--runtime", "runc", "--cgroup-manager", "cgroupfs",
            "--events-backend", "none", "--network-config-dir", folder / "networks"]
        subprocess.run(["ip", "netns", "add", self._network], check=True, timeout=60)
        # Not with `ip netns exec`, which hides the control groups.
        self._inside: list[str | Path] = ["nsenter", f"--net=/run/netns/{self._network}"]
        self.inside("ip", "link", "set", "lo", "up")
        self._remove_all()

    # Commands.

    def inside(self, *command: str | Path, check: bool = True, timeout: float = 60) -> Done:
        """Runs a program in the containers' network."""
        done = self._run([*self._inside, *command], timeout)
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done

    def podman(self, *arguments: str | Path, check: bool = True, timeout: float = 120) -> Done:
        return self.inside("podman", *self._options, *arguments, check=check, timeout=timeout)

    def _run(self, command: Sequence[str | Path], timeout: float, extra: Mapping[str, str] | None = None) -> Done:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=timeout,
                              env=self._environment | (extra or {}))

    def docker(self) -> Path:
        """A folder with a program `docker` that is podman: for commands as the documents show them."""
        folder = self._folder / "bin"
        if not folder.exists():
            folder.mkdir()
            podman = shlex.join(str(part) for part in ["podman", *self._options])
            inside = shlex.join(str(part) for part in self._inside)
            file = folder / "docker"
            file.write_text(f"#!/bin/sh\nif [ \"$1\" = build ]; then shift; exec {podman} build {shlex.join(_BUILD)} \"$@\"; fi\n"
                            f"exec {inside} {podman} \"$@\"\n")
            file.chmod(0o755)
        return folder

    def shell(self, script: str, folder: Path, timeout: float = 120) -> Done:
        """Runs commands as the documents show them."""
        return subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, env=self._environment | {"PATH": f"{self.docker()}:{os.environ['PATH']}"})

    def compose(self, *arguments: str, timeout: float = 300) -> Done:
        """docker-compose with docker/compose.yaml, by podman's interface of Docker."""
        return self._run(self._compose(*arguments), timeout, {"DOCKER_HOST": self._serve()})

    def start_compose(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._compose(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                env=self._environment | {"DOCKER_HOST": self._serve()})

    @staticmethod
    def _compose(*arguments: str) -> list[str | Path]:
        return ["docker-compose", "--file", ROOT / "docker" / "compose.yaml", *arguments]

    def _serve(self) -> str:
        socket = self._folder / "docker.sock"
        if self._service is None:
            self._service = subprocess.Popen(
                [*self._inside, "podman", *self._options, "system", "service", "--time", "0", f"unix://{socket}"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self._environment)
            wait_for(socket.exists, "podman's service listens")
        return f"unix://{socket}"

    # Images.

    def make_base(self) -> None:
        """No registry is asked: the base is a Debian tree of this machine's mirror, under the name of the real one."""
        if self.podman("image", "exists", BASE, check=False).returncode == 0:
            return
        tree = self._folder / "base"
        debian_tree.make(tree, [])
        archive = self._folder / "base.tar"
        subprocess.run(["tar", "--create", "--numeric-owner", f"--directory={tree}", f"--file={archive}", "."], check=True, timeout=300)
        self.podman("import", archive, BASE, timeout=300)
        archive.unlink()
        shutil.rmtree(tree)

    def build(self, file: str | Path, name: str, *options: str | Path) -> str:
        """As the documents say, but that no registry is asked, and that RUN is isolated only as far as everywhere possible. In the
        machine's own network, for the packages."""
        done = self._run(["podman", *self._options, "build", *_BUILD, "--file", ROOT / file, "--tag", name, *options, ROOT], 3 * 3600)
        assert done.returncode == 0, f"{file}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done.stdout + done.stderr

    def build_of_installed(self, file: str, name: str) -> None:
        """The same, but that its first stage is what the build folder under test installs: nothing is compiled."""
        installed = self._folder / "installed" / "image"
        done = self._run(["cmake", "--install", build_folder(), "--prefix", "/usr", "--strip"], 120, {"DESTDIR": str(installed)})
        assert done.returncode == 0, done.stdout + done.stderr
        self.build(file, name, "--build-context", f"build={installed.parent}")

    def inspect(self, name: str) -> dict[str, Any]:
        (found,) = json.loads(self.podman("image", "inspect", name).stdout)
        return found

    # Containers.

    def run(self, name: str, image: str, *options: str | Path, command: Sequence[str] = ()) -> None:
        self.podman("run", "--detach", "--name", name, *options, image, *command)

    def logs(self, name: str) -> str:
        done = self.podman("logs", name, check=False)
        return done.stdout + done.stderr

    def state(self, name: str, of: str) -> str:
        return self.podman("inspect", "--format", f"{{{{.State.{of}}}}}", name).stdout.strip()

    def end(self) -> None:
        if self._service is not None:
            self._service.terminate()
            self._service.wait(30)
        self._remove_all()
        self._run(["ip", "netns", "del", self._network], 60)
        _unmount_below(self._storage)
        if not self._kept:
            shutil.rmtree(self._storage, ignore_errors=True)

    def _remove_all(self) -> None:
        """All of this storage, which is nobody else's."""
        self.podman("rm", "--all", "--force", "--time", "1", check=False)
        self.podman("volume", "rm", "--all", "--force", check=False)
        self.podman("secret", "rm", "--all", check=False)
        self.podman("network", "prune", "--force", check=False)


def _unmount_below(folder: Path) -> None:
    """podman leaves its layers mounted over themselves."""
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for point in sorted((point for point in mounted if Path(point).is_relative_to(folder)), key=len, reverse=True):
        subprocess.run(["umount", point], check=False, capture_output=True, timeout=60)
