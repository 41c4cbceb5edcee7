"""An upstream that tells what it sees, a JSON object a line: each session's path and Authorization, and by which code it was closed.

Sends back what it gets. At the other port, nothing is ever answered, a Close neither.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
from typing import Any

import websockets


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


async def hear(client: Any) -> None:
    tell(opened=client.path, authorization=client.request_headers.get("Authorization"))
    try:
        async for message in client:
            await client.send(message)
    except websockets.ConnectionClosed:
        pass
    tell(closed=client.path, code=client.close_code)


async def be_deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    key = next(line.partition(": ")[2] for line in head.splitlines() if line.lower().startswith("sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    tell(opened="/deaf")
    while await reader.read(65_536):
        pass
    writer.close()


async def serve(arguments: argparse.Namespace) -> None:
    await asyncio.start_server(be_deaf, "127.0.0.1", arguments.deaf_port)
    async with websockets.serve(hear, "127.0.0.1", arguments.port):
        await asyncio.Event().wait()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--deaf-port", type=int, required=True)
asyncio.run(serve(parser.parse_args()))
