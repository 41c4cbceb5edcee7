"""A booted Debian with a systemd of its own, in a container without a network."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from . import debian_tree
from .byte_stream import DEADLINE
from .processes import Processes, Program
from .waiting import wait_for

# What a Debian has that somebody runs a service on.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "procps", "sudo"]


def why_not() -> str:
    """Why this machine cannot boot one; empty: it can."""
    for program in ("systemd-nspawn", "nsenter"):
        if shutil.which(program) is None:
            return f"needs {program}"
    return debian_tree.why_not()


class Machine:
    def __init__(self, folder: Path, package: Path) -> None:
        """It has no network; `apt install` of `package` finds all the same what it needs."""
        self.root = folder / "root"
        self._folder = folder
        self._processes = Processes(folder)
        debian_tree.make(self.root, PACKAGES)
        debian_tree.fetch(self.root, package)
        (self.root / "etc" / "machine-id").write_text("")
        self._log = folder / "boot.log"
        with self._log.open("wb") as log:
            self._nspawn = subprocess.Popen(
                ["systemd-nspawn", "--quiet", f"--directory={self.root}", f"--machine=wskeep-test-{os.getpid()}", "--private-network",
                 "--boot", "--register=no", "--keep-unit", "--kill-signal=SIGRTMIN+3", "systemd.unit=multi-user.target"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._leader = 0
        try:
            self._leader = wait_for(self._find_leader, "the container has a first process", 60)
            wait_for(self._has_booted, "the container has booted", 60)
        except AssertionError:
            self.end()
            raise

    def _find_leader(self) -> int:
        assert self._nspawn.poll() is None, self._log.read_text(errors="replace")
        for child in Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split():
            # Not the helper that sets the container up, and is gone when it is there.
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{child}/exe").endswith("/systemd"):
                    return int(child)
        return 0

    def _has_booted(self) -> bool:
        assert self._nspawn.poll() is None, self._log.read_text(errors="replace")
        done = self.run("systemctl", "is-system-running", check=False)
        return done.stdout.strip() in ("running", "degraded")

    def run(self, *command: str | Path, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs it inside, as root; `check`: it must end with 0."""
        done = subprocess.run(["nsenter", "--target", str(self._leader), "--all", *command], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        assert not check or done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def start_inside(self, *command: str | Path) -> Program:
        """Starts a program of the container, as root; it ends with the machine at the latest."""
        return self._processes.start([str(part) for part in ["nsenter", "--target", str(self._leader), "--all", *command]])

    def start_here(self, *command: str | Path) -> Program:
        """Starts a program of this machine on the container's network."""
        inside = ["nsenter", "--target", str(self._leader), "--net", "--", *command]
        return self._processes.start([str(part) for part in inside])

    def start_witness(self, port: int, deaf_port: int) -> Program:
        """Upstreams that tell what they see: see peers/witness.py."""
        program = Path(__file__).resolve().parents[1] / "peers" / "witness.py"
        return self.start_here(sys.executable, "-B", program, "--port", str(port), "--deaf-port", str(deaf_port))

    def path(self, inside: str) -> Path:
        """Where what the container calls so can be found from here, tmpfs and all."""
        return Path(f"/proc/{self._leader}/root{inside}")

    def property(self, unit: str, name: str) -> str:
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    def journal(self, unit: str, since: str = "@0") -> str:
        return self.run("journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={unit}", f"--since={since}").stdout

    def end(self) -> None:
        self._processes.end()
        # Nothing in it is worth an orderly end: with its first process all others go.
        if self._nspawn.poll() is None:
            if self._leader:
                os.kill(self._leader, signal.SIGKILL)
            else:
                self._nspawn.terminate()
            try:
                self._nspawn.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        shutil.rmtree(self.root, ignore_errors=True)
