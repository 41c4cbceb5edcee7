"""The soak's local apps: readers whose account is kept, number by number, and others that come, misbehave and go."""

import contextlib
import json
import os
import random
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from support import frames
from support.byte_stream import Ended
from support.local import Message, Refused, Subscriber, V1Subscriber, request
from support.streams import Events, Lines

from .settings import CHURNING, STEADY

CHURNERS = 20
PUBLISHERS = 3
STAYING = 7
"""Readers that are there while all else rests."""


class Account:
    """What one reader got: each number once and in order, or told as lost. A fault is kept for the report."""

    def __init__(self, name):
        self.name = name
        self.next = None
        self.received = self.lost = self.gaps = 0
        self.fault = ""

    def take(self, sequence, payload):
        number = int(payload.split(maxsplit=1)[0])
        if number != sequence:
            raise AssertionError(f"message {number} came as number {sequence}")
        if self.next is not None and sequence != self.next:
            raise AssertionError(f"expected {self.next}, got {sequence}")
        self.next = sequence + 1
        self.received += 1

    def skip(self, event):
        if self.next is not None and event["from"] != self.next:
            raise AssertionError(f"expected a gap from {self.next}, was told {event}")
        self.next = event["to"] + 1
        self.lost += event["to"] - event["from"] + 1
        self.gaps += 1

    def item(self, item):
        if isinstance(item, Message):
            self.take(item.sequence, item.payload)
        elif item["event"] == "gap":
            self.skip(item)
        elif item["event"] in ("disconnected", "closed"):
            raise AssertionError(f"an untouched connection: {item}")


def read_plain(path, account, _):
    app = Subscriber(path, "steady")
    while True:
        payload = app.read_message().payload
        number = int(payload.split(maxsplit=1)[0])
        account.take(number, payload)


def read_v1(path, account, name, pause=None):
    app = V1Subscriber(path, name)
    while True:
        account.item(app.read_item())
        if pause and random.random() < 0.0002:
            time.sleep(random.random() * pause)


def read_lines(path, account, name):
    lines = Lines(path, f"/v1/connections/{name}/messages?follow=true")
    while True:
        found = lines.read()
        if "event" in found:
            account.item(found)
        else:
            account.take(found["seq"], found["data"])


def read_events(path, account, name):
    events = Events(path, f"/v1/connections/{name}/messages")
    while True:
        found = events.read()
        if found.name == "message":
            account.take(int(found.last_id.partition(":")[2]), found.data)
        else:
            account.item(found.json)


def come_back(path, account, name, resting):
    """Reads a while, is gone without a word, and goes on behind what it saw last."""
    cursor = ""
    while True:
        if resting.is_set():
            time.sleep(0.1)
            continue
        app = V1Subscriber(path, name, f"after={cursor}" if cursor else "")
        end = time.monotonic() + random.random() * 5
        while time.monotonic() < end:
            account.item(app.read_item())
        app.close()
        if account.next:
            cursor = f"{app.hello['epoch']}:{account.next - 1}"
        time.sleep(random.random() * 3)


# Those that churn. A deed ends when it likes, at the latest soon after the rest has begun.


class Churn:
    def __init__(self, path, resting):
        self._path, self._resting = path, resting
        self.count = 0

    def live(self, deeds):
        while True:
            if self._resting.is_set():
                time.sleep(0.1)
                continue
            try:
                random.choice(deeds)()
                self.count += 1
            except (OSError, Ended, Refused, AssertionError, ValueError, TypeError, AttributeError, StopIteration):
                pass  # refused, closed, cut off: that is the life they lead
            time.sleep(random.random() * 0.1)

    def _while_awake(self, seconds):
        end = time.monotonic() + random.random() * seconds
        while time.monotonic() < end and not self._resting.is_set():
            yield

    def _name(self):
        return random.choice(STEADY + CHURNING)

    def _query(self):
        return random.choice(("", "", "from=oldest", "gap=skip", "gap=close", "contains=7", "opcode=text", "json=/n:3", "from=oldest&contains=99"))

    def _use(self, app, seconds, read):
        """As apps end: politely, with a Close; without a word; with what they never read in their socket."""
        with contextlib.closing(app):
            for _ in self._while_awake(seconds):
                if read() is None:
                    return
            if isinstance(app, Subscriber) and random.random() < 0.3:
                app.send(frames.close(1000, masked=True))
                app.read_close(2)

    def _stream(self, stream):
        stream.response.fp.raw._sock.settimeout(1)  # http.client has let go of it, for the answer ends with the connection
        self._use(stream, 4, stream.read)

    def read_websocket(self):
        kind = random.choice((Subscriber, V1Subscriber))
        app = kind(self._path, self._name(), self._query())
        self._use(app, 4, lambda: app.read_frame(1))

    def never_read(self):
        app = Subscriber(self._path, self._name(), self._query(), receive_buffer=4096)
        self._use(app, 6, lambda: time.sleep(0.1) or True)

    def read_lines(self):
        kind = random.choice((f"{self._name()}/messages?follow=true", f"{self._name()}/messages?from=oldest", "*/messages?follow=true"))
        self._stream(Lines(self._path, f"/v1/connections/{kind}"))

    def read_server_sent(self):
        target = random.choice((f"/v1/connections/{self._name()}/messages", "/v1/connections/*/messages", "/v1/events"))
        self._stream(Events(self._path, target))

    def read_all(self):
        app = Subscriber(self._path, "*", random.choice(("", "from=oldest")), "wskeep.v1")
        self._use(app, 4, lambda: app.read_frame(1))

    def look(self):
        for target in ("/metrics", "/v1/connections", f"/v1/connections/{self._name()}", f"/v1/connections/{self._name()}/attempts",
                       "/v1/status", "/readyz", "/v1/connections/none", "/nonsense?x=%zz"):
            request(self._path, "GET", target)

    def control(self):
        request(self._path, "POST", f"/v1/connections/{random.choice(CHURNING)}/{random.choice(('reconnect', 'reconnect', 'pause', 'resume', 'resume'))}")

    def leave_inside_a_message(self):
        with contextlib.closing(Subscriber(self._path, random.choice(CHURNING))) as app:
            app.send(frames.text("x" * 5000, masked=True)[:2500])

    def reset(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._path))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(b"POST /v1/connections/echo/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nhalf")

    def reading(self):
        return (self.read_websocket, self.read_websocket, self.never_read, self.read_lines, self.read_server_sent, self.read_all,
                self.look, self.control, self.leave_inside_a_message, self.reset)

    def publish_by_post(self):
        for _ in self._while_awake(2):
            request(self._path, "POST", f"/v1/connections/{random.choice(('echo', 'scripted'))}/messages", b'{"echo":"' + b"p" * random.randrange(3000) + b'"}',
                    Content_Type="application/json")
            time.sleep(0.02)

    def publish_by_websocket(self):
        app = V1Subscriber(self._path, "echo")

        def publish():
            app.publish("one", "q" * random.choice((10, 500, 70_000)))  # the last is over max_message
            return app.read_event("sent", "failed", "queued", timeout=4)

        self._use(app, 5, publish)


class Clients:
    def __init__(self, path, resting):
        self.accounts = []
        self._threads = []
        self._path = path
        for name in ("steady", "burst"):
            pause = 6 if name == "burst" else None
            self._keep(f"wskeep.v1 of {name}", read_v1, name, pause)
            self._keep(f"ndjson of {name}", read_lines, name)
            self._keep(f"sse of {name}", read_events, name)
            self._keep(f"cursor of {name}", come_back, name, resting)
        self._keep("plain of steady", read_plain, None)
        self.churns = [Churn(path, resting) for _ in range(CHURNERS + PUBLISHERS)]
        for number, churn in enumerate(self.churns):
            deeds = churn.reading() if number < CHURNERS else (churn.publish_by_post, churn.publish_by_websocket)
            threading.Thread(target=churn.live, args=(deeds,), daemon=True).start()

    def _keep(self, name, read, *arguments):
        account = Account(name)
        self.accounts.append(account)

        def run():
            try:
                read(self._path, account, *arguments)
            except BaseException as fault:  # noqa: BLE001 - told by the report
                account.fault = f"{type(fault).__name__}: {fault}"

        threading.Thread(target=run, daemon=True).start()

    def report(self):
        return {"accounts": [vars(account) for account in self.accounts], "deeds": sum(churn.count for churn in self.churns)}


def run(path, resting, reports):
    """The process of all of them; puts a report into the queue each second."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    clients = Clients(Path(path), resting)
    while os.getppid() > 1:
        time.sleep(1)
        reports.put(json.dumps(clients.report()))
