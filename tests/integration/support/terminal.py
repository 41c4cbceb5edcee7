"""A pseudo-terminal with a program on it, and what a person would see there."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path

from .byte_stream import DEADLINE

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Screen:
    """Cells and a cursor; knows the sequences that our programs write, and fails on any other."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.cursor_shown = True
        self.alternate = False
        self.colored = False
        self.cleared = 0
        """How often the whole screen was cleared, which would flicker."""
        self._pending = ""
        self._late = 0

    def resize(self, columns: int, rows: int) -> None:
        self.cells = [(line + [" "] * columns)[:columns] for line in (self.cells + [[] for _ in range(rows)])[:rows]]
        self.columns, self.rows = columns, rows
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)
        # What is being written, and what was put together before the program could know, is for the old size.
        self._late = 2

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.cells).rstrip()

    def write(self, text: str) -> None:
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = _SEQUENCE.match(text, at)
                if match is None:
                    assert len(text) - at < 20, f"not known: {text[at:at + 20]!r}"
                    self._pending = text[at:]
                    return
                self._obey(match[1], match[2], match[3])
                at = match.end()
                continue
            self._put(text[at])
            at += 1

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.column = 0
            if self.row + 1 < self.rows:
                self.row += 1
            else:
                self.cells = self.cells[1:] + [[" "] * self.columns]
        elif self.column < self.columns or not self._late:
            assert self.column < self.columns, f"a line is wider than the terminal: {self.text[-300:]!r}"
            self.cells[self.row][self.column] = letter
            self.column += 1

    def _obey(self, private: str, parameters: str, final: str) -> None:
        if private:
            shown = final == "h"
            if parameters == "25":
                self.cursor_shown = shown
            elif parameters == "1049":
                self.alternate = shown
            else:
                raise AssertionError(f"not known: ?{parameters}{final}")
        elif final == "m":
            self.colored = True
        elif final == "H":
            assert parameters == ""
            self.row = self.column = 0
        elif final == "A":
            self.row = max(0, self.row - int(parameters or 1))
        elif final == "K":
            self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
        elif final == "J":
            if parameters == "2":
                self.cleared += 1
                self.cells = [[" "] * self.columns for _ in range(self.rows)]
            else:
                self._late = max(0, self._late - 1)  # the end of a picture
                self.cells[self.row][self.column:] = [" "] * (self.columns - self.column)
                for row in range(self.row + 1, self.rows):
                    self.cells[row] = [" "] * self.columns
        else:
            raise AssertionError(f"not known: {parameters}{final}")


class Terminal:
    def __init__(self, command: Sequence[str | Path], environment: dict[str, str], columns: int = 80, rows: int = 24) -> None:
        self.screen = Screen(columns, rows)
        self._file, other = pty.openpty()
        self._set_size()
        self.process = subprocess.Popen([str(part) for part in command], stdin=other, stdout=other, stderr=other,
                                        env=environment, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(other)

    def _set_size(self) -> None:
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", self.screen.rows, self.screen.columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Gives the program its SIGWINCH."""
        while select.select([self._file], [], [], 0)[0] and self.take(0):
            pass
        self.screen.resize(columns, rows)
        self._set_size()

    def press(self, keys: str) -> None:
        os.write(self._file, keys.encode())

    def take(self, timeout: float) -> bool:
        """What has been written until now; False: nothing, and there will be nothing more."""
        if not select.select([self._file], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self._file, 65_536)
        except OSError:  # the program has ended, and with it the other side
            return False
        # A character may be cut in two; what matters here is ASCII.
        self.screen.write(data.decode(errors="replace"))
        return bool(data)

    def wait_for(self, *words: str, without: str = "", timeout: float = DEADLINE) -> str:
        """The screen, once it shows all these words."""
        deadline = time.monotonic() + timeout
        while True:
            text = self.screen.text
            if all(word in text for word in words) and not (without and without in text):
                return text
            assert time.monotonic() < deadline, f"never shows {words} without {without!r}:\n{text}"
            self.take(0.05)

    def wait_for_end(self) -> int:
        deadline = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"does not end:\n{self.screen.text}"
            self.take(0.05)
        while self.take(0):
            if not select.select([self._file], [], [], 0)[0]:
                break
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._file)
