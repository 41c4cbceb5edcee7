"""Container images, built and run with podman, in a storage of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import debian_tree
from .documents import ROOT

BASE = "docker.io/library/debian:bookworm-slim"


def why_not() -> str:
    """Why this machine cannot build and run images; empty: it can."""
    for program in ("podman", "runc"):
        if shutil.which(program) is None:
            return f"needs {program}"
    return debian_tree.why_not()


class Images:
    def __init__(self, folder: Path) -> None:
        # Where trees are kept between runs, so are the layers.
        kept = os.environ.get("WSKEEP_TEST_ROOT")
        self._storage = Path(kept) / "images" if kept else folder / "images"
        self._kept = bool(kept)
        self._folder = folder
        self._containers: list[str] = []

    def podman(self, *arguments: str | Path, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(["podman", "--root", self._storage / "layers", "--runroot", self._storage / "run", "--runtime", "runc",
                               "--cgroup-manager", "cgroupfs", "--events-backend", "none", *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"podman {arguments}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done

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

    def build(self, file: str, name: str, *options: str) -> None:
        """As the documents say, but that no registry is asked, and that RUN is isolated only as far as everywhere possible."""
        self.podman("build", "--isolation", "chroot", "--network", "host", "--format", "docker", "--pull=never",
                    "--file", ROOT / file, "--tag", name, *options, ROOT, timeout=7200)

    def inspect(self, name: str) -> dict[str, Any]:
        (found,) = json.loads(self.podman("image", "inspect", name).stdout)
        return found

    def run(self, name: str, image: str, *options: str, command: Sequence[str] = ()) -> None:
        self._containers.append(name)
        self.podman("run", "--detach", "--name", name, "--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096", *options,
                    image, *command)

    def logs(self, name: str) -> str:
        done = self.podman("logs", name, check=False)
        return done.stdout + done.stderr

    def end(self) -> None:
        for name in self._containers:
            self.podman("rm", "--force", "--time", "2", name, check=False)
        if not self._kept:
            self.podman("system", "reset", "--force", check=False)
            shutil.rmtree(self._storage, ignore_errors=True)
