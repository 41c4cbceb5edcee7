"""Local apps that read without WebSocket: NDJSON and server-sent events, by Python's own HTTP client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from .local import UnixConnection


@dataclass
class Event:
    """One server-sent event, as a browser would dispatch it."""

    name: str
    data: str
    last_id: str

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """A GET whose answer goes on. `lines` are those of the body, without their ends."""

    def __init__(self, path: Path, target: str, **headers: str) -> None:
        self._connection = UnixConnection(path)
        self._connection.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        self.response: HTTPResponse = self._connection.getresponse()
        self.socket = self._connection.sock
        assert self.response.status == 200, (self.response.status, self.response.read())

    def lines(self) -> Iterator[str]:
        while line := self.response.readline():
            yield line.decode().removesuffix("\n")

    def close(self) -> None:
        self.response.close()
        self._connection.close()


class Lines(Stream):
    """NDJSON."""

    def __init__(self, path: Path, target: str, **headers: str) -> None:
        super().__init__(path, target, **headers)
        assert self.response.headers["Content-Type"] == "application/x-ndjson"
        self._lines = self.lines()

    def read(self) -> Any:
        """The next object; None at the end."""
        line = next(self._lines, None)
        return None if line is None else json.loads(line)

    def read_event(self, *names: str) -> dict[str, Any]:
        while (found := self.read()) is not None:
            if found.get("event") in names:
                return found
        raise AssertionError(f"no {names} before the end")

    def read_data(self) -> str:
        """Of the next message."""
        while "event" in (found := self.read()):
            pass
        return found["data"]


@dataclass
class Events(Stream):
    """Server-sent events, read as WHATWG HTML, 9.2.6, says."""

    path: Path
    target: str
    last_event_id: str = ""
    last_id: str = ""
    retry: int | None = None
    comments: int = 0
    _fields: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.last_event_id} if self.last_event_id else {})
        super().__init__(self.path, self.target, **headers)
        assert self.response.headers["Content-Type"] == "text/event-stream"
        self.last_id = self.last_event_id
        self._fields = self.lines()

    def read(self) -> Event | None:
        """The next event; None at the end."""
        data: list[str] = []
        name = ""
        for line in self._fields:
            if line.startswith(":"):
                self.comments += 1
                continue
            if not line:
                if data:
                    return Event(name or "message", "\n".join(data), self.last_id)
                name = ""
                continue
            key, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if key == "data":
                data.append(value)
            elif key == "event":
                name = value
            elif key == "id":
                self.last_id = value
            elif key == "retry":
                self.retry = int(value)
        return None

    def read_message(self, *names: str) -> Event:
        """The next event of these names, or message."""
        while (found := self.read()) is not None:
            if found.name in (names or ("message", "binary", "escaped")):
                return found
        raise AssertionError(f"no {names} before the end")
