"""WebSocket frames as bytes (RFC 6455, section 5.2), the wrong ones too: what a library would never send."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from enum import IntEnum


class Opcode(IntEnum):
    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


@dataclass(frozen=True)
class Frame:
    opcode: int
    payload: bytes
    fin: bool = True
    rsv: int = 0
    masked: bool = False

    @property
    def close_code(self) -> int | None:
        """The code of a Close frame; None when it has none."""
        assert self.opcode == Opcode.CLOSE, self
        return struct.unpack(">H", self.payload[:2])[0] if len(self.payload) >= 2 else None

    @property
    def close_reason(self) -> str:
        assert self.opcode == Opcode.CLOSE, self
        return self.payload[2:].decode()


def mask_payload(payload: bytes, key: bytes) -> bytes:
    """One XOR of two long integers: quick enough for megabytes."""
    size = len(payload)
    stream = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")


def header(opcode: int, size: int, *, fin: bool = True, rsv: int = 0, masked: bool = False,
           length_form: int | None = None) -> bytes:
    """`rsv` has RSV1 as 4, RSV2 as 2, RSV3 as 1; `length_form` 7, 16 or 64 bits, else the shortest."""
    if length_form is None:
        length_form = 7 if size < 126 else 16 if size < 65_536 else 64
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0x80 if masked else 0
    if length_form == 7:
        return struct.pack(">BB", first, bit | size)
    if length_form == 16:
        return struct.pack(">BBH", first, bit | 126, size)
    return struct.pack(">BBQ", first, bit | 127, size)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, masked: bool = False,
          length_form: int | None = None) -> bytes:
    front = header(opcode, len(payload), fin=fin, rsv=rsv, masked=masked, length_form=length_form)
    if not masked:
        return front + payload
    key = os.urandom(4)
    return front + key + mask_payload(payload, key)


def text(payload: str | bytes, **options: object) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    return frame(Opcode.TEXT, data, **options)  # type: ignore[arg-type]


def close(code: int | None = None, reason: str | bytes = b"", **options: object) -> bytes:
    data = reason.encode() if isinstance(reason, str) else reason
    payload = b"" if code is None else struct.pack(">H", code) + data
    return frame(Opcode.CLOSE, payload, **options)  # type: ignore[arg-type]
