"""An upstream in a container: it says on standard output, as lines of JSON, who comes, what they say and how they go."""

import asyncio
import json
import signal

import websockets


def say(**what) -> None:
    print(json.dumps(what), flush=True)


async def count(client) -> None:
    """Numbers, the first of which is a place to go on from."""
    number = 0
    while True:
        number += 1
        await client.send(json.dumps({"id": "s1", "n": number}))
        await asyncio.sleep(0.02)


async def serve(client) -> None:
    say(event="connected", path=client.path, headers=dict(client.request_headers))
    counting = asyncio.create_task(count(client))
    try:
        async for message in client:
            say(event="message", text=message)
    except websockets.ConnectionClosed:
        pass
    counting.cancel()
    say(event="closed", code=client.close_code)


async def main() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with websockets.serve(serve, "127.0.0.1", 8080):
        await ended.wait()


asyncio.run(main())
