"""The metrics, the alert rules and the dashboard, with the real Prometheus and promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames, metrics
from support.daemon import Daemon
from support.documents import ROOT
from support.processes import Processes, free_port
from support.session import StartDaemon, StartServer
from support.waiting import wait_for

RULES = ROOT / "docker" / "prometheus" / "rules.yaml"
DASHBOARD = ROOT / "docker" / "grafana" / "dashboards" / "wskeep.json"
RULES_TEST = ROOT / "tests" / "integration" / "monitoring" / "rules_test.yaml"
_NAME = re.compile(r"\bwskeep_[a-z0-9_]+")

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None or shutil.which("prometheus") is None,
                                reason="needs prometheus and promtool: scripts/setup test installs them")


def _run(*command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, timeout=60)


def _panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


QUERIES = [pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}") for panel in _panels() for target in panel["targets"]]


class Prometheus:
    def __init__(self, folder: Path, processes: Processes, target: str) -> None:
        shutil.copy(RULES, folder / "rules.yaml")
        configuration = folder / "prometheus.json"
        configuration.write_text(json.dumps({
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"}, "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [{"job_name": "wskeep", "static_configs": [{"targets": [target]}]}]}))
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        processes.start_listening(
            [shutil.which("prometheus") or "", f"--config.file={configuration}", f"--storage.tsdb.path={folder / 'series'}",
             f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], port)
        wait_for(self._ready, "Prometheus is ready")

    def _ready(self) -> bool:
        try:
            return bool(self.query("vector(1)"))
        except urllib.error.HTTPError as error:
            assert error.code == 503, error  # it reads its series first
            return False

    def get(self, path: str, **parameters: str) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never a proxy of the environment
        with opener.open(f"{self._address}{path}?{urllib.parse.urlencode(parameters)}", timeout=20) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        return self.get("/api/v1/query", query=expression)["result"]


class Watched:
    """A running system with something of everything, and the Prometheus that scrapes it."""

    def __init__(self, daemon: Daemon, prometheus: Prometheus) -> None:
        self.daemon = daemon
        self.prometheus = prometheus


@pytest.fixture
def daemon(start_daemon: StartDaemon, start_server: StartServer) -> Daemon:
    server, refusing = start_server(), start_server()
    refusing.stop_listening()
    daemon = start_daemon({"feed": {"url": server.url, "keepalive": {"ping": "50ms"}}, "refused": refusing},
                          metrics={"listen": f"127.0.0.1:{free_port()}"}, connects={"hosts": {"localhost": "5000/1m"}})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    peer.reset()
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    peer.send(frames.text("tick") * 10)
    ping = peer.read_until(frames.Opcode.PING)
    peer.send(frames.frame(frames.Opcode.PONG, ping.payload))
    wait_for(lambda: daemon.connection("feed")["round_trip_ms"], "a round trip is known")
    return daemon


@pytest.fixture
def watched(daemon: Daemon, folder: Path, processes: Processes) -> Watched:
    prometheus = Prometheus(folder, processes, daemon.get("/v1/status").json["metrics_listen"])
    wait_for(lambda: prometheus.query('count_over_time(up{job="wskeep"}[1m]) >= 4'), "Prometheus has scraped four times", 60)
    return Watched(daemon, prometheus)


def test_promtool_finds_nothing_wrong_with_the_metrics(daemon: Daemon) -> None:
    done = _run("promtool", "check", "metrics", given=daemon.get("/metrics").body.decode())
    assert done.returncode == 0 and done.stdout + done.stderr == "", done


def test_the_rules_are_well_formed() -> None:
    done = _run("promtool", "check", "rules", RULES)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done


def test_the_rules_give_the_alerts_they_should(folder: Path) -> None:
    shutil.copy(RULES, folder / "rules.yaml")
    shutil.copy(RULES_TEST, folder / "rules_test.yaml")
    done = _run("promtool", "test", "rules", folder / "rules_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text()))
    assert alerts == set(re.findall(r"alertname: (\w+)", RULES_TEST.read_text())), "each alert has its series"


def test_rules_and_dashboard_name_metrics_that_there_are(daemon: Daemon) -> None:
    exported = {sample.name for family in metrics.parse(daemon.get("/metrics").body.decode()).values() for sample in family.samples}
    used = set(_NAME.findall(" ".join(re.findall(r"expr: (?:>-\n(?:          .*\n)+|.*)", RULES.read_text()))))
    used |= {name for parameter in QUERIES for name in _NAME.findall(str(parameter.values[0]))}
    assert used and used <= exported, used - exported


def test_the_document_has_every_metric(daemon: Daemon) -> None:
    """With its kind and its labels, and none that there is not."""
    rows = re.findall(r"^\| `(wskeep_\w+)` \| (\w+) \| ([^|]*)\| [^|]+\|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    exported = {family.name: (family.kind, {label for sample in family.samples for label in sample.labels} - {"le"})
                for family in metrics.parse(daemon.get("/metrics").body.decode()).values()}
    assert documented == exported, "docs/metrics.md says what the daemon exports"
    assert len(rows) == len(documented)


def test_prometheus_takes_the_scrape_and_the_rules(watched: Watched) -> None:
    (target,) = watched.prometheus.get("/api/v1/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    rules = [rule for group in watched.prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    wait_for(lambda: all(rule["health"] == "ok" for group in watched.prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]),
             "every rule has been evaluated")
    assert len(rules) == len(re.findall(r"alert:", RULES.read_text()))
    pending = wait_for(lambda: [alert["labels"]["connection"] for alert in watched.prometheus.get("/api/v1/alerts")["alerts"]
                                if alert["labels"]["alertname"] == "WskeepConnectionDown"], "the one that is refused is noticed")
    assert pending == ["refused"]


def test_every_query_of_the_dashboard_returns_data(watched: Watched) -> None:
    empty = []
    for parameter in QUERIES:
        asked = str(parameter.values[0])
        for variable, value in (("$instance", ".*"), ("$connection", ".*"), ("$__rate_interval", "1m")):
            asked = asked.replace(variable, value)
        assert "$" not in asked, asked
        if not watched.prometheus.query(asked):
            empty.append(f"{parameter.id}: {asked}")
    assert not empty, "\n".join(empty)
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert found and watched.prometheus.query(f"group by ({found[2]}) ({found[1].replace('$instance', '.*')})"), variable


def test_the_dashboard_is_whole() -> None:
    """Nothing lies on anything else, and every panel says in which unit it is."""
    board = json.loads(DASHBOARD.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["fieldConfig"]["defaults"].get("unit") for panel in _panels())
    assert "${datasource}" in DASHBOARD.read_text()
