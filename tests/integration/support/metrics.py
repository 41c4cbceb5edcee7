"""A strict reader of the Prometheus text format 0.0.4."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*,?)?\}})? (\S+)(?: -?[0-9]+)?")
_ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


@dataclass(frozen=True)
class Sample:
    name: str
    labels: dict[str, str]
    value: float


@dataclass
class Family:
    name: str
    kind: str = ""
    help: str = ""
    samples: list[Sample] = field(default_factory=list)


def parse(text: str) -> dict[str, Family]:
    """Raises AssertionError on whatever a scraper would refuse, and on families without HELP or TYPE."""
    assert text.endswith("\n"), "the last line must end"
    families: dict[str, Family] = {}
    current: Family | None = None
    told: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, *rest = line.split(" ", 3)
            assert name not in families, f"{name} stands twice"
            current = families[name] = Family(name, help=rest[0] if rest else "")
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert current is not None and current.name == name, line
            assert kind in ("counter", "gauge", "histogram", "summary", "untyped"), line
            current.kind = kind
        elif line:
            match = _SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            name, labels, value = match[1], dict(_ONE_LABEL.findall(match[2] or "")), float(match[3])
            assert current is not None and current.kind, f"no TYPE before {line!r}"
            assert name in [current.name + suffix for suffix in _SUFFIXES.get(current.kind, ("",))], line
            series = line.rpartition(" ")[0]
            assert series not in told, line
            told.add(series)
            current.samples.append(Sample(name, labels, value))
    return families


def samples_with(families: dict[str, Family], **labels: str) -> list[Sample]:
    """All samples that have these label values."""
    return [sample for family in families.values() for sample in family.samples
            if all(sample.labels.get(name) == value for name, value in labels.items())]
