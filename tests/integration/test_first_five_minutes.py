"""Somebody who has a clean Debian and README.md, and nothing else: from there to a message of a real connection."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import machine as machines
from support.certificates import Authority
from support.documents import ROOT, blocks_of
from support.machine import Machine
from support.package import the_package
from support.waiting import wait_for

_NOT_HERE = machines.why_not()
FIVE_MINUTES = 300

pytestmark = pytest.mark.skipif(bool(_NOT_HERE), reason=_NOT_HERE)


@pytest.fixture
def clean(authority: Authority) -> Iterator[Machine]:
    """A Debian with systemd and sudo, its administrator alice, the package in her folder, and a world to connect to."""
    folder = Path(tempfile.mkdtemp(prefix="wskeep-clean-"))
    machine = None
    try:
        machine = Machine(folder, the_package())
        machine.run("useradd", "--create-home", "--shell", "/bin/bash", "alice")
        machine.path("/etc/sudoers.d/alice").write_text("alice ALL=(ALL) NOPASSWD: ALL\n")
        shutil.copy(the_package(), machine.path("/home/alice"))
        # The rest of the world: a host that README.md names, and the authority that has certified it.
        name = machine.run("uname", "--nodename").stdout.strip()
        machine.path("/etc/hosts").write_text(f"127.0.0.1 localhost {name} stream.example.com\n")
        trusted = machine.path("/usr/local/share/ca-certificates")
        trusted.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority.certificate, trusted / "test.crt")
        leaf = authority.issue("stream", "DNS:stream.example.com")
        demo = machine.start_here(sys.executable, "-B", ROOT / "scripts/demo/server.py", "--certificate", leaf.certificate, "--key", leaf.key,
                                  "--port", "443", "--port-file", folder / "port")
        wait_for(lambda: (folder / "port").exists() or demo.process.poll() is not None, "the upstream listens")
        assert demo.process.poll() is None, demo.output
        yield machine
    finally:
        if machine is not None:
            machine.end()
        shutil.rmtree(folder, ignore_errors=True)


def test_from_a_clean_debian_to_a_message(clean: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = [block.text for block in blocks_of("README.md") if block.marker.startswith("five minutes:")]
    begin = time.monotonic()
    # A login of its own each time, as the README says.
    installed = clean.run("su", "--login", "alice", "--command", f"set -eux\n{first}", timeout=FIVE_MINUTES)
    assert "wskeep tail trades" in installed.stdout, "init has said what is next"
    looking = clean.start_inside("su", "--login", "alice", "--command", f"set -eu\n{second}")
    looking.wait_for_output('"price"')
    took = time.monotonic() - begin
    assert re.search(r"^trades +ready ", looking.output, re.MULTILINE) or "trades" in looking.output, looking.output
    assert took < FIVE_MINUTES
    assert clean.run("systemctl", "is-active", "wskeepd").stdout == "active\n"
    assert clean.run("systemctl", "is-enabled", "wskeepd").stdout == "enabled\n"
    wait_for(lambda: "1 of 1 connections ready" in clean.property("wskeepd", "StatusText"), "the status says so too")
    assert clean.run("stat", "--format=%a %U %G", "/etc/wskeep/wskeep.yaml").stdout == "640 root wskeep\n"
    with capsys.disabled():
        print(f"\nfrom `apt install` to the first message: {took:.1f} s", end=" ")
