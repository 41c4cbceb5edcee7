"""The installed package under a real systemd: rights, hardening, upgrade, removal. Its life there: test_systemd_life.py."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import machine as machines
from support.asking import Asking
from support.local import V1Subscriber, request
from support.package import other_version
from support.service import CONFIGURATION, FILE, Service
from support.waiting import wait_for

EXPOSURE = 1.2
_NOT_HERE = machines.why_not()

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


def test_a_fresh_installation_runs(installed: Service) -> None:
    assert installed.first_state == "active", installed.first_log
    wait_for(lambda: "listening" in installed.machine.journal("wskeepd"), "the journal has its first line")
    assert installed.systemctl("is-enabled", "wskeepd").stdout.strip() == "enabled"
    assert installed.systemctl("is-enabled", "wskeepd.socket", check=False).stdout.strip() == "disabled"
    rights = installed.machine.run("stat", "--format=%a %U %G", "/etc/wskeep", "/etc/wskeep/wskeep.yaml").stdout.splitlines()
    assert rights == ["2750 root wskeep", "640 root wskeep"]


def test_it_runs_as_its_user_and_says_how_it_is(service: Service) -> None:
    assert service.machine.property("wskeepd", "ActiveState") == "active"
    assert service.machine.run("ps", "-o", "user=", "-p", str(service.pid)).stdout.strip() == "wskeep"
    assert "1" in service.wait_status("ready")
    service.wait_journal("listening")
    service.wait_journal("feed")


def test_who_may_use_the_socket(service: Service) -> None:
    listed = service.as_alice("wskeep", "list").stdout
    assert "feed" in listed and "ready" in listed
    refused = service.machine.run("runuser", "-u", "mallory", "--", "wskeep", "list", check=False)
    assert refused.returncode == 3 and "feed" not in refused.stdout, refused
    assert service.machine.run("runuser", "-u", "mallory", "--", "cat", "/etc/wskeep/wskeep.yaml", check=False).returncode != 0


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
    service.systemctl("stop", "wskeepd")  # systemd takes no socket for what runs already
    service.systemctl("enable", "--now", "wskeepd.socket")
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


def test_a_new_version_keeps_what_the_administrator_wrote(service: Service, folder: Path) -> None:
    """Another version, which brings another configuration: a file that was changed stays, and is what runs."""
    newer = other_version(service.package, folder, "99.0-1", "# Of the newer version.\n")
    service.machine.path("/root/newer.deb").write_bytes(newer.read_bytes())
    service.override("Nice=5")  # what `systemctl edit` would leave
    before, epoch = service.pid, V1Subscriber(service.socket, "feed").hello["epoch"]
    service.machine.run("dpkg", "--force-confdef", "--force-confold", "--install", "/root/newer.deb")
    service.wait_ready()
    assert service.pid != before and V1Subscriber(service.socket, "feed").hello["epoch"] != epoch, "the new program runs"
    assert service.machine.path(FILE).read_text() == CONFIGURATION
    assert "newer" in service.machine.path(f"{FILE}.dpkg-dist").read_text()
    assert service.machine.run("stat", "--format=%a %U %G", FILE).stdout.strip() == "640 root wskeep"
    assert service.machine.property("wskeepd", "Nice") == "5"
    assert "99.0-1" in service.machine.run("dpkg-query", "--show", "wskeep").stdout
    service.machine.path(f"{FILE}.dpkg-dist").unlink()
    service.machine.run("dpkg", "--force-confold", "--install", "/root/wskeep.deb")  # back again
    service.machine.path(f"{FILE}.dpkg-dist").unlink(missing_ok=True)
    assert service.machine.path(FILE).read_text() == CONFIGURATION


def test_an_upgrade_holds_local_programs_where_systemd_has_the_socket(service: Service) -> None:
    service.systemctl("stop", "wskeepd")
    service.systemctl("enable", "--now", "wskeepd.socket")
    service.systemctl("start", "wskeepd")
    service.wait_ready()
    before, inode = service.pid, service.socket.stat().st_ino
    with Asking(service.socket) as asking:
        service.machine.run("dpkg", "--install", "/root/wskeep.deb")
        service.wait_ready()
    assert asking.refused == [] and asking.answered > 0
    assert service.pid != before and service.socket.stat().st_ino == inode


def test_what_was_switched_off_stays_off(service: Service) -> None:
    service.systemctl("disable", "--now", "wskeepd")
    service.machine.run("dpkg", "--install", "/root/wskeep.deb")
    assert service.systemctl("is-enabled", "wskeepd", check=False).stdout.strip() == "disabled"
    assert service.machine.property("wskeepd", "ActiveState") == "inactive"
    service.systemctl("enable", "wskeepd")
