"""An upstream that sends a trade of an invented market ten times a second, and says who comes and how they go."""

import asyncio
import json
import random
import signal
import time

import websockets


async def send(client) -> None:
    print("connected", flush=True)
    price = 100.0
    try:
        while True:
            price *= 1 + random.gauss(0, 0.001)
            await client.send(json.dumps({"symbol": "ACORN", "price": round(price, 3), "time": time.time_ns() // 1_000_000}))
            await asyncio.sleep(0.1)
    except websockets.ConnectionClosed:
        print(f"closed with {client.close_code}", flush=True)


async def main() -> None:
    ended = asyncio.Event()
    # Process 1 of a container has no default: without a handler, the signal that stops it does nothing.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with websockets.serve(send, "0.0.0.0", 8080):
        await ended.wait()


asyncio.run(main())
