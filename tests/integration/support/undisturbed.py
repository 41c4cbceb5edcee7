"""Messages that flow while the daemon is busy with something else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from . import frames
from .local import Subscriber
from .scripted_server import Peer


def longest_exchange(peer: Peer, app: Subscriber, goes_on: Callable[[], bool]) -> float:
    """Messages go through one after the other, as long as that says so. Which share of the time was the longest that one took.

    A shard that does something in one go lets nothing through until that is done: 1. Now and then the machine does so, too.
    """
    begin, longest = time.monotonic(), 0.0
    while goes_on():
        sent = time.monotonic()
        peer.send(frames.text("tick"))
        assert app.read_message().payload == b"tick"
        longest = max(longest, time.monotonic() - sent)
    return longest / (time.monotonic() - begin)


@pytest.fixture
def refusing() -> Iterator[int]:
    """A port of this machine at which nobody listens, nor will."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
