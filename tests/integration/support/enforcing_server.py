"""Upstreams that enforce what real ones enforce, played by the `websockets` library, which no one here wrote.

A subclass of `Upstream` plays one real upstream; its coroutine `session(client)` plays one session:

    class Coinbase(Upstream):
        host = "ws-feed.exchange.coinbase.com"      # as it stands in the URL of the example
        rules = {"subscribe": "a subscription within 5 s"}
        subscribe_within = 5.0                      # limits in seconds, which a test may give: Coinbase(context, subscribe_within=1)

        async def session(self, client):
            message = await client.hear_json("subscribe", within=self.subscribe_within)
            client.require("subscribe", message["type"] == "subscribe", message)
            await client.say({"type": "subscriptions"})
            await client.tell_for_ever(lambda number: {"type": "ticker", "sequence": number})

The server runs in a thread of its own, in an event loop of its own; `session` is called in it, once for each WebSocket.
When a rule is broken it is noted in `violations` for good, and the session is cut with a close code. A test of the whole
example ends with `upstream.check()`, which fails for any violation, even one that the client recovered from. A test of a
mutilated example ends with `upstream.wait_for_violation("subscribe")`: the server saw it, and cut.

Limits of time are for what a client never does, not for what it does late: generous ones, beside intervals in the
example that are scaled down, so that a machine under load breaks no rule.
"""

from __future__ import annotations

import asyncio
import http
import json
import ssl
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import websockets
from websockets.exceptions import ConnectionClosed
from websockets.legacy.framing import Frame
from websockets.legacy.server import WebSocketServerProtocol, serve

from .waiting import wait_for

FOR_EVER = 3600.0


class Violated(Exception):
    """The client broke a rule; the session is cut with this close code."""

    def __init__(self, rule: str, what: str, code: int = 1008, message: Any = None) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule
        self.what = what
        self.code = code
        self.message = message
        """Said before the cut, as upstreams that name the error do; None: nothing."""


@dataclass(frozen=True)
class Received:
    """One frame of the client, control frames too."""

    at: float
    """Seconds, of time.monotonic()."""
    opcode: int
    payload: bytes


class Client:
    """One session, as the server sees it. All of its coroutines are for the server's event loop."""

    def __init__(self, upstream: Upstream, protocol: _Protocol, number: int) -> None:
        self.upstream = upstream
        self.protocol = protocol
        self.number = number
        """1 for the first session that this upstream got."""
        url = urlsplit(protocol.path)
        self.path = url.path
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.headers = protocol.request_headers
        self.subprotocol = protocol.subprotocol
        self.frames = protocol.frames
        """All that came, in order, control frames too."""
        self.heard: list[str | bytes] = []
        """All messages that `hear` gave."""
        self._beside: set[asyncio.Task[None]] = set()

    # What it says.

    async def hear(self, rule: str, within: float = FOR_EVER) -> str | bytes:
        """The next message. None within so many seconds breaks the rule. A client that closes ends the session."""
        try:
            message = await asyncio.wait_for(self.protocol.recv(), within)
        except asyncio.TimeoutError:
            self.break_rule(rule, f"nothing came within {within} s")
        self.heard.append(message)
        return message

    async def hear_json(self, rule: str, within: float = FOR_EVER) -> Any:
        """The same, of a message that must be JSON."""
        message = await self.hear(rule, within)
        try:
            return json.loads(message)
        except ValueError:
            self.break_rule(rule, f"not JSON: {message!r}")

    # What it is told.

    async def say(self, message: Any) -> None:
        """Text as it is, bytes as a binary message, and anything else as JSON."""
        await self.protocol.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def tell_for_ever(self, message: Callable[[int], Any], every: float = 0.02) -> None:
        """message(1), message(2) and so on, until the session ends."""
        number = 0
        while True:
            number += 1
            await self.say(message(number))
            await asyncio.sleep(every)

    async def ping(self, rule: str, payload: bytes, within: float) -> None:
        """A ping whose pong must bring the same payload."""
        waiter = await self.protocol.ping(payload)
        try:
            await asyncio.wait_for(waiter, within)
        except asyncio.TimeoutError:
            self.break_rule(rule, f"no pong with {payload!r} within {within} s")

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Has it run beside `session` until that ends; a rule that it finds broken ends the session."""
        self._beside.add(asyncio.get_running_loop().create_task(work))

    # Its end.

    def break_rule(self, rule: str, what: Any, code: int = 1008, message: Any = None) -> Any:
        """Cuts the session: raises Violated. `message` is said before."""
        raise Violated(rule, what if isinstance(what, str) else json.dumps(what, default=repr), code, message)

    def require(self, rule: str, kept: bool, what: Any, code: int = 1008, message: Any = None) -> None:
        if not kept:
            self.break_rule(rule, what, code, message)

    async def end(self, code: int = 1000, reason: str = "") -> None:
        """An ordinary end, by the server."""
        await self.protocol.close(code, reason)

    async def wait_for_end(self) -> None:
        """Until the client has closed; messages until then are dropped."""
        await self.protocol.wait_closed()

    @property
    def close_code(self) -> int | None:
        """As the client gave it, once the session has ended; 1006: it gave none."""
        return self.protocol.close_code

    async def run(self, session: Coroutine[Any, Any, None]) -> None:
        """For Upstream alone: the session, and what runs beside it, until the first of them ends or fails."""
        main = asyncio.get_running_loop().create_task(session)
        try:
            while not main.done():
                done, _ = await asyncio.wait({main} | self._beside, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    self._beside.discard(task)
                    task.result()
        finally:
            tasks = {main} | self._beside
            # Before Python 3.12 a task that waits with a time-out may overlook that it is cancelled: when what it waits for
            # comes at that moment.
            while not all(task.done() for task in tasks):
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks, timeout=0.05)
            await asyncio.gather(*tasks, return_exceptions=True)


class _Protocol(WebSocketServerProtocol):
    upstream: Upstream

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.frames: list[Received] = []

    async def process_request(self, path: str, request_headers: Any) -> Any:
        return self.upstream.answer_request(path, request_headers)

    async def read_frame(self, max_size: int | None) -> Frame:
        found = await super().read_frame(max_size)
        self.frames.append(Received(time.monotonic(), found.opcode, found.data))
        try:
            self.upstream.frame_came(self.frames)
        except Violated as violated:
            self.upstream.cut(self, violated)
        return found


class Upstream:
    """One real upstream, which listens on a port of its own from the start. `close` ends it; the fixture does."""

    host = ""
    """HOST or HOST:PORT as it stands in the example's URL; a list where the example has several."""
    rules: dict[str, str] = {}
    """What it enforces: the name of each rule, and what the upstream's documents say."""
    subprotocols: list[str] | None = None
    compression: str | None = None
    """'deflate': it agrees to permessage-deflate."""

    def __init__(self, context: ssl.SSLContext, **limits: Any) -> None:
        for name, value in limits.items():
            assert hasattr(type(self), name), f"{type(self).__name__} has no limit {name}"
            setattr(self, name, value)
        self.context = context
        self.violations: list[Violated] = []
        self.faults: list[str] = []
        """Faults of the test itself: exceptions that `session` let go."""
        self.clients: list[Client] = []
        """Each session there was, in order."""
        self.requests: list[tuple[float, str, Any]] = []
        """Each upgrade request: time.monotonic(), path with query, headers."""
        self.counts: Counter[str] = Counter()
        """What a subclass counts, for the test to wait for: `upstream.wait_for_count("beats", 3)`."""
        self.loop = asyncio.new_event_loop()
        self._server: websockets.WebSocketServer | None = None
        self._thread = threading.Thread(target=self.loop.run_forever, name=type(self).__name__)
        self._thread.start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self.loop).result()

    # For a subclass to write.

    async def session(self, client: Client) -> None:
        """Plays one session; it is closed with 1000 when this returns."""
        raise NotImplementedError

    async def ended(self, client: Client) -> None:
        """Called when a session has ended, for rules of the end: `client.close_code`."""

    def answer_request(self, path: str, headers: Any) -> tuple[http.HTTPStatus, dict[str, str], bytes] | None:
        """Called for each upgrade request; gives an answer other than 101, or None. Must call this one first."""
        self.requests.append((time.monotonic(), path, headers))
        return None

    def frame_came(self, frames: list[Received]) -> None:
        """Called for each frame, control frames too, the newest last. May raise Violated."""

    # For a test.

    @property
    def address(self) -> str:
        """What stands for `host`."""
        return f"localhost:{self.port}"

    @property
    def addresses(self) -> dict[str, str]:
        """What stands for each host in the example."""
        hosts = [self.host] if isinstance(self.host, str) else self.host
        return {host: self.address for host in hosts}

    def wait_for_count(self, name: str, least: int = 1) -> None:
        self._wait(lambda: self.counts[name] >= least, f"{least} {name}")

    def wait_for_requests(self, least: int) -> None:
        """So many upgrade requests, refused ones too."""
        self._wait(lambda: len(self.requests) >= least, f"{least} requests")

    def wait_for_session(self, number: int) -> Client:
        """The session of that number, the first being 1."""
        self._wait(lambda: len(self.clients) >= number, f"session {number}")
        return self.clients[number - 1]

    def wait_for_violation(self, rule: str) -> Violated:
        """The first violation, which must be of this rule: that is what the mutilated example does wrong."""
        assert rule in self.rules, f"{type(self).__name__} has no rule {rule}"
        wait_for(lambda: self.violations or self.faults, f"{rule} is violated; counts: {dict(self.counts)}")
        assert not self.faults, "\n".join(self.faults)
        assert self.violations[0].rule == rule, self.violations
        return self.violations[0]

    def check(self) -> None:
        """No rule was broken, ever."""
        assert not self.faults, "\n".join(self.faults)
        assert not self.violations, self.violations

    def close(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self.loop).result(20)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
            self.loop.close()

    # For a subclass, outside of `session`.

    def note(self, rule: str, what: str) -> None:
        """A rule was broken, such as by an upgrade request, which `answer_request` refuses."""
        self.violate(Violated(rule, what))

    def break_rule(self, rule: str, what: str, code: int = 1008) -> None:
        """In `frame_came`: cuts the session."""
        raise Violated(rule, what, code)

    # What is left is its own.

    def violate(self, violated: Violated) -> None:
        assert violated.rule in self.rules, f"{type(self).__name__} has no rule {violated.rule}"
        self.violations.append(violated)

    def cut(self, protocol: _Protocol, violated: Violated) -> None:
        """From outside `session`: notes it and has the session end."""
        self.violate(violated)
        protocol.cutting = self.loop.create_task(self._end(protocol, violated))  # type: ignore[attr-defined]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        def came() -> bool:
            self.check()
            return condition()

        wait_for(came, f"{what}; counts: {dict(self.counts)}, sessions: {len(self.clients)}")

    async def _listen(self) -> int:
        protocol = type("Protocol", (_Protocol,), {"upstream": self})
        self._server = await serve(
            self._serve, "127.0.0.1", 0, ssl=self.context, create_protocol=protocol, ping_interval=None, close_timeout=5,
            subprotocols=self.subprotocols, compression=self.compression, max_size=None)  # type: ignore[arg-type]
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, protocol: WebSocketServerProtocol) -> None:
        assert isinstance(protocol, _Protocol)
        client = Client(self, protocol, len(self.clients) + 1)
        self.clients.append(client)
        try:
            await client.run(self.session(client))
        except Violated as violated:
            self.violate(violated)
            await self._end(protocol, violated)
        except ConnectionClosed:
            pass
        except Exception:  # pylint: disable=broad-except
            self.faults.append(traceback.format_exc())
        try:
            await protocol.close()
            await self.ended(client)
        except Violated as violated:
            self.violate(violated)

    @staticmethod
    async def _end(protocol: _Protocol, violated: Violated) -> None:
        try:
            if violated.message is not None:
                message = violated.message
                await protocol.send(message if isinstance(message, (str, bytes)) else json.dumps(message))
            await protocol.close(violated.code, violated.rule)
        except ConnectionClosed:
            pass

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


class Connects:
    """Counts connects against a limit: `if budget.spent(): ...` in `answer_request`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._times: list[float] = []

    def spent(self) -> bool:
        """Notes one connect; whether it is one too many."""
        now = time.monotonic()
        self._times = [at for at in self._times if now - at < self.seconds] + [now]
        return len(self._times) > self.most
