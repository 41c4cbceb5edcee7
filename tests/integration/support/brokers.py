"""STOMP and MQTT brokers as they enforce what their specifications say: for tests of config/examples/. See enforcing_server.py."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from .enforcing_server import Client, Upstream, Violated


_HEADER = re.compile(r"([^:\n\r]+):([^:\n\r]*)")


class Stomp(Upstream):
    host = "broker.example.com:15673"
    subprotocols = ["v12.stomp"]  # type: ignore[assignment]
    rules = {
        "subprotocol": "the subprotocol is v12.stomp",
        "frame": "a frame is a command, headers, an empty line and a body that a NUL ends",
        "connect": "CONNECT with version, host and login comes first, and nothing more before CONNECTED",
        "beat": "something comes as often as the heart-beat header promised",
        "subscribe": "SUBSCRIBE has an id and a destination",
        "ack": "each message is acknowledged by its ack header",
        "disconnect": "DISCONNECT comes before the client goes",
    }
    connect_within = 20.0
    silent_before_connected = 0.1
    beat_within = 20.0
    ack_within = 20.0
    messages = 1_000_000
    mute = 0
    """The first so many sessions fall silent when they are subscribed."""

    async def session(self, client: Client) -> None:
        client.require("subprotocol", client.subprotocol == "v12.stomp", dict(client.headers), 1002)
        command, headers = await self._hear(client, "connect", self.connect_within)
        client.require("connect", command == "CONNECT" and "1.2" in headers.get("accept-version", "").split(",")
                       and headers.get("host") == "/", [command, headers])
        if (headers.get("login"), headers.get("passcode")) != ("desk", "se cret"):
            await client.say("ERROR\nmessage:Bad CONNECT\n\nAccess refused\0")
            self.counts["refused"] += 1
            return
        client.require("beat", headers["heart-beat"] == "10000,10000", headers)
        try:
            early = await client.hear("connect", self.silent_before_connected)
        except Violated:
            pass
        else:
            client.break_rule("connect", early)
        await client.say("CONNECTED\nversion:1.2\nheart-beat:10000,10000\nserver:test\n\n\0")
        client.beside(self._beat(client))
        await self._serve_frames(client)

    async def _serve_frames(self, client: Client) -> None:
        waiting: dict[str, asyncio.Future[None]] = {}
        while True:
            found = await self._hear(client, "beat", self.beat_within)
            if found is None:
                self.counts["beats"] += 1
                continue
            command, headers = found
            self.counts[command] += 1
            if command == "SUBSCRIBE":
                client.require("subscribe", bool(headers.get("id")) and headers.get("destination") == "/queue/orders"
                               and headers.get("ack") == "client-individual", headers)
                await client.say(f"RECEIPT\nserver:test\nreceipt-id:{headers['receipt']}\n\n\0")
                if client.number > self.mute:
                    client.beside(self._deliver(client, headers["id"], waiting))
            elif command == "ACK":
                client.require("ack", headers.get("id") in waiting, headers)
                waiting.pop(headers["id"]).set_result(None)
            else:
                client.require("frame", command == "DISCONNECT", command)
                client.said_goodbye = True  # type: ignore[attr-defined]
                await client.wait_for_end()

    async def _hear(self, client: Client, rule: str, within: float) -> Any:
        """Command and headers; None for a line end, which is a heart-beat."""
        message = await client.hear(rule, within)
        if message in ("\n", "\r\n"):
            return None
        client.require("frame", isinstance(message, str) and message.endswith("\0") and "\n\n" in message, message)
        assert isinstance(message, str)
        command, *lines = message[:-1].partition("\n\n")[0].split("\n")
        headers: dict[str, str] = {}
        for line in lines:
            found = _HEADER.fullmatch(line)
            client.require("frame", found is not None, message)
            assert found is not None
            headers.setdefault(found[1], found[2])
        return command, headers

    async def _beat(self, client: Client) -> None:
        while client.number > self.mute or not self.counts["SUBSCRIBE"]:
            await client.say("\n")
            await asyncio.sleep(0.05)
        await asyncio.sleep(3600)

    async def _deliver(self, client: Client, subscription: str, waiting: dict[str, asyncio.Future[None]]) -> None:
        for number in range(1, self.messages + 1):
            # In a header value a colon is \c; what comes back must be the same text.
            identifier = f"T_1@@session\\c{number}"
            waiting[identifier] = answer = asyncio.get_running_loop().create_future()
            await client.say(f"MESSAGE\nsubscription:{subscription}\nmessage-id:m{number}\nack:{identifier}\n"
                             f"destination:/queue/orders\ncontent-type:text/plain\n\nack:none\norder {number}\0")
            try:
                await asyncio.wait_for(answer, self.ack_within)
            except asyncio.TimeoutError:
                client.break_rule("ack", f"{identifier} was not acknowledged within {self.ack_within} s")
            self.counts["acknowledged"] += 1
        await asyncio.sleep(3600)

    async def ended(self, client: Client) -> None:
        if self.counts["leaves"] and not hasattr(client, "said_goodbye"):
            raise Violated("disconnect", "it went without a word")


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _varint(len(body)) + body


class _Packet:
    """What comes of one, piece by piece."""

    def __init__(self, client: Client, message: str | bytes) -> None:
        client.require("binary", isinstance(message, bytes), message)
        assert isinstance(message, bytes)
        self._client = client
        self._message = message
        self._rest = message
        self.kind = self.take(1)[0]
        length, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                break
        self._require(length == len(self._rest))

    def take(self, count: int) -> bytes:
        self._require(len(self._rest) >= count)
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken

    def text(self) -> str:
        return self.take(int.from_bytes(self.take(2), "big")).decode()

    def end(self) -> None:
        self._require(self._rest == b"")

    def _require(self, kept: bool) -> None:
        self._client.require("packet", kept, self._message.hex())


def published(number: int) -> bytes:
    topic = b"sensors/kitchen"
    return _packet(0x30, len(topic).to_bytes(2, "big") + topic + b"%d \xff\0" % number)


class Mqtt(Upstream):
    host = "broker.example.com:8084"
    subprotocols = ["mqtt"]  # type: ignore[assignment]
    rules = {
        "subprotocol": "the subprotocol is mqtt",
        "binary": "packets come in binary messages",
        "packet": "all lengths are right",
        "connect": "CONNECT comes first",
        "alive": "a packet comes within one and a half times of what CONNECT promised",
        "subscribe": "SUBSCRIBE has the flags 2 and a number",
        "disconnect": "DISCONNECT comes before the client goes",
    }
    password = "se cret" * 30
    """So long that the packet's length takes two bytes."""
    connect_within = 20.0
    alive_within = 20.0
    """In the place of 1.5 times the 60 s that the example promises."""

    async def session(self, client: Client) -> None:
        client.require("subprotocol", client.subprotocol == "mqtt", dict(client.headers), 1002)
        packet = _Packet(client, await client.hear("connect", self.connect_within))
        client.require("connect", packet.kind == 0x10 and packet.text() == "MQTT" and packet.take(1) == b"\4", packet.kind)
        flags = packet.take(1)
        client.require("connect", flags == b"\xc2", flags.hex())
        client.require("alive", packet.take(2) == b"\0\x3c", "it promised something else")
        client.require("connect", packet.text().startswith("wskeep-"), "no client identifier")
        login = packet.text(), packet.text()
        packet.end()
        if login != ("desk", self.password):
            await client.say(_packet(0x20, b"\0\4"))
            self.counts["refused"] += 1
            return
        await client.say(_packet(0x20, b"\0\0"))
        while True:
            message = await client.hear("alive", self.alive_within)
            await self._answer(client, _Packet(client, message))

    async def _answer(self, client: Client, packet: _Packet) -> None:
        self.counts[f"{packet.kind:02x}"] += 1
        if packet.kind == 0x82:
            number = packet.take(2)
            topic, quality = packet.text(), packet.take(1)
            packet.end()
            client.require("subscribe", number != b"\0\0" and quality in (b"\0", b"\1", b"\2"), number.hex())
            if topic != "sensors/#":
                await client.say(_packet(0x90, number + b"\x80"))
                self.counts["refused"] += 1
                return
            await client.say(_packet(0x90, number + b"\0"))
            client.beside(client.tell_for_ever(published))
        elif packet.kind == 0xc0:
            packet.end()
            # Brokers may put several packets into one message.
            before = published(0) if self.counts["c0"] % 2 else b""
            await client.say(before + _packet(0xd0, b""))
        else:
            client.require("subscribe", packet.kind == 0xe0, packet.kind)
            packet.end()
            client.said_goodbye = True  # type: ignore[attr-defined]
            await client.wait_for_end()

    async def ended(self, client: Client) -> None:
        if self.counts["leaves"] and not hasattr(client, "said_goodbye"):
            raise Violated("disconnect", "it went without a word")
