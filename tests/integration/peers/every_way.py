"""A local app made with Python websockets and http.client: every_way.py SOCKET NAME plain|v1|ndjson|post, see test_clients.py."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import sys

import websockets

path, name, way = sys.argv[1:]


def say(**words: object) -> None:
    print(json.dumps(words), flush=True)


class UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)


async def plain() -> None:
    async with websockets.unix_connect(path, f"ws://localhost/v1/connections/{name}/messages") as app:
        await app.send("hello")
        say(message=await app.recv())


async def v1() -> None:
    uri = f"ws://localhost/v1/connections/{name}/messages"
    async with websockets.unix_connect(path, uri, subprotocols=["wskeep.v1"]) as app:
        say(event=json.loads(await app.recv())["event"])
        await app.send("id1\nhello")
        for _ in range(2):
            received = await app.recv()
            if received.startswith("{"):
                say(sent=json.loads(received)["id"])
            else:
                say(message=received.partition("\n")[2])


def ndjson() -> None:
    connection = UnixConnection("localhost")
    connection.request("GET", f"/v1/connections/{name}/messages?from=oldest&follow=true&limit=2")
    for line in connection.getresponse():
        found = json.loads(line)
        if "seq" in found:
            say(message=found["data"])


def post() -> None:
    connection = UnixConnection("localhost")
    connection.request("POST", f"/v1/connections/{name}/messages", b"hello", {"Content-Type": "text/plain"})
    say(outcome=json.load(connection.getresponse())["outcome"])


if way in ("plain", "v1"):
    asyncio.run({"plain": plain, "v1": v1}[way]())
else:
    {"ndjson": ndjson, "post": post}[way]()
