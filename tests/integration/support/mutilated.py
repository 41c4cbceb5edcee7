"""Examples with a step left out, to see that the server would not have let it pass."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

import pytest

from .daemon import sanitized
from .enforcing_server import Upstream
from .examples import StartExample


@dataclass(frozen=True)
class Mutilated:
    """An example without something that its upstream demands."""

    example: str
    server: type[Upstream]
    rule: str
    """The rule of the server that it breaks."""
    without: str
    """What is missing, in words."""
    substitutions: dict[str, str]
    limits: dict[str, Any] = field(default_factory=dict)
    """Of the server: limits of time are short here, for nothing is to come."""

    def check(self, start_example: StartExample, context: ssl.SSLContext, *, files: dict[str, str] | None = None,
              environment: dict[str, str] | None = None) -> None:
        server = self.server(context, **self.limits)
        start_example(self.example, server, self.substitutions, files=files, environment=environment)
        server.wait_for_violation(self.rule)


def cases(*all_of_them: Mutilated) -> Any:
    """A decorator: one test for each; their names say what is missing. Not with sanitizers: they are many, and try the servers."""
    marks = pytest.mark.skip(reason="without sanitizers") if sanitized() else ()
    return pytest.mark.parametrize("mutilated", [
        pytest.param(case, id=f"{case.example} without {case.without}", marks=marks) for case in all_of_them])


def unproven_rules(server: type[Upstream], all_of_them: list[Mutilated], proven_elsewhere: set[str]) -> set[str]:
    """The rules of a server that no mutilated example breaks."""
    return set(server.rules) - {case.rule for case in all_of_them if case.server is server} - proven_elsewhere
