"""The installed package under a real systemd: start, rights, restart, socket activation, watchdog, hardening, removal."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import machine as machines
from support.local import V1Subscriber, connect, request
from support.machine import Machine
from support.package import dependencies, the_package
from support.waiting import wait_for

PORT = 7001
SOCKET = "/run/wskeep/wskeep.sock"
CONFIGURATION = f"""
connections:
  feed:
    url: ws://127.0.0.1:{PORT}/
    reconnect: {{initial: 20ms, max: 100ms, budget: 5000/1m}}
"""
EXPOSURE = 1.2
_NOT_HERE = machines.why_not()

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


class Service:
    """wskeepd in the machine."""

    def __init__(self, machine: Machine, package: Path) -> None:
        self.machine = machine
        machine.path("/root/wskeep.deb").write_bytes(package.read_bytes())
        self.installed = machine.run("dpkg", "--install", "/root/wskeep.deb")
        self.first_state = machine.run("systemctl", "is-active", "wskeepd", check=False).stdout.strip()
        self.first_log = machine.journal("wskeepd")
        machine.run("useradd", "--create-home", "--groups", "wskeep", "alice")
        machine.run("useradd", "--create-home", "mallory")
        self.configure()

    def configure(self) -> None:
        self.machine.path("/etc/wskeep/wskeep.yaml").write_text(CONFIGURATION)

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

    def override(self, text: str) -> None:
        folder = self.machine.path("/run/systemd/system/wskeepd.service.d")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "test.conf").write_text(f"[Service]\n{text}\n")
        self.machine.run("systemctl", "daemon-reload")

    def as_at_first(self) -> None:
        shutil.rmtree(self.machine.path("/run/systemd/system/wskeepd.service.d"), ignore_errors=True)
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "disable", "--now", "wskeepd.socket", check=False)
        self.machine.run("systemctl", "stop", "wskeepd", check=False)
        self.machine.run("systemctl", "reset-failed", "wskeepd", check=False)
        self.configure()
        self.machine.run("systemctl", "start", "wskeepd")
        self.wait_ready()


@pytest.fixture(scope="module")
def installed() -> Iterator[Service]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-machine-"))
    machine = None
    try:
        package = the_package()
        machine = Machine(folder, dependencies(package))
        machine.start_upstream(PORT)
        yield Service(machine, package)
    finally:
        if machine is not None:
            machine.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def service(installed: Service) -> Service:
    installed.as_at_first()
    return installed


def test_a_fresh_installation_runs(installed: Service) -> None:
    assert installed.first_state == "active", installed.first_log
    assert "listening" in installed.first_log
    assert installed.machine.run("systemctl", "is-enabled", "wskeepd").stdout.strip() == "enabled"
    assert installed.machine.run("systemctl", "is-enabled", "wskeepd.socket", check=False).stdout.strip() == "disabled"
    rights = installed.machine.run("stat", "--format=%a %U %G", "/etc/wskeep", "/etc/wskeep/wskeep.yaml").stdout.splitlines()
    assert rights == ["750 root wskeep", "640 root wskeep"]


def test_it_runs_as_its_user_and_says_how_it_is(service: Service) -> None:
    assert service.machine.property("wskeepd", "ActiveState") == "active"
    assert service.machine.run("ps", "-o", "user=", "-p", str(service.pid)).stdout.strip() == "wskeep"
    assert "1" in service.wait_status("ready")
    journal = service.machine.journal("wskeepd")
    assert "listening" in journal and "feed" in journal


def test_who_may_use_the_socket(service: Service) -> None:
    listed = service.machine.run("runuser", "-u", "alice", "--", "wskeep", "list").stdout
    assert "feed" in listed and "ready" in listed
    refused = service.machine.run("runuser", "-u", "mallory", "--", "wskeep", "list", check=False)
    assert refused.returncode == 3 and "feed" not in refused.stdout, refused
    assert service.machine.run("runuser", "-u", "mallory", "--", "cat", "/etc/wskeep/wskeep.yaml", check=False).returncode != 0


def test_stop_and_restart(service: Service) -> None:
    app = V1Subscriber(service.socket, "feed")
    epoch = app.hello["epoch"]
    service.machine.run("systemctl", "stop", "wskeepd")
    app.read_close()
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    assert service.machine.property("wskeepd", "Result") == "success"
    assert not service.socket.exists()
    assert "stopped" in service.machine.journal("wskeepd").splitlines()[-1] or "stopped" in service.machine.journal("wskeepd")
    service.machine.run("systemctl", "start", "wskeepd")
    service.wait_ready()
    before = service.pid
    service.machine.run("systemctl", "restart", "wskeepd")
    service.wait_ready()
    assert service.pid != before
    assert V1Subscriber(service.socket, "feed").hello["epoch"] != epoch


def test_a_crash_is_mended_and_a_faulty_configuration_is_not_tried_again(service: Service) -> None:
    before = service.pid
    os.kill(service.pid_here, signal.SIGKILL)
    wait_for(lambda: service.pid not in (0, before), "systemd starts it anew")
    service.wait_ready()
    service.machine.path("/etc/wskeep/wskeep.yaml").write_text("connections: {}\n")
    assert service.machine.run("systemctl", "restart", "wskeepd", check=False).returncode != 0
    assert service.machine.property("wskeepd", "ActiveState") == "failed"
    assert service.machine.property("wskeepd", "ExecMainStatus") == "5"
    assert "/etc/wskeep/wskeep.yaml:1:14" in service.machine.journal("wskeepd")


def test_the_socket_unit_holds_clients_over_a_restart(service: Service) -> None:
    service.machine.run("systemctl", "stop", "wskeepd")
    service.machine.run("systemctl", "enable", "--now", "wskeepd.socket")
    assert service.machine.run("stat", "--format=%a %G", SOCKET).stdout.strip() == "660 wskeep"
    # Nobody runs: the first client is what starts the daemon.
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    assert request(service.socket, "GET", "/healthz").status == 200
    service.wait_ready()
    assert service.machine.property("wskeepd", "ActiveState") == "active"
    # Stopped in the middle of its life, so that whoever connects now is not answered by it any more.
    before = service.pid
    os.kill(service.pid_here, signal.SIGSTOP)
    client = connect(service.socket)
    client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    os.kill(service.pid_here, signal.SIGKILL)
    assert client.recv(100).startswith(b"HTTP/1.1 200 "), "the next daemon answers what waited in the socket"
    client.close()
    assert service.pid != before
    # And over an ordinary restart the door stays open: each of these connects at once, and is answered.
    inode = service.socket.stat().st_ino
    for _ in range(3):
        service.machine.run("systemctl", "restart", "--no-block", "wskeepd")
        assert request(service.socket, "GET", "/healthz").status in (200, 503)
        wait_for(lambda: service.machine.property("wskeepd", "Job") in ("", "0"), "the restart is over")
    assert service.socket.stat().st_ino == inode, "nobody has made the socket anew"


def test_the_watchdog_restarts_a_stuck_daemon(service: Service) -> None:
    service.override("WatchdogSec=1s")
    service.machine.run("systemctl", "restart", "wskeepd")
    service.wait_ready()
    before, process = service.pid, service.pid_here
    runs = service.machine.property("wskeepd", "NRestarts")
    # It is fed while it works: several intervals pass without a word from systemd.
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(service.socket))
        idle.settimeout(3)
        with pytest.raises(TimeoutError):
            idle.recv(1)
    assert service.machine.property("wskeepd", "NRestarts") == runs and service.pid == before
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: service.pid not in (0, before), "systemd starts another", 60)
    service.wait_ready()
    said = service.machine.run("journalctl", "--quiet", "--no-pager", "--output=cat", "UNIT=wskeepd.service").stdout
    assert "Watchdog timeout" in said and "'watchdog'" in said, said


def test_hardening(service: Service) -> None:
    done = service.machine.run("systemd-analyze", "security", "--no-pager", "wskeepd.service")
    exposure = re.search(r"Overall exposure level for wskeepd\.service: ([0-9.]+)", done.stdout)
    assert exposure and float(exposure[1]) <= EXPOSURE, done.stdout
    for unit in ("wskeepd.service", "wskeepd.socket"):
        done = service.machine.run("systemd-analyze", "verify", "--man=no", f"/lib/systemd/system/{unit}")
        # Whatever it has to say, it ends with 0.
        assert not [line for line in (done.stdout + done.stderr).splitlines() if "wskeep" in line], done


def test_purge_leaves_nothing(service: Service) -> None:
    state = service.machine.path("/var/lib/wskeep")
    assert state.is_dir()
    service.machine.run("systemctl", "stop", "wskeepd")  # systemd takes no socket for what runs already
    service.machine.run("systemctl", "enable", "--now", "wskeepd.socket")
    assert request(service.socket, "GET", "/healthz").status == 200
    service.machine.run("dpkg", "--remove", "wskeep")
    assert service.machine.path("/etc/wskeep/wskeep.yaml").read_text() == CONFIGURATION, "removed is not purged"
    assert service.machine.run("pgrep", "wskeepd", check=False).stdout == ""
    assert not service.socket.exists()
    service.machine.run("dpkg", "--purge", "wskeep")
    left = service.machine.run("find", "/etc", "/var", "/run", "/usr", "/lib/systemd", "-xdev", "-name", "*wskeep*",
                               "-not", "-path", "/var/log/*").stdout
    assert left == "", left
    assert service.machine.run("getent", "passwd", "wskeep").stdout, "the user stays"
    service.machine.run("dpkg", "--install", "/root/wskeep.deb")
    service.as_at_first()


def test_an_upgrade_keeps_the_configuration(service: Service) -> None:
    before = service.pid
    service.machine.run("dpkg", "--install", "/root/wskeep.deb")
    service.wait_ready()
    assert service.pid != before, "the new program runs"
    assert service.machine.path("/etc/wskeep/wskeep.yaml").read_text() == CONFIGURATION
    rights = service.machine.run("stat", "--format=%a %U %G", "/etc/wskeep/wskeep.yaml").stdout.strip()
    assert rights == "640 root wskeep"
    # What the administrator has switched off stays off.
    service.machine.run("systemctl", "disable", "--now", "wskeepd")
    service.machine.run("dpkg", "--install", "/root/wskeep.deb")
    assert service.machine.run("systemctl", "is-enabled", "wskeepd", check=False).stdout.strip() == "disabled"
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    service.machine.run("systemctl", "enable", "wskeepd")
