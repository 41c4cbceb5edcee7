"""Home Assistant, GraphQL, Mastodon and OCPP as they enforce what their documents say: for tests of config/examples/.
See enforcing_server.py."""

from __future__ import annotations

import asyncio
import base64
import http
import itertools
import json
from typing import Any

from .enforcing_server import Client, Upstream, Violated


def _refuse_head(upstream: Upstream, rule: str, what: Any, status: http.HTTPStatus) -> tuple[http.HTTPStatus, dict[str, str], bytes]:
    upstream.violate(Violated(rule, repr(what)))
    return status, {}, b""


class HomeAssistant(Upstream):
    host = "homeassistant.example.com"
    rules = {
        "first": "the server speaks first",
        "auth": "an auth message within 10 s",
        "ids": "each later message has an integer id greater than the one before",
    }
    token = "right"
    silent_for = 0.1
    auth_within = 20.0

    async def session(self, client: Client) -> None:
        try:
            early = await client.hear("first", self.silent_for)
        except Violated:
            pass  # nothing came, as it should be
        else:
            client.break_rule("first", early)
        await client.say({"type": "auth_required", "ha_version": "2024.1.0"})
        auth = await client.hear_json("auth", self.auth_within)
        client.require("auth", auth["type"] == "auth" and "id" not in auth, auth)
        if auth["access_token"] != self.token:
            await client.say({"type": "auth_invalid", "message": "Invalid access token or password"})
            return
        await client.say({"type": "auth_ok", "ha_version": "2024.1.0"})
        last = 0
        while True:
            command = await client.hear_json("ids")
            number = command.get("id")
            client.require("ids", isinstance(number, int) and number > last, command, message={
                "id": number, "type": "result", "success": False,
                "error": {"code": "id_reuse", "message": "Identifier values have to increase."}})
            last = number
            await self._answer(client, command)

    async def _answer(self, client: Client, command: dict[str, Any]) -> None:
        number = command["id"]
        self.counts[command["type"]] += 1
        if command["type"] == "ping":
            await client.say({"id": number, "type": "pong"})
            return
        await client.say({"id": number, "type": "result", "success": True, "result": None})
        if command["type"] == "subscribe_events":
            client.beside(client.tell_for_ever(
                lambda _: {"id": number, "type": "event", "event": {"event_type": command["event_type"], "data": {}}}))


class GraphQl(Upstream):
    host = "graphql.example.com"
    subprotocols = ["graphql-transport-ws"]  # type: ignore[assignment]
    rules = {
        "subprotocol": "4406: the subprotocol is graphql-transport-ws",
        "init": "4408: connection_init within the time-out of the server",
        "token": "4403: the token is right",
        "again": "4429: connection_init comes once",
        "early": "4401: no subscribe before connection_ack",
        "message": "4400: nothing but messages of the protocol",
        "id": "4409: an id is used once",
        "pong": "each ping is answered with a pong",
        "final": "who was closed with a final code does not come again",
    }
    init_within = 20.0
    silent_before_ack = 0.1
    pong_within = 20.0
    ends: list[int] = []
    """The close codes of the first sessions, one after the other."""
    final: set[int] = set()
    """Those after which nobody may come by himself."""
    gone = False

    def answer_request(self, path: str, headers: Any) -> Any:
        super().answer_request(path, headers)
        if self.gone:
            return _refuse_head(self, "final", path, http.HTTPStatus.SERVICE_UNAVAILABLE)
        return None

    async def session(self, client: Client) -> None:
        client.require("subprotocol", client.subprotocol == "graphql-transport-ws", dict(client.headers), 4406)
        init = await self._hear(client, "init", self.init_within, 4408)
        client.require("init", init["type"] == "connection_init", init, 4401)
        client.require("token", init["payload"] == {"Authorization": "Bearer secret"}, init, 4403)
        await self._keep_still(client)
        await client.say({"type": "connection_ack"})
        pongs: asyncio.Queue[None] = asyncio.Queue()
        client.beside(self._ping(client, pongs))
        ids: set[str] = set()
        while True:
            message = await self._hear(client, "message", 3600.0, 4400)
            kind = message.get("type")
            client.require("again", kind != "connection_init", message, 4429)
            client.require("message", kind in ("subscribe", "ping", "pong", "complete"), message, 4400)
            self.counts[kind] += 1
            if kind == "ping":
                await client.say({"type": "pong"})
            elif kind == "pong":
                pongs.put_nowait(None)
            elif kind == "subscribe":
                client.require("id", message["id"] not in ids, message, 4409)
                ids.add(message["id"])
                await self._subscribed(client, message)

    async def _hear(self, client: Client, rule: str, within: float, code: int) -> Any:
        try:
            return await client.hear_json(rule, within)
        except Violated as violated:
            violated.code = code
            raise

    async def _keep_still(self, client: Client) -> None:
        try:
            early = await client.hear("early", self.silent_before_ack)
        except Violated:
            return
        client.break_rule("early", early, 4401)

    async def _ping(self, client: Client, pongs: asyncio.Queue[None]) -> None:
        while True:
            await client.say({"type": "ping"})
            try:
                await asyncio.wait_for(pongs.get(), self.pong_within)
            except asyncio.TimeoutError:
                client.break_rule("pong", f"none within {self.pong_within} s", 4408)
            await asyncio.sleep(0.05)

    async def _subscribed(self, client: Client, message: dict[str, Any]) -> None:
        payload = message["payload"]
        client.require("message", payload["query"].startswith("subscription {"), message, 4400)
        if client.number > len(self.ends):
            client.beside(client.tell_for_ever(lambda number: {
                "id": message["id"], "type": "next", "payload": {"data": {"newsAdded": {"id": number, "title": "news"}}}}))
            return
        code = self.ends[client.number - 1]
        self.gone = code in self.final
        if code == 1005:
            client.protocol.transport.write(b"\x88\x00")  # a Close frame without a code
            await client.wait_for_end()
        elif code == 1006:
            client.protocol.transport.abort()
            await client.wait_for_end()
        else:
            await client.end(code, "as the test says")


class Mastodon(Upstream):
    host = "streaming.mastodon.social"
    rules = {
        "token": "401: the token, in a header",
        "stream": "the streams that it has",
        "websocket pong": "WebSocket's pings are answered within 30 s",
    }
    streams = {"user", "public:local", "hashtag"}

    def answer_request(self, path: str, headers: Any) -> Any:
        super().answer_request(path, headers)
        if path != "/api/v1/streaming" or headers.get("Authorization") != "Bearer secret":
            return _refuse_head(self, "token", path, http.HTTPStatus.UNAUTHORIZED)
        return None

    async def session(self, client: Client) -> None:
        client.beside(self._ping(client))
        while True:
            message = await client.hear_json("stream")
            client.require("stream", message["type"] == "subscribe" and "stream" in message, message)
            stream = message["stream"]
            if stream not in self.streams:
                self.counts["refused"] += 1
                await client.say({"error": "Unknown stream type", "status": 400})
                continue
            names = [stream, message["tag"]] if stream == "hashtag" else [stream]
            client.beside(client.tell_for_ever(
                lambda number, names=names: {"stream": names, "event": "update", "payload": json.dumps({"id": str(number)})}))

    async def _ping(self, client: Client) -> None:
        for number in itertools.count():
            await client.ping("websocket pong", str(number).encode(), 20.0)
            self.counts["pongs"] += 1
            await asyncio.sleep(0.05)


class Csms(Upstream):
    host = "csms.example.com"
    subprotocols = ["ocpp1.6"]  # type: ignore[assignment]
    rules = {
        "identity": "404: a station that is known, in the URL",
        "auth": "401: Basic authorization",
        "subprotocol": "the subprotocol is ocpp1.6",
        "boot": "BootNotification comes first",
        "pending": "nothing is sent until the interval is over, and then BootNotification again",
        "id": "the id of a call is new, and has at most 36 characters",
        "heartbeat": "a Heartbeat within the interval of the answer",
        "answer": "each call of the server is answered within the time-out of the server",
    }
    boot_within = 20.0
    heartbeat_within = 20.0
    answer_within = 20.0
    pending = 0
    """So many times BootNotification is answered with Pending."""

    def answer_request(self, path: str, headers: Any) -> Any:
        super().answer_request(path, headers)
        if path != "/ocpp/CP-1":
            return _refuse_head(self, "identity", path, http.HTTPStatus.NOT_FOUND)
        expected = "Basic " + base64.b64encode(b"CP-1:pass:word").decode()
        if headers.get("Authorization") != expected:
            return _refuse_head(self, "auth", path, http.HTTPStatus.UNAUTHORIZED)
        return None

    async def session(self, client: Client) -> None:
        client.require("subprotocol", client.subprotocol == "ocpp1.6", dict(client.headers), 1002)
        self.ids: set[str] = set()
        self.asked: dict[str, asyncio.Future[list[Any]]] = {}
        call = await client.hear_json("boot", self.boot_within)
        client.require("boot", call[0] == 2 and call[2] == "BootNotification", call)
        self._new(client, call[1])
        if client.number <= self.pending:
            await client.say([3, call[1], {"status": "Pending", "currentTime": "2024-01-01T00:00:00Z", "interval": 1}])
            client.break_rule("pending", await client.hear("pending"))
        await client.say([3, call[1], {"status": "Accepted", "currentTime": "2024-01-01T00:00:00Z", "interval": 1}])
        beats: asyncio.Queue[None] = asyncio.Queue()
        client.beside(self._expect_beats(client, beats))
        client.beside(self._ask(client))
        while True:
            await self._take(client, await client.hear_json("boot"), beats)

    def _new(self, client: Client, number: Any) -> None:
        client.require("id", isinstance(number, str) and len(number) <= 36 and number not in self.ids, number)
        self.ids.add(number)

    async def _take(self, client: Client, message: list[Any], beats: asyncio.Queue[None]) -> None:
        if message[0] in (3, 4):
            client.require("answer", message[1] in self.asked, message)
            self.asked.pop(message[1]).set_result(message)
            return
        self._new(client, message[1])
        self.counts[message[2]] += 1
        client.require("boot", message[2] != "BootNotification", message)
        if message[2] == "Heartbeat":
            client.require("heartbeat", message[3] == {}, message)
            beats.put_nowait(None)
            await client.say([3, message[1], {"currentTime": "2024-01-01T00:00:00Z"}])
        else:
            await client.say([3, message[1], {}])

    async def _expect_beats(self, client: Client, beats: asyncio.Queue[None]) -> None:
        while True:
            try:
                await asyncio.wait_for(beats.get(), self.heartbeat_within)
            except asyncio.TimeoutError:
                client.break_rule("heartbeat", f"none within {self.heartbeat_within} s")

    async def _ask(self, client: Client) -> None:
        for number in itertools.count():
            for action in ("TriggerMessage", "Reset"):
                identifier = f'{action} "{number}"\\'  # it comes back as it is
                answer = self.asked[identifier] = asyncio.get_running_loop().create_future()
                await client.say([2, identifier, action, {}])
                try:
                    found = await asyncio.wait_for(answer, self.answer_within)
                except asyncio.TimeoutError:
                    client.break_rule("answer", f"{action} was not answered within {self.answer_within} s")
                client.require("answer", len(found) == {3: 3, 4: 5}[found[0]], found)
                self.counts[f"{action} answered"] += 1
            await asyncio.sleep(0.1)
