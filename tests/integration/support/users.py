"""Local apps of other users. The kernel notes who connects when connect(2) is called; the socket may go anywhere then."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from .local import Response, Subscriber, V1Subscriber, request

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")

# Nobody has to be there for them: rights go by number.
ALICE, BOB, CAROL = 60_001, 60_002, 60_003
READERS, WRITERS = 61_001, 61_002
NOBODY = 65_534


@contextmanager
def acting_as(uid: int, gid: int | None = None, groups: Sequence[int] = ()) -> Iterator[None]:
    """Within it this process has another user's effective ids."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


class User:
    """Someone who uses a daemon's socket."""

    def __init__(self, path: Path, uid: int, gid: int | None = None, groups: Sequence[int] = ()) -> None:
        self._path = path
        self._who = (uid, gid, groups)

    def request(self, method: str, target: str, body: bytes | None = None) -> Response:
        with acting_as(*self._who):
            return request(self._path, method, target, body)

    def get(self, target: str) -> Response:
        return self.request("GET", target)

    def post(self, name: str, body: bytes) -> Response:
        return self.request("POST", f"/v1/connections/{name}/messages", body)

    def subscribe(self, name: str, query: str = "") -> Subscriber:
        with acting_as(*self._who):
            return Subscriber(self._path, name, query)

    def subscribe_v1(self, name: str, query: str = "") -> V1Subscriber:
        with acting_as(*self._who):
            return V1Subscriber(self._path, name, query)


def open_to_all(folder: Path) -> None:
    """So that the sockets in it can be found by others."""
    folder.chmod(0o755)


def let_in(socket: Path, uid: int) -> User:
    """A user whom the files' modes let connect: what he may do there is the daemon's to say."""
    socket.chmod(0o666)
    for folder in list(socket.parents)[:2]:
        open_to_all(folder)
    return User(socket, uid)
