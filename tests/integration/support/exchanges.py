"""Exchanges as they enforce what their documents say: for tests of config/examples/. See enforcing_server.py."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import http
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from .enforcing_server import FOR_EVER, Client, Connects, Received, Upstream
from .frames import Opcode
from .json_api import JsonApi, Request
from .tls_peers import openssl


class LimitedConnects(Upstream):
    """Refuses an address that connects too often."""

    connects = 1_000_000
    connects_in = 1.0
    down = False
    """Whether all that it says is 503."""

    def __init__(self, context: Any, **limits: Any) -> None:
        self.budget = Connects(limits.get("connects", self.connects), limits.get("connects_in", self.connects_in))
        super().__init__(context, **limits)

    @property
    def address(self) -> str:
        """One, so that each attempt is one connect; localhost may have two."""
        return f"127.0.0.1:{self.port}"

    def answer_request(self, path: str, headers: Any) -> Any:
        answer = super().answer_request(path, headers)
        if self.budget.spent():
            self.note("connects", f"more than {self.budget.most} connects in {self.budget.seconds} s")
            return http.HTTPStatus.TOO_MANY_REQUESTS, {}, b"too many connects\n"
        return (http.HTTPStatus.SERVICE_UNAVAILABLE, {}, b"down\n") if self.down else answer


class Binance(LimitedConnects):
    host = "stream.binance.com:9443"
    rules = {
        "streams": "the URL names the streams",
        "rate": "5 messages a second, pings and pongs included",
        "pong": "each ping's payload comes back within a minute",
        "lifetime": "a connection lives 24 h",
        "shutdown": "who is told serverShutdown leaves",
        "connects": "300 connects in 5 minutes",
    }
    rate = 5.0
    burst = 5.0
    """What may come at once: more than the rate where reading it late must not look like a burst."""
    ping_every = 20.0
    pong_within = 60.0
    lifetime = 24 * 3600.0
    shutdown: Any = None
    """What is said shortly after the first session began."""
    leave_within = 30.0

    def answer_request(self, path: str, headers: Any) -> Any:
        if "/stream?streams=" not in path and not path.startswith("/ws/"):
            self.note("streams", path)
        return super().answer_request(path, headers)

    def frame_came(self, frames: list[Received]) -> None:
        """A bucket that fills at the rate: what is read late is not counted as having come at once."""
        tokens, at = self.burst, frames[0].at
        for frame in frames:
            tokens = min(self.burst, tokens + (frame.at - at) * self.rate) - 1
            at = frame.at
        self.counts["pings"] += frames[-1].opcode == Opcode.PING
        if tokens < 0 and frames[-1].opcode != Opcode.CLOSE:
            self.break_rule("rate", f"{len(frames)} frames in {frames[-1].at - frames[0].at:.3f} s")

    async def session(self, client: Client) -> None:
        client.beside(client.tell_for_ever(lambda number: {"stream": "btcusdt@trade", "data": {"e": "trade", "t": number}}))
        client.beside(self._ping_for_ever(client))
        client.beside(self._cut_at_the_end(client))
        if self.shutdown is not None and client.number == 1:
            client.beside(self._announce(client))
        while True:
            request = await client.hear_json("streams")
            self.counts["requests"] += 1
            await client.say({"result": None, "id": request["id"]})

    async def _ping_for_ever(self, client: Client) -> None:
        number = 0
        while True:
            number += 1
            await client.ping("pong", f"{client.number}.{number}".encode(), self.pong_within)
            self.counts["pongs with their payload"] += 1
            await asyncio.sleep(self.ping_every)

    async def _cut_at_the_end(self, client: Client) -> None:
        await asyncio.sleep(self.lifetime)
        client.break_rule("lifetime", f"older than {self.lifetime} s")

    async def _announce(self, client: Client) -> None:
        await asyncio.sleep(0.1)
        await client.say(self.shutdown)
        await asyncio.sleep(self.leave_within)
        client.break_rule("shutdown", f"still here {self.leave_within} s later")


class Coinbase(LimitedConnects):
    host = ["advanced-trade-ws.coinbase.com", "advanced-trade-ws-user.coinbase.com"]
    rules = {
        "subscribe": "a subscription within 5 s",
        "heartbeats": "channels without updates are closed, but for heartbeats",
        "token": "what is private needs a token of its own, signed with ES256 and not older than 2 minutes",
        "silence": "a feed without heartbeats is dead",
        "connects": "8 connects a second",
    }
    private = ("user", "futures_balance_summary")
    subscribe_within = 5.0
    quiet_after = 60.0
    silent_after = FOR_EVER
    leave_within = 30.0
    key_name = "organizations/1/apiKeys/2"
    public_key: Path | None = None
    ended_sessions = 0
    """So many sessions end by themselves once everything is subscribed."""

    def __init__(self, context: Any, **limits: Any) -> None:
        self._nonces: set[str] = set()
        super().__init__(context, **limits)

    async def session(self, client: Client) -> None:
        subscribed: dict[str, Any] = {}
        sequence = iter(range(1_000_000_000))
        within = self.subscribe_within
        while True:
            message = await client.hear_json("subscribe", within)
            within = FOR_EVER
            channel = message.get("channel", "")
            client.require("subscribe", message.get("type") == "subscribe" and bool(channel), message)
            if channel in self.private:
                self._check_token(client, message.get("jwt", ""))
                self.counts["tokens"] += 1
            subscribed[channel] = message.get("product_ids", [self.key_name])
            await client.say({"channel": "subscriptions", "client_id": "", "timestamp": "2026-01-01T00:00:00Z",
                              "sequence_num": next(sequence), "events": [{"subscriptions": subscribed}]})
            if channel == "heartbeats":
                client.beside(self._beat(client, sequence))
            elif channel not in self.private:
                client.beside(self._trade(client, channel, sequence))
                client.beside(self._close_when_quiet(client, subscribed))
            if set(self.private) <= set(subscribed) and client.number <= self.ended_sessions:
                return await client.end(1012)

    def _check_token(self, client: Client, token: str) -> None:
        def decoded(part: str) -> bytes:
            return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))

        parts = token.split(".")
        client.require("token", len(parts) == 3, "no token")
        header, claims, signed = json.loads(decoded(parts[0])), json.loads(decoded(parts[1])), decoded(parts[2])
        client.require("token", header["alg"] == "ES256" and header["kid"] == self.key_name, header)
        client.require("token", header["nonce"] not in self._nonces, "a nonce that was used before")
        self._nonces.add(header["nonce"])
        client.require("token", claims["iss"] == "cdp" and claims["sub"] == self.key_name, claims)
        now = time.time()
        client.require("token", now - 120 <= claims["nbf"] <= now + 1 and now <= claims["exp"] <= claims["nbf"] + 120, claims)
        client.require("token", self._signed(f"{parts[0]}.{parts[1]}".encode(), signed), "a wrong signature")

    def _signed(self, data: bytes, signed: bytes) -> bool:
        """Asks openssl, which wants the two numbers in DER."""
        assert self.public_key is not None
        if len(signed) != 64:
            return False
        numbers = b""
        for number in (signed[:32], signed[32:]):
            value = number.lstrip(b"\0") or b"\0"
            value = (b"\0" + value) if value[0] & 0x80 else value
            numbers += bytes([2, len(value)]) + value
        file = self.public_key.with_suffix(".signature")
        file.write_bytes(bytes([0x30, len(numbers)]) + numbers)
        try:
            return b"Verified OK" in openssl("dgst", "-sha256", "-verify", self.public_key, "-signature", file, data=data)
        except AssertionError:
            return False

    async def _beat(self, client: Client, sequence: Any) -> None:
        counter = 0
        began = time.monotonic()
        while time.monotonic() - began < self.silent_after:
            counter += 1
            await client.say({"channel": "heartbeats", "client_id": "", "sequence_num": next(sequence),
                              "events": [{"current_time": "2026-01-01 00:00:00 +0000 UTC", "heartbeat_counter": counter}]})
            await asyncio.sleep(0.1)
        await asyncio.sleep(self.leave_within)
        client.break_rule("silence", f"still here after {self.leave_within} s without a message")

    async def _trade(self, client: Client, channel: str, sequence: Any) -> None:
        began = time.monotonic()
        while time.monotonic() - began < self.silent_after:
            await client.say({"channel": channel, "client_id": "", "sequence_num": next(sequence),
                              "events": [{"type": "update", "trades": [{"product_id": "BTC-USD", "price": "1"}]}]})
            await asyncio.sleep(0.05)
        await asyncio.sleep(FOR_EVER)

    async def _close_when_quiet(self, client: Client, subscribed: dict[str, Any]) -> None:
        await asyncio.sleep(self.quiet_after)
        client.require("heartbeats", "heartbeats" in subscribed, "no updates")


class Kraken(LimitedConnects):
    host = ["ws.kraken.com", "ws-auth.kraken.com"]
    rules = {
        "subscribe": "a subscription within a minute",
        "silence": "a feed without heartbeats is dead",
        "signature": "the request for a token is signed with HMAC-SHA512 over path, nonce and body",
        "nonce": "each nonce is greater than the one before",
        "token": "orders want a token that is fresh",
        "connects": "150 connects in 10 minutes",
    }
    symbols = ("BTC/USD", "ETH/USD")
    subscribe_within = 60.0
    silent_after = FOR_EVER
    leave_within = 30.0
    ended_orders = 0
    """So many sessions for orders end by themselves once they are subscribed."""
    key = "key"
    secret = base64.b64encode(b"a secret of some bytes").decode()
    token_path = "/0/private/GetWebSocketsToken"

    def __init__(self, context: Any, **limits: Any) -> None:
        self._last_nonce = 0
        self._token: str | None = None
        self._api = JsonApi(context, self.give_token)
        super().__init__(context, **limits)

    @property
    def addresses(self) -> dict[str, str]:
        return super().addresses | {"api.kraken.com": self._api.address}

    def close(self) -> None:
        self._api.close()
        super().close()

    def give_token(self, request: Request) -> tuple[int, Any]:
        """What https://api.kraken.com does."""
        fields = dict(parse_qsl(request.body.decode()))
        digest = hashlib.sha256(fields.get("nonce", "").encode() + request.body).digest()
        expected = hmac.new(base64.b64decode(self.secret), self.token_path.encode() + digest, hashlib.sha512).digest()
        if request.headers["API-Key"] != self.key or request.headers["API-Sign"] != base64.b64encode(expected).decode():
            self.note("signature", request.path)
            return 200, {"error": ["EAPI:Invalid signature"]}
        if int(fields["nonce"]) <= self._last_nonce:
            self.note("nonce", fields["nonce"])
            return 200, {"error": ["EAPI:Invalid nonce"]}
        self._last_nonce = int(fields["nonce"])
        self.counts["tokens"] += 1
        self._token = f"token {self.counts['tokens']}"
        return 200, {"error": [], "result": {"token": self._token, "expires": 900}}

    async def session(self, client: Client) -> None:
        """Heartbeats only after a subscription, and where nothing else is said."""
        await client.say({"channel": "status", "type": "update", "data": [{"system": "online", "api_version": "v2"}]})
        within = self.subscribe_within
        while True:
            message = await client.hear_json("subscribe", within)
            within = FOR_EVER
            client.require("subscribe", message.get("method") == "subscribe", message)
            wanted = message["params"]
            if wanted["channel"] == "executions":
                if not await self._follow_orders(client, wanted):
                    return
                continue
            for symbol in wanted["symbol"]:
                if symbol not in self.symbols:
                    await client.say({"method": "subscribe", "success": False, "symbol": symbol,
                                      "error": f"Currency pair not supported {symbol}"})
                    continue
                self.counts[symbol] += 1
                await client.say({"method": "subscribe", "success": True,
                                  "result": {"channel": "trade", "snapshot": True, "symbol": symbol}})
            client.beside(self._tell(client, wanted["symbol"]))

    async def _follow_orders(self, client: Client, parameters: dict[str, Any]) -> bool:
        """False: the session ends."""
        given, self._token = self._token, None
        client.require("token", given is not None and parameters.get("token") == given, parameters, message={
            "method": "subscribe", "success": False, "error": "ESession:Invalid session"})
        await client.say({"method": "subscribe", "success": True, "result": {"channel": "executions", "snapshot": True}})
        self.counts["orders"] += 1
        if self.counts["orders"] <= self.ended_orders:
            await client.end(1012)
            return False
        client.beside(client.tell_for_ever(lambda number: {"channel": "executions", "type": "update", "sequence": number, "data": []}))
        return True

    async def _tell(self, client: Client, symbols: list[str]) -> None:
        await client.say({"channel": "trade", "type": "snapshot", "data": [{"symbol": symbols[0], "price": 4136.4}]})
        began = time.monotonic()
        while time.monotonic() - began < self.silent_after:
            await client.say({"channel": "heartbeat"})
            await asyncio.sleep(0.05)
        await asyncio.sleep(self.leave_within)
        client.break_rule("silence", f"still here after {self.leave_within} s without a message")
