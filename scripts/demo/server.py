"""The demo's upstream: a wss server on loopback that sends trades of an invented market."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import websockets

START_PRICES = {"ACORN": 12.40, "BIRCH": 48.15, "CEDAR": 310.00, "ELDER": 96.72, "MAPLE": 7.031}
TRADES_PER_SECOND = 20
DEPTH_EVERY = 60
"""Each so many trades, one larger message: a picture of the order book."""


def trades(seed: int) -> Iterator[dict[str, Any]]:
    """An endless random walk. The same seed gives the same prices."""
    chance = random.Random(seed)
    prices = dict(START_PRICES)
    number = 0
    while True:
        number += 1
        symbol = chance.choice(list(prices))
        prices[symbol] = max(0.01, prices[symbol] * (1 + chance.gauss(0, 0.0008)))
        if number % DEPTH_EVERY == 0:
            yield {"type": "depth", "symbol": symbol, "bids": levels(chance, prices[symbol], -1),
                   "asks": levels(chance, prices[symbol], +1)}
        else:
            yield {"type": "trade", "id": number, "symbol": symbol, "price": round(prices[symbol], 3),
                   "size": chance.choice((1, 5, 10, 25, 100)), "side": chance.choice(("buy", "sell"))}


def levels(chance: random.Random, price: float, direction: int) -> list[list[float]]:
    return [[round(price * (1 + direction * step * 0.0005), 3), chance.randrange(1, 500)] for step in range(1, 26)]


async def send_feed(client: Any) -> None:
    """Sends until the client goes. What the client sends is sent back, so that `wskeep send` shows something."""

    async def echo() -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in client:
                if isinstance(message, str):
                    await client.send(json.dumps({"type": "echo", "text": message}))

    echoing = asyncio.create_task(echo())
    try:
        for trade in trades(seed=time.time_ns()):
            await client.send(json.dumps({**trade, "time": time.time_ns() // 1_000_000}))
            await asyncio.sleep(random.expovariate(TRADES_PER_SECOND))
    except websockets.ConnectionClosed:
        pass
    finally:
        echoing.cancel()


async def serve(certificate: Path, key: Path, port: int, port_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with websockets.serve(send_feed, "127.0.0.1", port, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        # Renamed into place, so that who waits for the file never reads half of it.
        partial = port_file.with_suffix(".partial")
        partial.write_text(f"{port}\n")
        os.replace(partial, port_file)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", type=Path, required=True)
    parser.add_argument("--key", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0, help="0: one that is free")
    parser.add_argument("--port-file", type=Path, required=True, help="where to write the port")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.certificate, arguments.key, arguments.port, arguments.port_file))


if __name__ == "__main__":
    main()
