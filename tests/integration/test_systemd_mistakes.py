"""What somebody does wrong who has just installed it, and where he is told what to do: CLI, journal, `systemctl status`."""

from __future__ import annotations

import pytest

from support import machine as machines
from support.service import CONFIGURATION, FILE, PORT, Service
from support.waiting import wait_for

_NOT_HERE = machines.why_not()
_CONNECTION = f"connections: {{feed: {{url: 'ws://127.0.0.1:{PORT}/feed'}}}}\n"

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)

# Each: what is in the file, what is done to it, and the words that the status and the journal have.
WRONG_STARTS = {
    "unknown key": ("connections: {feed: {url: 'ws://127.0.0.1:1/', histroy: 1MiB}}\n", "", [f"{FILE}:1:", "histroy", "history"]),
    "no scheme": ("connections: {feed: {url: stream.example.com/ws}}\n", "", [f"{FILE}:1:", "ws://", "wss://"]),
    "a tab": ("connections:\n\tfeed: {url: 'ws://h/'}\n", "", [f"{FILE}:2:", "tab", "spaces"]),
    "a duration without a unit": ("connections: {feed: {url: 'ws://h/', timeouts: {connect: 10}}}\n", "", [f"{FILE}:1:", "unit"]),
    "not readable": (_CONNECTION, f"chown root:root {FILE}; chmod 600 {FILE}", ["Permission denied", f"chgrp wskeep {FILE}"]),
    "not there": (_CONNECTION, f"rm {FILE}", ["No such file", f"wskeep init {FILE}"]),
    "a token in /root": ("connections: {feed: {url: 'ws://h/', authorization: {bearer: '${file:/root/token}'}}}\n", "touch /root/token",
                         ["/root/token", "/etc/wskeep"]),
    "a credential that nobody gives": ("connections: {feed: {url: 'ws://h/', authorization: {bearer: '${credential:key}'}}}\n", "",
                                       ["LoadCredential=key:"]),
    "a port that is taken": (f"metrics: {{listen: '127.0.0.1:{PORT}'}}\n{_CONNECTION}", "", ["metrics.listen", "another program", f":{PORT}"]),
    "a port of root's": (f"metrics: {{listen: '127.0.0.1:80'}}\n{_CONNECTION}", "", ["metrics.listen", "1024"]),
    "a socket elsewhere": (f"ipc: {{socket: /srv/wskeep.sock}}\n{_CONNECTION}", "", ["/srv/wskeep.sock", "/run/wskeep"]),
    "a group that does not exist": (f"ipc: {{group: traders}}\n{_CONNECTION}", "", ["'traders'", "groupadd"]),
    "a group that it is not in": (f"ipc: {{group: adm}}\n{_CONNECTION}", "", ["'adm'", "SupplementaryGroups=adm"]),
}


@pytest.mark.parametrize("mistake", WRONG_STARTS)
def test_it_does_not_start(mistake: str, service: Service) -> None:
    text, command, words = WRONG_STARTS[mistake]
    service.configure(text)
    try:
        if command:
            service.machine.run("sh", "-c", command)
        assert service.systemctl("restart", "wskeepd", check=False).returncode != 0
        # One that may mend itself is tried again: the next attempt takes the status away for a moment.
        status = wait_for(lambda: service.machine.property("wskeepd", "StatusText"), "the status says something")
        assert all(word in status for word in words), status
        service.wait_journal(*words)
    finally:
        service.systemctl("stop", "wskeepd", check=False)
        service.configure()
        service.machine.run("sh", "-c", f"chown root:wskeep {FILE}; chmod 640 {FILE}")


def test_who_is_not_in_the_group(service: Service) -> None:
    refused = service.machine.run("runuser", "-u", "mallory", "--", "wskeep", "list", check=False)
    assert refused.returncode == 3
    assert "not in the group wskeep" in refused.stderr and "sudo adduser mallory wskeep" in refused.stderr, refused
    # Added, but still in the old login.
    service.machine.run("adduser", "mallory", "wskeep")
    try:
        early = service.machine.run("setpriv", "--reuid=mallory", "--regid=mallory", "--clear-groups", "wskeep", "list", check=False)
        assert early.returncode == 3 and "log in again" in early.stderr and "adduser" not in early.stderr, early
        assert service.machine.run("runuser", "-u", "mallory", "--", "wskeep", "list").returncode == 0
    finally:
        service.machine.run("deluser", "mallory", "wskeep")


def test_who_has_no_right_to_control(service: Service) -> None:
    for command in (["reload"], ["pause", "feed"]):
        refused = service.as_alice("wskeep", *command, check=False)
        assert refused.returncode == 4 and "access" in refused.stderr and "sudo" in refused.stderr, refused


def test_the_daemon_does_not_run(service: Service) -> None:
    service.systemctl("stop", "wskeepd")
    refused = service.as_alice("wskeep", "list", check=False)
    assert refused.returncode == 3
    assert "sudo systemctl start wskeepd" in refused.stderr and "systemctl status wskeepd" in refused.stderr, refused


def test_a_misspelled_name(service: Service) -> None:
    refused = service.as_alice("wskeep", "tail", "fed", check=False)
    assert refused.returncode == 4 and "fed" in refused.stderr and "wskeep list" in refused.stderr, refused


def test_what_takes_a_restart_is_said(service: Service) -> None:
    """A change that a reload cannot make: the reload does the rest, and the status says what is left."""
    service.configure("metrics: {listen: '127.0.0.1:9464'}\n" + CONFIGURATION)
    service.systemctl("reload", "wskeepd")
    assert "metrics.listen" in service.wait_status("systemctl restart wskeepd")
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
    assert "metrics.listen" not in service.wait_status("1 of 1 connections ready")


def test_init_replaces_what_the_package_brought_and_nothing_else(service: Service) -> None:
    service.machine.path("/root/brought").mkdir(exist_ok=True)
    service.machine.run("dpkg-deb", "--extract", "/root/wskeep.deb", "/root/brought")
    service.machine.run("cp", "/root/brought/etc/wskeep/wskeep.yaml", FILE)
    arguments = ["wskeep", "init", FILE, "--url", f"ws://127.0.0.1:{PORT}/feed", "--name", "mine"]
    denied = service.machine.run("runuser", "-u", "mallory", "--", "wskeep", "init", FILE, "--url", "ws://h/", check=False)
    assert denied.returncode == 1 and "sudo" in denied.stderr, denied
    written = service.machine.run(*arguments)
    assert "sudo systemctl restart wskeepd" in written.stdout and "wskeep tail mine" in written.stdout
    assert service.machine.run("stat", "--format=%a %U %G", FILE).stdout.strip() == "640 root wskeep"
    again = service.machine.run(*arguments, check=False)
    assert again.returncode == 1 and "--force" in again.stderr
    # A file that is new there can be read by the daemon as well.
    service.machine.path(FILE).unlink()
    service.machine.run(*arguments)
    assert service.machine.run("stat", "--format=%a %U %G", FILE).stdout.strip() == "640 root wskeep"
    service.systemctl("restart", "wskeepd")
    service.wait_ready()
