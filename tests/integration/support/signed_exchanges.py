"""Exchanges whose logins are signed, as they enforce what their documents say: for tests of config/examples/. See enforcing_server.py."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

from .enforcing_server import FOR_EVER, Client, Upstream
from .exchanges import LimitedConnects


def signature(key: str, text: str, encoding: str = "hex") -> str:
    """HMAC-SHA256."""
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256)
    return digest.hexdigest() if encoding == "hex" else base64.b64encode(digest.digest()).decode()


class Okx(LimitedConnects):
    host = "ws.okx.com:8443"
    rules = {
        "ping": "something within 30 s, from either side; where there is nothing, ping",
        "login": "private channels want a login, signed with HMAC-SHA256 in base64, of the last 30 s",
        "subscribe": "a subscription within 30 s",
        "upgrade": "who is told notice 64008 leaves",
        "connects": "3 connects a second",
    }
    idle = 30.0
    subscribe_within = 30.0
    notice = False
    """Said shortly after the first session is subscribed."""
    leave_within = 30.0
    key = "key"
    passphrase = "pass phrase"
    secret = "secret"

    async def session(self, client: Client) -> None:
        private = client.path.endswith("/private")
        logged_in, last = False, [time.monotonic()]
        client.beside(self._cut_when_idle(client, last))
        within = self.subscribe_within
        while True:
            text = await client.hear("subscribe", within)
            last[0] = time.monotonic()
            if text == "ping":
                self.counts["private pings" if private else "public pings"] += 1
                await client.say("pong")
                continue
            message = json.loads(text)
            if message["op"] == "login":
                self._check_login(client, message["args"][0])
                logged_in = True
                await client.say({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"})
                continue
            within = FOR_EVER
            argument = message["args"][0]
            if private:
                client.require("login", logged_in, message, message={"event": "error", "code": "60011", "msg": "Please log in"})
            await client.say({"event": "subscribe", "arg": argument, "connId": "a4d3ae55"})
            await client.say({"arg": argument, "data": [{"px": "42219.9"}]})
            if self.notice and client.number == 1:
                client.beside(self._announce(client))

    def _check_login(self, client: Client, given: dict[str, str]) -> None:
        wrong = {"event": "error", "code": "60009", "msg": "Login failed."}
        fresh = abs(time.time() - int(given["timestamp"])) < 30
        expected = signature(self.secret, f"{given['timestamp']}GET/users/self/verify", "base64")
        client.require("login", fresh, "an old time stamp", message=wrong)
        client.require("login", given["apiKey"] == self.key and given["passphrase"] == self.passphrase, given, message=wrong)
        client.require("login", given["sign"] == expected, "a wrong signature", message=wrong)
        self.counts["logins"] += 1

    async def _cut_when_idle(self, client: Client, last: list[float]) -> None:
        while (left := last[0] + self.idle - time.monotonic()) > 0:
            await asyncio.sleep(left)
        client.break_rule("ping", f"nothing for {self.idle} s", 4004)

    async def _announce(self, client: Client) -> None:
        await client.say({"event": "notice", "code": "64008", "connId": "a4d3ae55",
                          "msg": "The connection will soon be closed for a service upgrade. Please reconnect."})
        await asyncio.sleep(self.leave_within)
        client.break_rule("upgrade", f"still here {self.leave_within} s later")


class Bybit(LimitedConnects):
    host = "stream.bybit.com"
    rules = {
        "ping": "a ping in JSON every 20 s",
        "login": "private topics want a login, signed with HMAC-SHA256 in hex, whose expiry is still to come",
        "subscribe": "a subscription",
        "connects": "500 connects in 5 minutes",
    }
    ping_within = 60.0
    subscribe_within = 60.0
    key = "key"
    secret = "secret"

    async def session(self, client: Client) -> None:
        private = client.path.endswith("/private")
        logged_in, last = False, [time.monotonic()]
        client.beside(self._cut_when_idle(client, last))
        while True:
            message = await client.hear_json("subscribe", self.subscribe_within)
            identifier = {"conn_id": "cejreaspqfh3sjdnldmg-p"}
            if message["op"] == "ping":
                last[0] = time.monotonic()
                self.counts["private pings" if private else "public pings"] += 1
                await client.say(identifier | ({"op": "pong", "args": ["1675418560633"]} if private
                                               else {"op": "ping", "success": True, "ret_msg": "pong"}))
            elif message["op"] == "auth":
                self._check_login(client, *message["args"])
                logged_in = True
                await client.say(identifier | {"op": "auth", "success": True, "ret_msg": ""})
            elif message["op"] == "subscribe":
                if private:
                    client.require("login", logged_in, message, message={
                        "op": "subscribe", "success": False, "ret_msg": "Request not authorized"})
                client.require("subscribe", bool(message["args"]) and len(message["args"]) <= 10, message)
                await client.say(identifier | {"op": "subscribe", "success": True, "ret_msg": "" if private else "subscribe"})
                client.beside(client.tell_for_ever(lambda number, topic=message["args"][0]: {"topic": topic, "data": [{"i": number}]}))

    def _check_login(self, client: Client, key: str, expires: int, signed: str) -> None:
        wrong = {"op": "auth", "success": False, "ret_msg": "Params Error"}
        client.require("login", isinstance(expires, int) and expires > time.time() * 1000, "expired", message=wrong)
        client.require("login", key == self.key and signed == signature(self.secret, f"GET/realtime{expires}"),
                       "a wrong signature", message=wrong)
        self.counts["logins"] += 1

    async def _cut_when_idle(self, client: Client, last: list[float]) -> None:
        while (left := last[0] + self.ping_within - time.monotonic()) > 0:
            await asyncio.sleep(left)
        client.break_rule("ping", f"no ping for {self.ping_within} s")


class Deribit(Upstream):
    host = "www.deribit.com"
    rules = {
        "ids": "JSON-RPC 2.0, with an id of its own for each request",
        "heartbeat": "heartbeats are asked for, every 10 s at most",
        "test_request": "each test_request is answered by public/test",
        "login": "public/auth with a signature in hex over time stamp, nonce and data",
        "token": "private requests bring the token that public/auth gave",
    }
    heartbeat_within = 30.0
    answer_within = 30.0
    beat_every = 10.0
    client_id = "client"
    secret = "secret"

    async def session(self, client: Client) -> None:
        known: set[int] = set()
        answered = asyncio.Event()
        beating = asyncio.Event()
        client.beside(self._cut_without_heartbeat(client, beating))
        while True:
            request = await client.hear_json("ids")
            fresh = isinstance(request.get("id"), int) and request["id"] not in known
            client.require("ids", request.get("jsonrpc") == "2.0" and fresh, request)
            known.add(request["id"])
            method, parameters = request["method"], request["params"]
            result: Any = parameters.get("channels", "ok")
            if method == "public/set_heartbeat":
                client.require("heartbeat", parameters["interval"] >= 10, request)
                beating.set()
                client.beside(self._beat(client, answered))
            elif method == "public/test":
                answered.set()
                result = {"version": "1.2.26"}
            elif method == "public/auth":
                self._check_login(client, parameters)
                result = {"access_token": f"token of {client.number}", "expires_in": 900, "token_type": "bearer"}
            elif method == "private/subscribe":
                given = parameters.get("access_token")
                client.require("token", given == f"token of {client.number}", request, message={
                    "jsonrpc": "2.0", "id": request["id"], "error": {"code": 13009, "message": "unauthorized"}})
            await client.say({"jsonrpc": "2.0", "id": request["id"], "result": result})
            if method == "public/subscribe":
                client.beside(client.tell_for_ever(lambda number: {
                    "jsonrpc": "2.0", "method": "subscription",
                    "params": {"channel": "trades.BTC-PERPETUAL.100ms", "data": [{"trade_seq": number}]}}))

    def _check_login(self, client: Client, given: dict[str, Any]) -> None:
        expected = signature(self.secret, f"{given['timestamp']}\n{given['nonce']}\n{given['data']}")
        client.require("login", given["grant_type"] == "client_signature" and given["client_id"] == self.client_id, given)
        client.require("login", abs(time.time() * 1000 - given["timestamp"]) < 60_000, "an old time stamp")
        client.require("login", given["signature"] == expected, "a wrong signature")
        self.counts["logins"] += 1

    async def _cut_without_heartbeat(self, client: Client, beating: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(beating.wait(), self.heartbeat_within)
        except asyncio.TimeoutError:
            client.break_rule("heartbeat", f"not asked for within {self.heartbeat_within} s")

    async def _beat(self, client: Client, answered: asyncio.Event) -> None:
        while True:
            await client.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "heartbeat"}})
            answered.clear()
            await client.say({"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}})
            try:
                await asyncio.wait_for(answered.wait(), self.answer_within)
            except asyncio.TimeoutError:
                client.break_rule("test_request", f"not answered within {self.answer_within} s")
            self.counts["tests"] += 1
            await asyncio.sleep(self.beat_every)
