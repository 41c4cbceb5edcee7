"""The soak's upstreams: two that are steady, and others that do all that upstreams do to a client, in turn and at random."""

import asyncio
import contextlib
import json
import logging
import random
import signal
import socket
import ssl
import struct
import threading
import time

import websockets

from support import frames
from support.byte_stream import Ended
from support.frames import Opcode
from support.scripted_server import Peer

STEADY_BATCH, STEADY_PAUSE = 50, 0.1
BURST_BATCH, BURST_PAUSE = 3000, 1.5
LARGE = 1 << 20
"""Bytes of a message of `large`."""


class Server:
    """A thread that accepts, and one for each client. `serve(peer)` is what is done to it."""

    def __init__(self, context, serve, before=None):
        self._context, self._serve, self._before = context, serve, before
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._live, args=(client,), daemon=True).start()

    def _live(self, client):
        try:
            client.settimeout(20)
            if self._before and self._before(client):
                return
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            self._serve(Peer(client))
        except (OSError, Ended, AssertionError, KeyError, IndexError, ValueError):
            pass  # the daemon has gone, or had enough of what was done to it
        finally:
            client.close()


def answer_control(peer):
    """Reads until the daemon closes; in a thread of its own where something is sent meanwhile."""
    with contextlib.suppress(OSError, Ended):
        while True:
            found = peer.read_frame(30)
            if found.opcode == Opcode.PING:
                peer.send(frames.frame(Opcode.PONG, found.payload))
            elif found.opcode == Opcode.CLOSE:
                peer.send(frames.frame(Opcode.CLOSE, found.payload[:2]))
                return


def answer_for(peer, seconds):
    """The same for a while, in the thread that also sends: Python's TLS sockets are not for two at once."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        peer.socket.settimeout(left)
        try:
            data = peer.socket.recv(65_536)
        except TimeoutError:
            return
        if not data:
            raise Ended(b"", reset=False)
        peer.buffer += data
        while (found := take_frame(peer.buffer)) is not None:
            opcode, payload = found
            if opcode == Opcode.PING:
                peer.send(frames.frame(Opcode.PONG, payload))
            elif opcode == Opcode.CLOSE:
                peer.send(frames.frame(Opcode.CLOSE, payload[:2]))
                raise Ended(b"", reset=False)


def take_frame(buffer):
    """The next masked frame, if it is there as a whole."""
    size, begin = (buffer[1] & 0x7F if len(buffer) > 1 else 0), 2
    if size >= 126:
        begin = 4 if size == 126 else 10
        size = int.from_bytes(buffer[2:begin], "big") if len(buffer) >= begin else 0
    end = begin + 4 + size
    if len(buffer) < end:
        return None
    opcode, key = buffer[0] & 0x0F, bytes(buffer[begin:begin + 4])
    payload = frames.mask_payload(bytes(buffer[begin + 4:end]), key)
    del buffer[:end]
    return opcode, payload


def numbered(make_payload, batch, pause):
    """Serves messages whose number is their sequence, as long as they have one session."""

    def serve(peer):
        peer.upgrade()
        number = 0
        while True:
            peer.send(b"".join(frames.text(make_payload(number + index)) for index in range(1, batch + 1)))
            number += batch
            answer_for(peer, pause)

    return serve


def steady_payload(number):
    return f"{number} {'.' * 200}"


def burst_payload(number):
    return f"{number} {'.' * (number % 300)}"


def serve_large(peer):
    peer.upgrade()
    threading.Thread(target=answer_control, args=(peer,), daemon=True).start()
    piece = b"x" * 32_768
    for _ in range(random.randrange(3, 30)):
        count = LARGE // len(piece)
        for index in range(count):
            opcode = Opcode.BINARY if index == 0 else Opcode.CONTINUATION
            peer.send(frames.frame(opcode, piece, fin=index == count - 1))
        time.sleep(0.5)
    peer.send(frames.frame(Opcode.BINARY, piece, fin=False))  # and never its end
    peer.reset()


# What is done before there is TLS or HTTP; true: that was all.


def before_tls(client):
    deed = random.randrange(12)
    if deed == 0:  # a reset
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif deed == 1:  # nothing at all
        client.recv(4096)
        time.sleep(3)
    elif deed == 2:  # no TLS
        client.sendall(b"SSH-2.0-something_else\r\n")
        time.sleep(0.1)
    return deed <= 2


# What is done instead of the 101.


def refuse(peer):
    status = random.choice(("401 Unauthorized", "403 Forbidden", "404 Not Found", "429 Too Many Requests", "503 Unavailable", "200 OK"))
    retry = "Retry-After: 1\r\n" if status[0] in "45" else ""
    peer.send(f"HTTP/1.1 {status}\r\n{retry}Content-Length: 2\r\n\r\nno".encode())


def redirect(peer):
    peer.send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


def drip_the_answer(peer):
    for byte in peer.upgrade_answer():
        peer.send(bytes([byte]))
        time.sleep(0.05)


def answer_wrongly(peer):
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")


def send_a_large_head(peer):
    peer.send(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 20_000)
    time.sleep(0.5)


# What is done in a session.


def talk(peer, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        peer.send(b"".join(frames.text(json.dumps({"n": number, "text": "y" * random.randrange(400)})) for number in range(20)))
        time.sleep(0.05)


def reset_inside_a_message(peer):
    peer.send(frames.text("x" * 10_000)[:5000])
    peer.reset()


def break_the_protocol(peer):
    peer.send(random.choice((
        frames.text("masked", masked=True), frames.text(b"\xff\xfe"), frames.frame(Opcode.TEXT, b"x", rsv=7),
        frames.frame(0x3, b""), frames.frame(Opcode.CONTINUATION, b"x"), frames.header(Opcode.BINARY, 1 << 40),
        frames.close(999), frames.frame(Opcode.PING, b"x" * 200),
    )))
    answer_control(peer)


def close_orderly(peer):
    peer.send(frames.close(random.choice((1000, 1001, 1008, 1011, 1012, 1013, 4000)), "for today"))
    peer.read_close(5)


def close_and_stay(peer):
    peer.send(frames.close(1000))
    time.sleep(3)


def never_read(_):
    time.sleep(5)


def drip_a_message(peer):
    for byte in frames.text("z" * 100):
        peer.send(bytes([byte]))
        time.sleep(0.05)


def flood_control(peer):
    peer.send(frames.frame(Opcode.PING, b"x" * 100) * 500)
    peer.send(frames.frame(Opcode.TEXT, b"", fin=False) + frames.frame(Opcode.CONTINUATION, b"", fin=False) * 500)
    answer_control(peer)


def close_in_silence(peer):
    peer.cut()


INSTEAD = (refuse, refuse, redirect, drip_the_answer, answer_wrongly, send_a_large_head)
INSIDE = (reset_inside_a_message, break_the_protocol, break_the_protocol, close_orderly, close_and_stay, never_read, drip_a_message,
          flood_control, close_in_silence)


def serve_faults(peer):
    if random.random() < 0.3:
        random.choice(INSTEAD)(peer)
        return
    peer.upgrade()
    talk(peer, random.random() * 3)
    random.choice(INSIDE)(peer)


# Those that a session script talks to: the `websockets` package, which compresses too.


async def scripted(client):
    """Wants a subscription before it sends; announces its end now and then."""
    asked = json.loads(await client.recv())
    await client.send(json.dumps({"event": "subscribed", "id": asked.get("id"), "session": f"s{random.randrange(10**6)}"}))

    async def answer():
        async for message in client:
            if '"op":"ping"' in message:
                await client.send('{"op":"pong"}')
            elif '"echo"' in message:
                await client.send(message)

    answering = asyncio.create_task(answer())
    try:
        end = time.monotonic() + random.random() * 15
        number = 0
        while time.monotonic() < end:
            for _ in range(10):
                number += 1
                await client.send(json.dumps({"s": number, "ask": number % 20 == 0, "text": "abc" * random.randrange(100)}))
            await asyncio.sleep(0.1)
        chosen = random.randrange(4)
        if chosen == 0:
            await client.send('{"op":"goodbye"}')
            await asyncio.sleep(5)
        elif chosen == 1:
            client.transport.abort()
        else:
            await client.close(random.choice((1000, 1012, 4007)), "enough")
    finally:
        answering.cancel()


async def echo(client):
    """Takes what is published, sends some of it back, and drops the session now and then."""
    end = time.monotonic() + random.random() * 10
    async for message in client:
        if random.random() < 0.5:
            await client.send(message)
        if time.monotonic() > end:
            break


async def _serve_sessions(context, ports):
    # What the daemon does to it is no news.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    async with (websockets.serve(scripted, "127.0.0.1", 0, ssl=context) as first,
                websockets.serve(echo, "127.0.0.1", 0, max_size=1 << 22) as second):
        ports.update(scripted=first.sockets[0].getsockname()[1], echo=second.sockets[0].getsockname()[1])
        await asyncio.Event().wait()


def run(certificate, key, told):
    """The process of all of them; puts their ports into the queue `told`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    ports = {
        "steady": Server(context, numbered(steady_payload, STEADY_BATCH, STEADY_PAUSE)).port,
        "burst": Server(None, numbered(burst_payload, BURST_BATCH, BURST_PAUSE)).port,
        "large": Server(None, serve_large).port,
        "faulty": Server(context, serve_faults, before_tls).port,
        "faulty_plain": Server(None, serve_faults).port,
    }
    threading.Thread(target=lambda: asyncio.run(_serve_sessions(context, ports)), daemon=True).start()
    while "echo" not in ports:
        time.sleep(0.01)
    told.put(ports)
    threading.Event().wait()
