"""An app in a container of its own: reads a connection of wskeepd through the socket that the two share."""

import asyncio
import os

import websockets

SOCKET = os.environ.get("WSKEEP_SOCKET", "/run/wskeep/wskeep.sock")
NAME = os.environ.get("WSKEEP_CONNECTION", "trades")


async def read() -> None:
    async with websockets.unix_connect(SOCKET, f"ws://localhost/v1/connections/{NAME}/messages?from=oldest") as messages:
        async for message in messages:
            print(message)


async def main() -> None:
    while True:
        try:
            await read()
        except (OSError, websockets.WebSocketException) as error:
            print(f"no wskeepd: {error}; again in a second")
        await asyncio.sleep(1)


asyncio.run(main())
