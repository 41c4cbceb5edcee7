"""Programs that a test starts beside the daemon, and ends."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from .waiting import wait_for


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def need(program: str) -> str:
    """Where it is; skips the test where it is not."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{program} is not installed")
    return path


def accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


class Program:
    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        """What it printed so far, errors too."""
        return self._output.read_text(errors="replace")

    def wait_for_output(self, words: str) -> str:
        def printed() -> str:
            found = self.output
            assert words in found or self.process.poll() is None, f"ended with {self.process.returncode}: {found}"
            return found if words in found else ""

        return wait_for(printed, f"{self.process.args!r} prints {words!r}")


class Processes:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs: list[Program] = []

    def start(self, command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Program:
        output = self._folder / f"program{len(self._programs)}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       env=os.environ | (environment or {}))
        self._programs.append(Program(process, output))
        return self._programs[-1]

    def start_listening(self, command: Sequence[str | Path], port: int, environment: dict[str, str] | None = None) -> Program:
        """Starts a server, and waits until it accepts on `port`."""
        program = self.start(command, environment)

        def ready() -> bool:
            assert program.process.poll() is None, program.output
            return accepts(port)

        wait_for(ready, f"{command[0]} listens")
        return program

    def end(self) -> None:
        for program in self._programs:
            if program.process.poll() is None:
                program.process.terminate()
        for program in self._programs:
            try:
                program.process.wait(5)
            except subprocess.TimeoutExpired:
                program.process.kill()
                program.process.wait()
