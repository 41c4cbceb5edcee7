"""An upstream that sends a trade of an invented market ten times a second."""

import asyncio
import json
import random
import time

import websockets


async def send(client) -> None:
    price = 100.0
    while True:
        price *= 1 + random.gauss(0, 0.001)
        await client.send(json.dumps({"symbol": "ACORN", "price": round(price, 3), "time": time.time_ns() // 1_000_000}))
        await asyncio.sleep(0.1)


async def main() -> None:
    async with websockets.serve(send, "0.0.0.0", 8080):
        await asyncio.Event().wait()


asyncio.run(main())
