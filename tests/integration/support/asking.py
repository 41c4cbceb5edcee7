"""A local program that connects again and again, each time for one answer."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

from .local import request


class Asking:
    """While it is entered. A connection that the daemon ends at its own end is no refusal: it was made."""

    def __init__(self, path: Path) -> None:
        self.answered = 0
        self.refused: list[OSError] = []
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        while not self._over.wait(0.01):
            try:
                request(self._path, "GET", "/healthz")
                self.answered += 1
            except (ConnectionRefusedError, FileNotFoundError, TimeoutError) as error:
                self.refused.append(error)
            except OSError:
                pass

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
