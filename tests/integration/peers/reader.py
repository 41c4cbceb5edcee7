"""A local app that reads, and keeps an account that outlives it: stopped, killed, and started again with its last cursor.

    reader.py SOCKET TARGET KIND ACCOUNT      KIND: plain, v1, ndjson

Each line of ACCOUNT is written before anything more is read: `hello EPOCH NEXT`, `got NUMBER FIRST LAST` (NUMBER: what
upstream wrote into the first, `-` where the kind has no numbers of its own), `gap FROM TO`, `end WORDS`. Plain readers know
no sequence numbers: for them FIRST and LAST are upstream's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.byte_stream import ByteStream, Ended  # noqa: E402
from support.frames import Opcode  # noqa: E402
from support.local import Subscriber, connect  # noqa: E402

FOR_EVER = 3600.0


class Account:
    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._run: list[int] | None = None

    def got(self, number: int, sequence: int) -> None:
        """Runs of messages that follow one another become one line."""
        if self._run and sequence == self._run[2] + 1 and number == self._run[0] + sequence - self._run[1]:
            self._run[2] = sequence
            return
        self.flush()
        self._run = [number, sequence, sequence]

    def flush(self) -> None:
        if self._run:
            self.say("got", *self._run)
        self._run = None

    def note(self, *words: object) -> None:
        self.flush()
        self.say(*words)

    def say(self, *words: object) -> None:
        os.write(self._file, (" ".join(str(word) for word in words) + "\n").encode())


def number_of(payload: bytes) -> int:
    return int(payload[:payload.index(b":")])


def take_event(account: Account, event: dict[str, object]) -> None:
    if event["event"] == "hello":
        account.note("hello", event["epoch"], event["next"])
    elif event["event"] == "gap":
        account.note("gap", event["from"], event["to"])
    else:
        account.note("event", event["event"], event.get("away_ms"))


def read_websocket(account: Account, path: Path, target: str, v1: bool) -> None:
    name, _, query = target.partition("?")
    app = Subscriber(path, name, query, "wskeep.v1" if v1 else None)
    while True:
        found = app.read_frame(FOR_EVER)
        if found.opcode == Opcode.CLOSE:
            return account.note("end", found.payload[2:].decode())
        if v1 and found.payload.startswith(b"{"):
            take_event(account, json.loads(found.payload))
        elif v1:
            line, _, payload = found.payload.partition(b"\n")
            account.got(number_of(payload), int(line.split()[0]))
        else:
            number = number_of(found.payload)
            account.got(number, number)
        if len(app.buffer) < 8192:  # before it waits for more
            account.flush()


def read_lines(account: Account, path: Path, target: str) -> None:
    stream = ByteStream(connect(path))
    name, _, query = target.partition("?")
    stream.send(f"GET /v1/connections/{name}/messages?follow=true&{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert b" 200 " in stream.read_through(b"\r\n\r\n")
    body = bytearray()
    while True:
        size = int(stream.read_through(b"\r\n", FOR_EVER), 16)
        body += stream.read_exactly(size + 2, FOR_EVER)[:-2]
        if size == 0:
            return account.note("end")
        *lines, rest = body.split(b"\n")
        body = bytearray(rest)
        for line in lines:
            found = json.loads(line)
            if "seq" in found:
                account.got(number_of(found["data"].encode()), found["seq"])
            else:
                take_event(account, found)
        if len(stream.buffer) < 8192:
            account.flush()


def main() -> None:
    path, target, kind, file = sys.argv[1:]
    account = Account(file)
    try:
        if kind == "ndjson":
            read_lines(account, Path(path), target)
        else:
            read_websocket(account, Path(path), target, kind == "v1")
    except (Ended, OSError):
        account.note("end", "connection")


main()
