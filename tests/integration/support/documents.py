"""The fenced blocks of the documents, and what stands before them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"(?:<!-- (?P<marker>[^\n]*?) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    document: str
    line: int
    language: str
    text: str
    marker: str
    """What the comment right before it says: `test: NAME`, `no test: WHY`, or nothing."""

    @property
    def name(self) -> str | None:
        """How it is tested; None: it is not."""
        found = re.fullmatch(r"test: ([a-z0-9-]+)", self.marker)
        return found[1] if found else None

    @property
    def excuse(self) -> str | None:
        found = re.fullmatch(r"no test: (\S.*)", self.marker)
        return found[1] if found else None

    @property
    def shows_a_command(self) -> bool:
        return self.language in ("sh", "bash", "shell", "console")

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks_of(document: str) -> list[Block]:
    text = (ROOT / document).read_text()
    return [Block(document, text[:found.start()].count("\n") + 1, found["language"], found["text"], found["marker"] or "")
            for found in _FENCE.finditer(text)]
