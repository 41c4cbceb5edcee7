"""Discord, Slack and Jetstream as they enforce what their documents say: for tests of config/examples/. See enforcing_server.py."""

from __future__ import annotations

import asyncio
import http
import itertools
import json
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .enforcing_server import Client, Received, Upstream, Violated
from .json_api import JsonApi, Request


class Discord(Upstream):
    host = "gateway.discord.gg"
    rules = {
        "version": "v and encoding in the query",
        "identify": "identify or resume after hello, with the token",
        "beat": "a heartbeat in each interval",
        "sequence": "the last sequence number in each",
        "asked": "a heartbeat at once when it is asked for",
        "zombie": "who gets no acknowledgement closes",
        "code": "with another code than 1000 and 1001, so that the session can be resumed",
        "resume": "who was cut resumes with its session and the last sequence number",
        "url": "at resume_gateway_url; a new session begins at the ordinary one",
        "anew": "a session that is lost is not resumed",
        "rate": "at most 120 messages a minute",
    }
    interval = 100
    """Milliseconds."""
    beat_within = 20.0
    asked_within = 20.0
    closed_within = 20.0
    plan: list[str] = []
    """What is done to one session after the other, after two beats; those after them stay."""
    asks = False
    """For a beat out of turn, at once."""
    dispatches = 1_000_000
    """Behind so many beats nothing more happens."""

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self.known: str | None = None
        self.lost = False
        self.seq = 0
        self.confirmed = 0
        """What the client has said to have. More may be under way to it."""
        super().__init__(*arguments, **limits)

    def frame_came(self, frames: list[Received]) -> None:
        recent = [each for each in frames if each.opcode in (1, 2) and frames[-1].at - each.at < 60]
        if len(recent) > 120:
            raise Violated("rate", f"{len(recent)} messages in a minute", 4008)

    def _dispatch(self, kind: str, data: Any) -> dict[str, Any]:
        self.seq += 1
        return {"op": 0, "t": kind, "s": self.seq, "d": data}

    async def session(self, client: Client) -> None:
        client.require("version", client.path == "/" and client.query == {"v": "10", "encoding": "json"}, client.protocol.path)
        await client.say({"op": 10, "t": None, "s": None, "d": {"heartbeat_interval": self.interval}})
        first = await client.hear_json("identify", 20.0)
        client.require("identify", first["op"] in (2, 6) and first["d"]["token"] == "secret", first, 4004)
        host = client.headers["Host"].partition(":")[0]
        if first["op"] == 6:
            if not await self._resume(client, first["d"], host):
                return
        else:
            client.require("resume", self.known is None, "it identifies anew")
            client.require("url", host == "localhost", host)
            client.require("identify", {"os", "browser", "device"} <= set(first["d"]["properties"]) and "intents" in first["d"], first)
            self.known = f"session {client.number}"
            self.seq = self.confirmed = 0
            self.lost = False
            self.counts["identified"] += 1
            await client.say(self._dispatch("READY", {
                "session_id": self.known, "resume_gateway_url": f"wss://127.0.0.1:{self.port}"}))
        await self._beats(client)

    async def _resume(self, client: Client, data: dict[str, Any], host: str) -> bool:
        client.require("anew", not self.lost, data)
        client.require("resume", data["session_id"] == self.known and self.confirmed <= data["seq"] <= self.seq, data)
        client.require("url", host == "127.0.0.1", host)
        if self._planned() == "refuse":
            self.counts["done"] += 1
            self._lose()
            await client.say({"op": 9, "d": False})
            await client.wait_for_end()
            return False
        self.counts["resumed"] += 1
        await client.say(self._dispatch("RESUMED", {}))
        return True

    def _planned(self) -> str | None:
        done = self.counts["done"]
        return self.plan[done] if done < len(self.plan) else None

    def _lose(self) -> None:
        self.known = None
        self.lost = True

    async def _beats(self, client: Client) -> None:
        if self.asks:
            await client.say({"op": 1, "d": None})
            beat = await client.hear_json("asked", self.asked_within)
            client.require("asked", beat["op"] == 1, beat)
            self.counts["answered"] += 1
            await client.say({"op": 11})
        before = self.seq
        for number in range(1, 1_000_000):
            beat = await client.hear_json("beat", self.beat_within)
            if beat["op"] != 1:
                self.counts["others"] += 1
                continue
            # It may have been sent before the last dispatch came.
            client.require("sequence", beat["d"] in (before, self.seq), [beat, before, self.seq])
            self.counts["beats"] += 1
            self.confirmed = beat["d"]
            before = self.seq
            planned = self._planned()
            if number >= 2 and planned not in (None, "refuse"):
                self.confirmed = self.seq  # it gets what was sent before the end
                self.counts["done"] += 1
                await self._do(client, planned)
                return
            await client.say({"op": 11})
            if number <= self.dispatches:
                await client.say(self._dispatch("MESSAGE_CREATE", {"content": "x"}))

    async def _do(self, client: Client, what: str | None) -> None:
        if what == "4009":
            self._lose()
            await client.end(4009, "Session timed out")
            return
        if what == "reconnect":
            await client.say({"op": 7, "d": None})
        elif what == "invalid":
            self._lose()
            await client.say({"op": 9, "d": False})
        elif what == "resumable":
            await client.say({"op": 9, "d": True})
        else:
            assert what == "mute", what
        try:
            await asyncio.wait_for(client.wait_for_end(), self.closed_within)
        except asyncio.TimeoutError:
            client.break_rule("zombie", f"{what}: it is still there after {self.closed_within} s", 4000)
        client.require("code", client.close_code not in (1000, 1001, 1005), client.close_code)


class Slack(Upstream):
    """The sockets; `SlackApi` gives their URLs."""

    host: Any = []  # there is none in the example
    rules = {
        "token": "the app's token, by POST",
        "ticket": "a URL is used once",
        "ack": "each envelope is acknowledged within 3 s",
        "renew": "who is told of the end comes again",
        "disabled": "who is told that Socket Mode was switched off does not",
    }
    ack_within = 20.0
    gone_within = 20.0
    plan: list[str] = []
    """Why the first sessions are ended, after three envelopes."""
    gone = False

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self.tickets: set[str] = set()
        super().__init__(*arguments, **limits)

    def issue(self) -> str:
        ticket = f"ticket-{self.counts['issued']}"
        self.counts["issued"] += 1
        self.tickets.add(ticket)
        return f"wss://localhost:{self.port}/link/?ticket={ticket}&app_id=A1"

    def answer_request(self, path: str, headers: Any) -> Any:
        super().answer_request(path, headers)
        ticket = parse_qs(urlsplit(path).query).get("ticket", [""])[0]
        if ticket not in self.tickets:
            self.violate(Violated("ticket", path))
            return http.HTTPStatus.FORBIDDEN, {}, b""
        self.tickets.remove(ticket)
        return None

    async def session(self, client: Client) -> None:
        await client.say({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})
        for number in itertools.count():
            if number == 3 and client.number <= len(self.plan):
                await self._announce(client, self.plan[client.number - 1])
                return
            envelope = f"{client.number}-{number}-\"\u00e9\""
            await client.say({"envelope_id": envelope, "type": "events_api", "accepts_response_payload": False,
                              "payload": {"event": {"type": "message", "text": "hello"}}})
            answer = await client.hear_json("ack", self.ack_within)
            client.require("ack", answer == {"envelope_id": envelope}, answer)
            self.counts["acknowledged"] += 1

    async def _announce(self, client: Client, reason: str) -> None:
        self.gone = reason == "link_disabled"
        await client.say({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
        try:
            await asyncio.wait_for(client.wait_for_end(), self.gone_within)
        except asyncio.TimeoutError:
            client.break_rule("renew", f"{reason}: it is still there after {self.gone_within} s")


class SlackApi(JsonApi):
    """apps.connections.open, over HTTPS."""

    def __init__(self, context: ssl.SSLContext, slack: Slack, troubles: list[Any]) -> None:
        to_come = list(troubles)

        def answer(request: Request) -> tuple[int, Any]:
            slack.counts["asked"] += 1
            if slack.gone:
                slack.violate(Violated("disabled", request.path))
            asked = (request.method, request.path, request.headers.get("Authorization"))
            if asked != ("POST", "/api/apps.connections.open", "Bearer xapp-secret"):
                slack.violate(Violated("token", f"{request.method} {request.path}"))
                return 200, {"ok": False, "error": "invalid_auth"}
            return to_come.pop(0) if to_come else (200, {"ok": True, "url": slack.issue()})

        super().__init__(context, answer)
        self.url = f"https://{self.address}/"


class Jetstream(Upstream):
    host = "jetstream2.us-east.bsky.network"
    rules = {
        "collections": "the collections, in the query",
        "cursor": "who comes again gives the time of the last event, and at first none",
        "forgotten": "a cursor that is too old is not given again",
        "silent": "no message comes from a client",
    }
    plan: list[str] = []
    """How the first sessions are ended, after ten events."""
    too_old = 0
    """The session before which the cursor is too old."""

    def __init__(self, *arguments: Any, **limits: Any) -> None:
        self.last: int | None = None
        self.forgotten = False
        super().__init__(*arguments, **limits)

    def answer_request(self, path: str, headers: Any) -> Any:
        super().answer_request(path, headers)
        query = parse_qs(urlsplit(path).query)
        if urlsplit(path).path != "/subscribe" or query.get("wantedCollections") != ["app.bsky.feed.post"]:
            self.violate(Violated("collections", path))
            return http.HTTPStatus.BAD_REQUEST, {}, b""
        cursor = query.get("cursor", [None])[0]
        if self.forgotten and cursor is not None:
            self.violate(Violated("forgotten", path))
            return http.HTTPStatus.BAD_REQUEST, {}, b""
        if cursor is not None and len(self.clients) + 1 == self.too_old:
            self.counts["too old"] += 1
            self.forgotten = True
            return http.HTTPStatus.BAD_REQUEST, {}, b'{"error":"CursorTooOld","message":"the cursor is too old"}'
        expected = None if self.last is None or self.forgotten else str(self.last)
        self.forgotten = False
        if cursor != expected:
            self.violate(Violated("cursor", f"{path}, not {expected}"))
            return http.HTTPStatus.BAD_REQUEST, {}, b""
        return None

    def frame_came(self, frames: list[Received]) -> None:
        if frames[-1].opcode in (1, 2):
            raise Violated("silent", repr(frames[-1].payload), 1008)

    async def session(self, client: Client) -> None:
        for _ in range(10):
            self.last = 1_725_911_162_329_308 if self.last is None else self.last + 1001
            await client.say({"did": "did:plc:x", "time_us": self.last, "kind": "commit",
                              "commit": {"collection": "app.bsky.feed.post", "record": {"time_us": 1}}})
        await client.ping("cursor", b"all here", 60.0)
        self.counts["settled"] += 1
        if client.number > len(self.plan):
            await client.wait_for_end()
        elif self.plan[client.number - 1] == "close":
            await client.end(1001)
        else:
            client.protocol.transport.abort()
            await client.wait_for_end()
