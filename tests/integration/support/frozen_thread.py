"""One thread of a program that stands still, while the others go on: as a loop that is stuck would."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Its tracer is a process of its own, which also buries the thread when somebody kills the program.
_TRACER = """
import ctypes, os, sys
PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
thread = int(sys.argv[1])
for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
    if ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, WALL)
print("frozen", flush=True)
while True:
    try:
        _, status = os.waitpid(thread, WALL)
    except ChildProcessError:
        break
    if not os.WIFSTOPPED(status):
        break
"""


def event_loops(process: int) -> list[int]:
    """The threads that wait in epoll_wait(2) now, the first one first."""
    found = []
    for task in sorted(Path(f"/proc/{process}/task").iterdir(), key=lambda path: int(path.name)):
        with contextlib.suppress(OSError):
            if (task / "syscall").read_text().split()[0] in ("232", "281"):
                found.append(int(task.name))
    return found


@contextlib.contextmanager
def frozen(thread: int) -> Iterator[None]:
    """It goes on when this ends, if it is still there."""
    tracer = subprocess.Popen([sys.executable, "-c", _TRACER, str(thread)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    try:
        assert tracer.stdout is not None and tracer.stderr is not None
        assert tracer.stdout.readline() == "frozen\n", tracer.stderr.read()
        yield
    finally:
        tracer.kill()
        tracer.communicate()
