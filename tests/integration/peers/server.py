"""An upstream made with Python websockets. Knows commands (see samples.py); sends back whatever else it gets."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

import websockets

sys.path.insert(0, str(Path(__file__).resolve().parent))
import samples


async def answer(client: Any) -> None:
    async for message in client:
        if message == "send text":
            await client.send(samples.TEXT)
        elif message == "send binary":
            await client.send(samples.BINARY)
        elif message == "send fragmented":
            await client.send(samples.FRAGMENTS)
        elif message == "send large text":
            await client.send(samples.LARGE_TEXT)
        elif message == "send large binary":
            await client.send(samples.LARGE_BINARY)
        else:
            await client.send(message)


async def serve(arguments: argparse.Namespace) -> None:
    context = None
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate, arguments.key)
    async with websockets.serve(answer, "127.0.0.1", arguments.port, ssl=context, subprotocols=["samples"],
                                compression="deflate" if arguments.compress else None):
        await asyncio.Event().wait()


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--compress", action="store_true")
asyncio.run(serve(parser.parse_args()))
