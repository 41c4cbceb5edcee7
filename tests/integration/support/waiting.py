"""Waiting for what becomes true, never for time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .byte_stream import DEADLINE

Value = TypeVar("Value")


def wait_for(condition: Callable[[], Value], what: str = "", timeout: float = DEADLINE) -> Value:
    """The first true value of `condition`; fails the test when none came in time."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never came true: {what or condition} (last: {value!r})")
        time.sleep(0.005)
