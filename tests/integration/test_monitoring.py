"""The metrics, the alert rules and the dashboard, with the real Prometheus and promtool."""

from __future__ import annotations

import json
import math
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

from support.documents import ROOT
from support.monitored import DASHBOARD, RULES, Monitored, queries, shown
from support.processes import Processes, free_port
from support.session import StartDaemon, StartServer
from support.waiting import wait_for

RULES_TEST = ROOT / "tests" / "integration" / "monitoring" / "rules_test.yaml"

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None or shutil.which("prometheus") is None,
                                reason="needs prometheus and promtool: scripts/setup system installs them")


def _run(*command: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], input=given, capture_output=True, text=True, timeout=60)


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

    def __init__(self, system: Monitored, prometheus: Prometheus) -> None:
        self.daemon = system.daemon
        self.prometheus = prometheus


@pytest.fixture
def system(start_daemon: StartDaemon, start_server: StartServer) -> Iterator[Monitored]:
    monitored = Monitored(start_daemon, start_server)
    yield monitored
    monitored.stop()


@pytest.fixture
def watched(system: Monitored, folder: Path, processes: Processes) -> Watched:
    prometheus = Prometheus(folder, processes, system.daemon.get("/v1/status").json["metrics_listen"])
    wait_for(lambda: prometheus.query('up{job="wskeep"} == 1'), "Prometheus has scraped", 60)
    system.live()
    return Watched(system, prometheus)


def test_promtool_finds_nothing_wrong_with_the_metrics(system: Monitored) -> None:
    done = _run("promtool", "check", "metrics", given=system.daemon.get("/metrics").body.decode())
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
    tests = RULES_TEST.read_text()
    assert alerts == set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", tests)), "each is seen to be quiet"
    assert alerts == set(re.findall(r"alertname: (\w+)\n +exp_alerts:\n", tests)), "and to fire"


def test_prometheus_understands_what_the_documents_show(folder: Path) -> None:
    own = ROOT / "docker" / "prometheus" / "prometheus.yaml"
    for number, text in enumerate([*shown("yaml"), own.read_text()]):
        file = folder / f"prometheus{number}.yml"
        file.write_text(re.sub(r"/[a-z/]+/rules\.yaml", str(RULES), text))
        done = _run("promtool", "check", "config", file)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done
    assert len(shown("yaml")) == 2


def test_prometheus_takes_the_scrape_and_the_rules(watched: Watched) -> None:
    (target,) = watched.prometheus.get("/api/v1/targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    rules = [rule for group in watched.prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]]
    wait_for(lambda: all(rule["health"] == "ok" for group in watched.prometheus.get("/api/v1/rules")["groups"] for rule in group["rules"]),
             "every rule has been evaluated")
    assert len(rules) == len(re.findall(r"alert:", RULES.read_text()))

    def noticed() -> bool:
        alerts = watched.prometheus.get("/api/v1/alerts")["alerts"]
        return any((alert["labels"]["alertname"], alert["labels"].get("connection")) == ("WskeepConnectionDown", "refused") for alert in alerts)

    wait_for(noticed, "the one that is refused is noticed")


def _returns_numbers(prometheus: Prometheus, query: str) -> bool:
    """Not only series: a quantile of nothing is one, and has no number."""
    for variable, value in (("$instance", ".*"), ("$connection", ".*"), ("$__rate_interval", "1m")):
        query = query.replace(variable, value)
    assert "$" not in query, query
    return any(math.isfinite(float(result["value"][1])) for result in prometheus.query(query))


def test_every_query_of_dashboard_and_documents_returns_data(watched: Watched) -> None:
    waiting = queries() + [("docs", query) for query in shown("promql")]

    def all_do() -> bool:
        waiting[:] = [(name, query) for name, query in waiting if not _returns_numbers(watched.prometheus, query)]
        return not waiting

    try:
        wait_for(all_do, timeout=60)
    except AssertionError:
        raise AssertionError("no data: " + "\n".join(f"{name}: {query}" for name, query in waiting)) from None
    for variable in json.loads(DASHBOARD.read_text())["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert found and watched.prometheus.query(f"group by ({found[2]}) ({found[1].replace('$instance', '.*')})"), variable
