"""An app in a container of its own: reads a connection of wskeepd through the socket that the two share.

It keeps its place, a cursor: after a restart of wskeepd it goes on there, and says what it missed.
"""

import asyncio
import json
import os
import signal

import websockets

SOCKET = os.environ.get("WSKEEP_SOCKET", "/run/wskeep/wskeep.sock")
NAME = os.environ.get("WSKEEP_CONNECTION", "trades")


class Reader:
    def __init__(self) -> None:
        self._epoch = ""
        self._cursor = ""

    async def read(self) -> None:
        """Prints messages until the daemon goes."""
        place = f"after={self._cursor}" if self._cursor else "from=oldest"
        async with websockets.unix_connect(SOCKET, f"ws://localhost/v1/connections/{NAME}/messages?{place}",
                                           subprotocols=["wskeep.v1"]) as messages:
            async for message in messages:
                text = message if isinstance(message, str) else message.decode(errors="replace")
                if text.startswith("{"):
                    self._note(json.loads(text))
                    continue
                head, _, payload = text.partition("\n")
                print(payload, flush=True)
                self._cursor = f"{self._epoch}:{head.split()[0]}"

    def _note(self, event) -> None:
        if event["event"] == "hello":
            self._epoch = event["epoch"]
        elif event["event"] == "gap":
            # 0: of another epoch, for wskeepd was started anew, and nobody has counted.
            print(f"missed: {event['from']} to {event['to']}" if event["from"] else "missed: an unknown number", flush=True)
        else:
            print(f"{event['event']}: {event.get('message', '')}", flush=True)


async def main() -> None:
    # Process 1 of a container has no default: without a handler, the signal that stops it does nothing.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    reader = Reader()
    while True:
        try:
            await reader.read()
        except (OSError, websockets.WebSocketException) as error:
            print(f"no wskeepd: {error}; again in a second", flush=True)
        await asyncio.sleep(1)


try:
    asyncio.run(main())
except asyncio.CancelledError:
    pass
