"""Where a daemon's log goes: pipes that nobody reads, full disks, and a journal that is the test's own."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from .byte_stream import DEADLINE
from .daemon import Daemon
from .processes import Processes, need
from .waiting import wait_for

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (trace  |debug  |info   |warning|error  ) (\S+) ([a-z_]+)((?: [a-z_]+=\S.*)?)")
"""A line of the text format: level, connection, event, fields."""


class LoggedDaemon(Daemon):
    """A wskeepd whose log is looked at closely."""

    def __init__(self, folder: Path, settings: dict[str, Any], *, environment: dict[str, str] | None = None, **how: Any) -> None:
        """In `environment` JOURNAL_STREAM may have {device} and {inode}: those of the file of the log."""
        log = folder / "wskeepd.log"
        log.touch()
        named = {"device": log.stat().st_dev, "inode": log.stat().st_ino}
        super().__init__(folder, settings, {key: value.format(**named) if key == "JOURNAL_STREAM" else value
                                            for key, value in (environment or {}).items()}, **how)

    def value(self, metric: str) -> float:
        return self.metrics()[metric].samples[0].value


class Pipe:
    """A full pipe at first: whoever writes into it waits."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, b"#" * 4095 + b"\n")
        except BlockingIOError:
            pass
        os.set_blocking(self.writer, True)
        self._pending = b""

    def read_until(self, words: str) -> list[str]:
        """Lines, until one has these words."""
        lines: list[str] = []
        os.set_blocking(self.reader, False)

        def found() -> bool:
            try:
                self._pending += os.read(self.reader, 1 << 16)
            except BlockingIOError:
                return False
            *whole, self._pending = self._pending.split(b"\n")
            lines.extend(line.decode() for line in whole if not line.startswith(b"#"))
            return any(words in line for line in lines)

        wait_for(found, f"a line has {words!r}")
        return lines

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


@functools.cache
def why_no_mounts() -> str:
    """Why this machine cannot give a program file systems of its own; empty: it can."""
    if os.geteuid() != 0:
        return "needs root, to mount"
    if shutil.which("unshare") is None:
        return "needs unshare"
    tried = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /run"], capture_output=True, text=True,
                           timeout=DEADLINE)
    return "" if tried.returncode == 0 else f"needs mount namespaces: {tried.stderr}"


def need_mounts() -> None:
    if why_no_mounts():
        pytest.skip(why_no_mounts())


def in_mounts(script: str, *arguments: str | Path) -> list[str | Path]:
    """Runs a command in a mount namespace of its own, which `script` makes what it is of $1, $2, ..."""
    return ["unshare", "--mount", "sh", "-ec", f'{script}\nshift {len(arguments)}\nexec "$@"', "sh", *arguments]


class Journal:
    """What stands for systemd's journal: /run/systemd/journal/socket for whoever is run by `command`."""

    def __init__(self, folder: Path, *, reads: bool = True) -> None:
        self._folder = folder
        self._reads = reads
        folder.mkdir()
        self.entries: list[dict[str, str]] = []
        self._socket: socket.socket | None = None
        self.begin()

    @property
    def command(self) -> list[str | Path]:
        return in_mounts('mount -t tmpfs tmpfs /run\nmkdir -p /run/systemd/journal\nmount --bind "$1" /run/systemd/journal',
                         self._folder)

    def begin(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self._folder / "socket"))
        if self._reads:
            threading.Thread(target=self._read, args=(self._socket,), daemon=True).start()

    def end(self) -> None:
        """It is not there any more: neither its socket nor the file of it."""
        assert self._socket is not None
        (self._folder / "socket").unlink()
        # Wakes the thread that reads.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket = None

    def _read(self, source: socket.socket) -> None:
        with source:
            while datagram := source.recv(1 << 20):
                self.entries.append(decoded(datagram))

    def find(self, event: str, **fields: str) -> dict[str, str] | None:
        wanted = {"WSKEEP_EVENT": event} | fields
        return next((entry for entry in list(self.entries) if wanted.items() <= entry.items()), None)

    def wait_for(self, event: str, **fields: str) -> dict[str, str]:
        return wait_for(lambda: self.find(event, **fields), f"{event} {fields} comes to the journal")


class RealJournal:
    """systemd's own, in a mount namespace of its own; it looks at nothing that is the machine's."""

    _PROGRAM = "/lib/systemd/systemd-journald"
    _SCRIPT = r"""mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/journald.conf.d /run/log/journal
printf '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\n' >/run/systemd/journald.conf.d/own.conf"""

    def __init__(self, processes: Processes) -> None:
        if not Path(self._PROGRAM).exists():
            pytest.skip(f"{self._PROGRAM} is not installed")
        self._journalctl = need("journalctl")
        self._process = processes.start([*in_mounts(self._SCRIPT), self._PROGRAM])
        # It speaks as soon as it listens, and that is the first thing it has to say.
        wait_for(self._begun, "it keeps a journal")

    def _begun(self) -> bool:
        assert self._process.process.poll() is None, self._process.output
        return bool(self.read("SYSLOG_IDENTIFIER=systemd-journald"))

    @property
    def command(self) -> list[str | Path]:
        """Runs a command where this is the machine's journal."""
        return ["nsenter", "--mount", f"--target={self._process.process.pid}"]

    def read(self, *matches: str) -> list[dict[str, Any]]:
        done = subprocess.run([*self.command, self._journalctl, "--directory=/run/log/journal", "--output=json", "--quiet", *matches],
                              capture_output=True, text=True, timeout=DEADLINE)
        return [json.loads(line) for line in done.stdout.splitlines()]


def decoded(datagram: bytes) -> dict[str, str]:
    """https://systemd.io/JOURNAL_NATIVE_PROTOCOL: NAME=VALUE lines, or NAME, a 64-bit size and any bytes."""
    fields: dict[str, str] = {}
    rest = datagram
    while rest:
        line, _, rest = rest.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name = line
            (size,) = struct.unpack("<Q", rest[:8])
            value = rest[8:8 + size]
            assert rest[8 + size:9 + size] == b"\n", datagram
            rest = rest[9 + size:]
        assert re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name), datagram
        assert name.decode() not in fields, f"{name!r} stands twice in {datagram!r}"
        fields[name.decode()] = value.decode()
    return fields
