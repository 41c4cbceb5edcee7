"""A daemon with something of everything, so that every metric has a value; and the files that look at it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

from . import frames
from .daemon import Daemon
from .documents import ROOT
from .processes import free_port
from .session import StartDaemon, StartServer

RULES = ROOT / "docker" / "prometheus" / "rules.yaml"
DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "wskeep.json"


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


def queries() -> list[tuple[str, str]]:
    """All of the dashboard, with a name."""
    return [(f"{panel['title']}-{target['refId']}", target["expr"]) for panel in panels() for target in panel["targets"]]


def shown(language: str) -> list[str]:
    """The blocks of that language that the documents of monitoring show."""
    texts = [(ROOT / "docs" / f"{name}.md").read_text() for name in ("monitoring", "metrics")]
    return [block for text in texts for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]


def rule_expressions() -> str:
    return " ".join(re.findall(r"expr: (?:>-\n(?:          .*\n)+|.*)", RULES.read_text()))


class Monitored:
    """`feed` has a session, a local app and traffic, is cut off from time to time and comes back; nobody answers for `refused`."""

    def __init__(self, start_daemon: StartDaemon, start_server: StartServer) -> None:
        self._server, refusing = start_server(), start_server()
        refusing.stop_listening()
        self.daemon: Daemon = start_daemon(
            {"feed": {"url": self._server.url, "keepalive": {"ping": "50ms"}}, "refused": refusing},
            metrics={"listen": f"127.0.0.1:{free_port()}"}, connects={"hosts": {"localhost": "5000/1m"}})
        self._peer = self._server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
        self._app = self.daemon.subscribe("feed")
        self._come_back()
        self._exchange()
        self._stopped = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._live)

    def live(self) -> None:
        """From now on until `stop` something happens all the time."""
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        assert self._fault is None, self._fault

    def _live(self) -> None:
        try:
            for turn in range(1, 1_000_000):
                if self._stopped.is_set():
                    return
                self._exchange()
                if turn % 10 == 0:
                    self._come_back()
        except BaseException as fault:  # of a thread: told by `stop`
            self._fault = fault

    def _exchange(self) -> None:
        """A ping is answered, a message comes and goes."""
        ping = self._peer.read_until(frames.Opcode.PING)
        self._peer.send(frames.frame(frames.Opcode.PONG, ping.payload) + frames.text("tick"))
        assert self._app.read_message().payload == b"tick"

    def _come_back(self) -> None:
        self._peer.reset()
        self._peer = self._server.accept_and_upgrade()
        self.daemon.wait_state("feed", "ready")
