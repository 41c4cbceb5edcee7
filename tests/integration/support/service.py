"""wskeepd as its package installs it, in a machine with a systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .local import request
from .machine import Machine
from .package import the_package
from .processes import Program
from .waiting import wait_for

PORT = 7001
DEAF_PORT = 7002
"""Where the upstreams of peers/witness.py are."""
SOCKET = "/run/wskeep/wskeep.sock"
FILE = "/etc/wskeep/wskeep.yaml"
CONFIGURATION = f"""
connections:
  feed:
    url: ws://127.0.0.1:{PORT}/feed
    reconnect: {{initial: 20ms, max: 100ms, budget: 5000/1m}}
"""


class Service:
    """wskeepd in the machine."""

    def __init__(self, machine: Machine, package: Path, witness: Program) -> None:
        self.machine = machine
        self.package = package
        self._since = "@0"
        self._witness = witness
        machine.path("/root/wskeep.deb").write_bytes(package.read_bytes())
        machine.run("apt-get", "install", "--yes", "/root/wskeep.deb", timeout=300)
        self.first_state = machine.run("systemctl", "is-active", "wskeepd", check=False).stdout.strip()
        self.first_log = machine.journal("wskeepd")
        machine.run("useradd", "--create-home", "--groups", "wskeep", "alice")
        machine.run("useradd", "--create-home", "mallory")
        self.configure()

    def configure(self, text: str = CONFIGURATION) -> None:
        self.machine.path(FILE).write_text(text)

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = self.machine.run("systemctl", *words, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stderr}\n{self.machine.journal('wskeepd')[-3000:]}"
        return done

    def as_alice(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs it as a user who is in the group."""
        return self.machine.run("runuser", "-u", "alice", "--", *command, check=check)

    @property
    def seen(self) -> list[dict[str, Any]]:
        """What the upstreams have told until now."""
        return [json.loads(line) for line in self._witness.output.splitlines() if line.startswith("{") and line.endswith("}")]

    def wait_seen(self, since: int = 0, **what: Any) -> dict[str, Any]:
        """The first of what they tell, from the `since`th on, that has all this."""
        def told() -> dict[str, Any] | None:
            return next((each for each in self.seen[since:] if what.items() <= each.items()), None)

        found = wait_for(told, f"the upstream tells of {what}; has told {self.seen[since:]}")
        assert found is not None
        return found

    @property
    def socket(self) -> Path:
        return self.machine.path(SOCKET)

    @property
    def pid(self) -> int:
        return int(self.machine.property("wskeepd", "MainPID"))

    @property
    def pid_here(self) -> int:
        """The same process, as this machine numbers it."""
        inside = self.pid
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                found = re.search(r"^NSpid:\s+\d+\s+(\d+)$", status.read_text(), re.MULTILINE)
                if found and int(found[1]) == inside and os.readlink(status.parent / "exe").endswith("/wskeepd"):
                    return int(status.parent.name)
            except OSError:
                pass  # it has ended meanwhile
        raise AssertionError(f"no process is {inside} inside")

    def wait_ready(self) -> None:
        def ready() -> bool:
            try:
                return request(self.socket, "GET", "/readyz").status == 200
            except OSError:
                return False

        wait_for(ready, f"the connection is ready; journal:\n{self.machine.journal('wskeepd')[-3000:]}")

    def wait_status(self, words: str) -> str:
        def told() -> str:
            text = self.machine.property("wskeepd", "StatusText")
            return text if words in text else ""

        return wait_for(told, f"the status says {words!r}; is {self.machine.property('wskeepd', 'StatusText')!r}")

    def wait_journal(self, *words: str) -> list[str]:
        """The lines of this test that have all these words, once there is one: the journal takes its time."""
        def told() -> list[str]:
            lines = self.machine.journal("wskeepd", self._since).splitlines()
            return [line for line in lines if all(word in line for word in words)]

        return wait_for(told, f"the journal has {words}; has:\n{self.machine.journal('wskeepd', self._since)[-3000:]}")

    def entries(self, *matches: str) -> list[dict[str, Any]]:
        """Of the service's journal, those that have these fields."""
        done = self.machine.run("journalctl", "--quiet", "--no-pager", "--output=json", "--unit=wskeepd", f"--since={self._since}", *matches)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def override(self, text: str) -> None:
        folder = self.machine.path("/run/systemd/system/wskeepd.service.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text(f"[Service]\n{text}\n")
        self.machine.run("systemctl", "daemon-reload")

    def as_at_first(self) -> None:
        self._since = f"@{time.time():.6f}"
        shutil.rmtree(self.machine.path("/run/systemd/system/wskeepd.service.d"), ignore_errors=True)
        self.machine.run("systemctl", "daemon-reload")
        self.systemctl("disable", "--now", "wskeepd.socket", check=False)
        self.systemctl("stop", "wskeepd", check=False)
        self.systemctl("reset-failed", check=False)
        self.configure()
        self.systemctl("start", "wskeepd")
        self.wait_ready()


@pytest.fixture(scope="session")
def installed() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-machine-"))
    machine = None
    try:
        package = the_package()
        machine = Machine(folder, package)
        yield Service(machine, package, machine.start_witness(PORT, DEAF_PORT))
    finally:
        if machine is not None:
            machine.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def service(installed: Service) -> Service:
    installed.as_at_first()
    return installed
