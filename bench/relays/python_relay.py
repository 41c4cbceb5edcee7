"""A relay as one would write it with the `websockets` package.

    python3 python_relay.py SOCKET PORT AUTHORITIES CONNECTIONS

Of several connections only the first is passed on; the others stay idle.
"""

import asyncio
import ssl
import sys

import websockets

# What a subscriber may leave unread before upstream has to wait. Without it a flood would only
# grow the heap.
HIGH_WATER = 1 << 20


async def relay(upstream, subscribers):
    async for message in upstream:
        websockets.broadcast(subscribers, message)
        while any(s.transport.get_write_buffer_size() > HIGH_WATER for s in subscribers):
            await asyncio.sleep(0.001)


async def main(socket_path, port, authorities, connections):
    context = ssl.create_default_context(cafile=authorities)
    upstreams = [
        await websockets.connect(f"wss://127.0.0.1:{port}/", ssl=context, compression=None)
        for _ in range(int(connections))
    ]
    subscribers = set()

    async def subscribe(websocket):
        subscribers.add(websocket)
        try:
            await websocket.wait_closed()
        finally:
            subscribers.discard(websocket)

    async with websockets.unix_serve(subscribe, socket_path, compression=None):
        await relay(upstreams[0], subscribers)


asyncio.run(main(*sys.argv[1:]))
