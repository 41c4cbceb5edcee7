"""A wskeepd of the test's own, in a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import metrics
from .byte_stream import DEADLINE
from .local import Response, Subscriber, V1Subscriber, request
from .waiting import wait_for

QUICK_RECONNECT = {"initial": "10ms", "max": "50ms"}
_SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


def build_folder() -> Path:
    default = Path(__file__).resolve().parents[3] / "build" / "dev"
    return Path(os.environ.get("WSKEEP_BUILD", default)).resolve()


def sanitized() -> bool:
    """Whether what is tested was built with a sanitizer, which makes it slow and large."""
    program = (build_folder() / "wskeepd").read_bytes()
    return b"__asan_init" in program or b"__tsan_init" in program


def program_environment() -> dict[str, str]:
    """Sanitizers say what they find and make the exit code tell, so that no report goes unseen."""
    return os.environ | {
        # What was freed is kept for a while to be watched: little of it, for tests look at the daemon's memory.
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:quarantine_size_mb=4:thread_local_quarantine_size_kb=64:exitcode=99",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "TSAN_OPTIONS": "exitcode=99:second_deadlock_stack=1",
    }


def write_configuration(file: Path, settings: dict[str, Any]) -> Path:
    """JSON is YAML; so no YAML library is needed to write one."""
    file.write_text(json.dumps(settings, indent=2) + "\n")
    return file


class Daemon:
    expected_exit = 0

    def __init__(self, folder: Path, settings: dict[str, Any] | str, environment: dict[str, str] | None = None, *,
                 within: Sequence[str | Path] = (), stderr: int | None = None) -> None:
        """`settings` that are a text are a file as a user writes it, without the socket. `within`: a command that ends with running
        another one. `stderr` none: the file of the log, which stdout is."""
        self.folder = folder
        self.file = folder / "wskeep.yaml"
        if isinstance(settings, str):
            self.socket = folder / "wskeep.sock"
            self.file.write_text(f"{settings}\nipc: {{socket: {self.socket}}}\n")
        else:
            self.socket = Path(settings.setdefault("ipc", {}).setdefault("socket", str(folder / "wskeep.sock")))
            write_configuration(self.file, settings)
        self._told = False
        self.log_file = folder / "wskeepd.log"
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*within, build_folder() / "wskeepd", "--config", self.file], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log if stderr is None else stderr, env=program_environment() | (environment or {}))
        wait_for(self._answers, "the daemon answers /healthz")

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"wskeepd ended with {self.process.returncode}:\n{self.log}"
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    # What it says of itself.

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def log_has(self, *words: str) -> bool:
        """One line of the log has all these words."""
        return any(all(word in line for word in words) for line in self.log.splitlines())

    def get(self, target: str) -> Response:
        return request(self.socket, "GET", target)

    def post(self, name: str, body: bytes, content_type: str = "text/plain") -> Response:
        return request(self.socket, "POST", f"/v1/connections/{name}/messages", body, Content_Type=content_type)

    def control(self, name: str, what: str) -> Response:
        """reconnect, pause or resume."""
        return request(self.socket, "POST", f"/v1/connections/{name}/{what}")

    def connection(self, name: str) -> dict[str, Any]:
        response = self.get(f"/v1/connections/{name}")
        assert response.status == 200, response
        return response.json

    def wait_state(self, name: str, *states: str, timeout: float = DEADLINE) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            found = self.connection(name)
            return found if found["state"] in states else None

        return wait_for(reached, f"{name} is {' or '.join(states)}; log:\n{self.log[-2000:]}", timeout)

    def wait_error(self, name: str, error: str, timeout: float = DEADLINE) -> dict[str, Any]:
        """Until the connection's last error has that name."""
        def reached() -> dict[str, Any] | None:
            found = self.connection(name)["last_error"]
            return found if found and found["error"] == error else None

        try:
            return wait_for(reached, timeout=timeout)
        except AssertionError:
            raise AssertionError(f"{name}: expected last_error {error}, has {self.connection(name)['last_error']}; "
                                 f"log:\n{self.log[-2000:]}") from None

    def metrics(self) -> dict[str, metrics.Family]:
        response = self.get("/metrics")
        assert response.status == 200
        return metrics.parse(response.body.decode())

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Local apps.

    def subscribe(self, name: str, query: str = "", receive_buffer: int | None = None) -> Subscriber:
        return Subscriber(self.socket, name, query, receive_buffer=receive_buffer)

    def subscribe_v1(self, name: str, query: str = "", receive_buffer: int | None = None) -> V1Subscriber:
        return V1Subscriber(self.socket, name, query, receive_buffer)

    # Its end.

    def terminate(self) -> None:
        """Once: a second SIGTERM would end it at once, without a word to anybody."""
        if self._told:
            return
        self._told = True
        self.process.send_signal(signal.SIGTERM)  # does nothing when it has ended

    def wait(self, timeout: float = DEADLINE) -> int:
        return self.process.wait(timeout)

    def end(self) -> None:
        """At the end of each test: it goes cleanly, and no sanitizer had anything to say."""
        self.terminate()
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"SIGTERM did not end wskeepd; log:\n{self.log[-4000:]}") from None
        assert not _SANITIZER_REPORT.search(self.log), self.log[-20_000:]
        assert self.process.returncode == self.expected_exit, f"exit code {self.process.returncode}; log:\n{self.log[-4000:]}"


def run_program(name: str, arguments: Sequence[str | Path], *, timeout: float = DEADLINE, stdin: str | bytes | None = None,
                environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs wskeepd or wskeep to its end."""
    data = stdin.decode() if isinstance(stdin, bytes) else stdin
    done = subprocess.run([build_folder() / name, *arguments], input=data if data is not None else "", capture_output=True,
                          encoding="utf-8", errors="replace", timeout=timeout, env=program_environment() | (environment or {}))
    assert not _SANITIZER_REPORT.search(done.stderr), done.stderr
    return done
