"""The messages that peers exchange. server.js has the same."""

from __future__ import annotations

TEXT = "Grüße, 世界 🌍"
BINARY = bytes(range(256))
FRAGMENTS = ["Grü", "", "ße, ", "世界"]
LARGE_TEXT = "0123456789" * 70_000
LARGE_BINARY = bytes(number % 251 for number in range(1_000_000))

EXPECTED: dict[str, str | bytes] = {
    "text": TEXT,
    "binary": BINARY,
    "fragmented": "".join(FRAGMENTS),
    "large text": LARGE_TEXT,
    "large binary": LARGE_BINARY,
}
