"""The HTTP heads that both ends of a WebSocket exchange first."""

from __future__ import annotations

import base64
import hashlib

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def parse_head(head: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the headers with names in lower case; of equal ones the last."""
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return first, headers
