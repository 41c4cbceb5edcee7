"""Starts the benchmark's processes, reads what they cost, and ends them."""

import ctypes
import json
import os
import select
import signal
import subprocess
import time

RELAY_CORE = 0
LOAD_CORE = 1

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """A process did not do what it should; the text says which and shows its last words."""


class Process:
    """A child process that is bound to one core and dies with the runner, however that ends."""

    def __init__(self, name, command, core, folder, environment=None):
        self.name = name
        self._log = os.path.join(folder, f"{name}.log")
        self._pending = b""

        nice = os.getpriority(os.PRIO_PROCESS, 0)

        def prepare():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            # Where sessions are scheduled as groups, a process's nice counts only inside of its own.
            if nice != 0 and os.path.exists("/proc/self/autogroup"):
                with open("/proc/self/autogroup", "w", encoding="ascii") as group:
                    group.write(str(nice))
            os.sched_setaffinity(0, {core})

        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if core == LOAD_CORE else log,
                stderr=log,
                env={**os.environ, **(environment or {})},
                preexec_fn=prepare,
                start_new_session=True,  # Ctrl-C is the runner's to handle
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def command(self, line):
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def event(self, deadline):
        """The next event, or None when there is none before the deadline."""
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                return None
            received = os.read(self._process.stdout.fileno(), 65536)
            if not received:
                raise self.failure("ended")
            self._pending += received
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def wait_for(self, accept, what, seconds):
        """The first event that `accept` takes."""
        deadline = time.monotonic() + seconds
        while (event := self.event(deadline)) is not None:
            if accept(event):
                return event
        raise self.failure(f"has not {what} within {seconds} s")

    def require_alive(self):
        if self._process.poll() is not None:
            raise self.failure(f"ended with {self._process.returncode}")

    def failure(self, what):
        with open(self._log, "rb") as log:
            words = log.read().decode(errors="replace").strip()[-1000:]
        return Failure(f"{self.name} {what}" + (f": {words}" if words else ""))

    def cpu_ns(self):
        """User and system time of all its threads, those that have ended too."""
        # The kernel's clock of another process has this number (see clock_getcpuclockid(3)).
        # It counts nanoseconds, where /proc/PID/stat counts hundredths of a second.
        return time.clock_gettime_ns((~self._process.pid << 3) | 2)

    def memory(self):
        """KiB. `pss` is resident memory without counting shared pages twice."""
        wanted = {"Rss": "rss", "Pss": "pss", "VmPTE": "page_tables"}
        found = {}
        for file in ("smaps_rollup", "status"):
            with open(f"/proc/{self._process.pid}/{file}", encoding="ascii") as lines:
                for line in lines:
                    key, _, value = line.partition(":")
                    if key in wanted:
                        found[wanted[key]] = int(value.split()[0])
        return found
