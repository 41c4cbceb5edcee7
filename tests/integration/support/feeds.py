"""Feeds of prices and of ships as they enforce what their documents say: for tests of config/examples/. See enforcing_server.py."""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any

from .enforcing_server import FOR_EVER, Client, Upstream


class Finnhub(Upstream):
    host = "ws.finnhub.io"
    rules = {
        "token": "the token stands in the URL",
        "subscribe": "a subscription",
        "one symbol": "one message for each symbol",
        "one connection": "one connection for each token",
    }
    token = "token"
    subscribe_within = 60.0

    def answer_request(self, path: str, headers: Any) -> Any:
        answer = super().answer_request(path, headers)
        if f"token={self.token}" not in path:
            self.note("token", path.replace(self.token, "..."))
            return http.HTTPStatus.UNAUTHORIZED, {}, b"Invalid API key\n"
        return answer

    async def session(self, client: Client) -> None:
        here = [other for other in self.clients if other is not client and other.protocol.open]
        client.require("one connection", not here, f"{len(here) + 1} connections")
        within = self.subscribe_within
        while True:
            message = await client.hear_json("subscribe", within)
            within = FOR_EVER
            symbol = message.get("symbol")
            client.require("one symbol", message.get("type") == "subscribe" and isinstance(symbol, str) and "," not in symbol, message)
            self.counts[symbol] += 1
            client.beside(client.tell_for_ever(lambda number, name=symbol: {
                "type": "trade", "data": [{"s": name, "p": 7296.89, "t": number, "v": 1}]}))
            await client.say({"type": "ping"})


class Alpaca(Upstream):
    host = "stream.data.alpaca.markets"
    rules = {
        "auth": "a login within 10 s",
        "key": "the right key",
        "subscribe": "a subscription, after the login",
        "one connection": "one connection for each account; 406 for a second",
    }
    auth_within = 10.0
    subscribe_within = 60.0
    key = "key"
    secret = "secret"
    occupied = 0
    """So many sessions find that the account's one connection is in use elsewhere."""

    async def session(self, client: Client) -> None:
        await client.say([{"T": "success", "msg": "connected"}])
        login = await client.hear_json("auth", self.auth_within)
        client.require("auth", login.get("action") == "auth", login, message=[{"T": "error", "code": 401, "msg": "not authenticated"}])
        client.require("key", login["key"] == self.key and login["secret"] == self.secret, "a wrong key",
                       message=[{"T": "error", "code": 402, "msg": "auth failed"}])
        here = [other for other in self.clients if other is not client and other.protocol.open]
        limit = [{"T": "error", "code": 406, "msg": "connection limit exceeded"}]
        client.require("one connection", not here, f"{len(here) + 1} connections", message=limit)
        if client.number <= self.occupied:
            await client.say(limit)
            return
        await client.say([{"T": "success", "msg": "authenticated"}])
        while True:
            wanted = await client.hear_json("subscribe", self.subscribe_within)
            client.require("subscribe", wanted.get("action") == "subscribe", wanted,
                           message=[{"T": "error", "code": 400, "msg": "invalid syntax"}])
            symbols = wanted["trades"]
            client.require("subscribe", isinstance(symbols, list) and bool(symbols), wanted)
            await client.say([{"T": "subscription", "trades": symbols, "quotes": wanted["quotes"], "bars": []}])
            client.beside(client.tell_for_ever(lambda number, name=symbols[0]: [{"T": "t", "i": number, "S": name, "p": 172.5}]))


class AisStream(Upstream):
    host = "stream.aisstream.io"
    compression = "deflate"
    rules = {
        "subscribe": "a subscription within 3 s",
        "key": "the right key",
        "boxes": "where: boxes of two corners",
        "compression": "messages may be compressed",
    }
    subscribe_within = 3.0
    key = "key"

    async def session(self, client: Client) -> None:
        offered = client.headers.get("Sec-WebSocket-Extensions", "")
        client.require("compression", "permessage-deflate" in offered, offered or "not offered")
        message = await client.hear_json("subscribe", self.subscribe_within)
        client.require("key", message.get("APIKey") == self.key, "a wrong key",
                       message=json.dumps({"error": "Api Key Is Not Valid"}).encode())
        boxes = message.get("BoundingBoxes")
        client.require("boxes", isinstance(boxes, list) and all(len(box) == 2 for box in boxes), message)
        number = 0
        while True:
            number += 1
            await client.say(json.dumps({
                "MessageType": "PositionReport", "MetaData": {"MMSI": 259000420, "ShipName": "AUGUSTSON", "time_utc": number},
                "Message": {"PositionReport": {"Latitude": 66.02695, "Longitude": 12.253821666666665, "Sog": 0}}}).encode())
            await asyncio.sleep(0.02)
