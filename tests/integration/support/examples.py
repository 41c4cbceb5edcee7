"""The files of config/examples/ as they stand, but for the host, files and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from .byte_stream import DEADLINE
from .daemon import Daemon
from .documents import ROOT
from .enforcing_server import Upstream
from .frames import Frame
from .local import Subscriber

EXAMPLES = ROOT / "config" / "examples"
PLACE = "/etc/wskeep/"
"""Where the examples' files lie."""
AT_ONCE = {"connections:\n": "defaults: {reconnect: {initial: 10ms, max: 50ms}}\n\nconnections:\n"}
"""For an example without `defaults` and `reconnect`: it comes again at once."""

StartExample = Callable[..., Daemon]
"""The fixture `start_example`:

    start_example("coinbase", server)                                  the example as it stands
    start_example("coinbase", server, {"every: 20s": "every: 100ms"})  text of the file, and what stands for it in this test
    start_example("coinbase", server, files={"coinbase.pem": key}, environment={"NAME": "value"})

Each text must stand in the example, so that a test goes with it. `files` are those that the example has in /etc/wskeep/.
The server's `host` becomes its address, and wskeepd trusts the test authority. Servers are closed after the daemon.
"""


def substitute(text: str, substitutions: Mapping[str, str]) -> str:
    for old, new in substitutions.items():
        assert old in text, f"the example has no {old!r}:\n{text}"
        text = text.replace(old, new)
    return text


def example(name: str, server: Upstream, substitutions: Mapping[str, str], folder: Path) -> str:
    """The text of the file, for a daemon whose files are in that folder."""
    text = (EXAMPLES / f"{name}.yaml").read_text()
    hosts = {f"//{host}": f"//{address}" for host, address in server.addresses.items()}
    return substitute(text, dict(substitutions) | hosts).replace(PLACE, f"{folder}/")


def read_until(app: Subscriber, wanted: Callable[[bytes], bool], most: int = 2000) -> Frame:
    """The first message that is wanted; what came before it is dropped."""
    for _ in range(most):
        message = app.read_message(DEADLINE)
        if wanted(message.payload):
            return message
    raise AssertionError(f"{most} messages, none of them the wanted one")
