"""What lies in docker/ agrees with itself, with the daemon and with what it says. test_image.py runs it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.daemon import run_program
from support.documents import ROOT

DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
PROVISIONING = DOCKER / "grafana" / "provisioning"
CONFIGURATIONS = {"wskeepd": DOCKER / "demo" / "wskeep" / "wskeep.yaml", "image": DOCKER / "wskeep.yaml"}


def _mounts(service: str) -> dict[str, str]:
    """Where in the container: what lies there."""
    found = {}
    for mount in SERVICES[service].get("volumes", []):
        source, target, *_ = mount.split(":")
        found[target] = source
    return found


def _mounted(service: str, path: str) -> Path:
    """The file of ours that the container sees at that path."""
    for target, source in _mounts(service).items():
        if path == target or path.startswith(f"{target}/"):
            return DOCKER / f"{source}{path.removeprefix(target)}"
    raise AssertionError(f"{service} sees nothing of ours at {path}")


def _instructions(word: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(word).strip() for line in joined.splitlines() if line.startswith(f"{word} ")]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_its_configurations_are_good(name: str) -> None:
    checked = run_program("wskeepd", ["--check", CONFIGURATIONS[name]])
    assert checked.returncode == 0, checked


def test_what_compose_mounts_and_builds_is_there() -> None:
    for name, service in SERVICES.items():
        for source in _mounts(name).values():
            assert source in COMPOSE["volumes"] or (source.startswith("./") and (DOCKER / source).exists()), f"{name}: {source}"
        if build := service.get("build"):
            assert (DOCKER / build["context"] / build["dockerfile"]).is_file(), name
        assert build or any(other.get("build") and other["image"] == service["image"] for other in SERVICES.values()) \
            or re.fullmatch(r"docker\.io/\S+:v?\d+\.\d+\.\d+", service["image"]), f"{name}: not ours, and of no certain version"
        assert set(service.get("depends_on", {})) <= set(SERVICES)


@pytest.mark.parametrize("service", ["wskeepd", "feed", "app"])
def test_ours_are_confined(service: str) -> None:
    assert SERVICES[service]["read_only"] is True and SERVICES[service]["cap_drop"] == ["ALL"]


def test_the_app_gets_the_group_of_the_image() -> None:
    group = re.search(r"groupadd --gid (\d+) wskeep", DOCKERFILE)
    assert group and SERVICES["app"]["group_add"] == [group[1]]
    assert f"{group[1]}:{group[1]}" in _instructions("USER")
    assert _mounts("app")["/run/wskeep"] == _mounts("wskeepd")["/run/wskeep"]
    assert SERVICES["app"]["network_mode"] == "none"


def test_prometheus_scrapes_the_daemon_by_the_rules_job() -> None:
    configuration = yaml.safe_load(_mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
    (job,) = configuration["scrape_configs"]
    listens = yaml.safe_load(CONFIGURATIONS["wskeepd"].read_text())["metrics"]["listen"]
    assert job["static_configs"] == [{"targets": [f"wskeepd:{listens.rpartition(':')[2]}"]}]
    assert not listens.startswith("127."), "nobody in another container could scrape it"
    asked = {name for file in configuration["rule_files"] for name in re.findall(r'job="([^"]*)"', _mounted("prometheus", file).read_text())}
    assert asked == {job["job_name"]}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool: scripts/setup system installs it")
def test_promtool_takes_the_configuration(folder: Path) -> None:
    configuration = _mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text()
    file = "/etc/prometheus/rules.yaml"
    (folder / "prometheus.yml").write_text(configuration.replace(file, str(_mounted("prometheus", file))))
    done = subprocess.run(["promtool", "check", "config", folder / "prometheus.yml"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "rules found" in done.stdout, done


def test_grafana_finds_the_dashboard() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "wskeep.yaml").read_text())["providers"]
    folder = provider["options"]["path"]
    dashboards = list(_mounted("grafana", folder).glob("*.json"))
    assert provider["type"] == "file" and dashboards
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert _mounted("grafana", home) in dashboards
    assert _mounted("grafana", "/etc/grafana/provisioning") == DOCKER / "grafana/provisioning"


def test_the_dashboard_asks_the_source_that_is_provisioned() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["type"] == "prometheus" and source["isDefault"] is True
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert host in SERVICES and any(published.endswith(f":{port}") for published in SERVICES[host]["ports"])
    text = (DOCKER / "grafana" / "dashboards" / "wskeep.json").read_text()
    # Either it names that one, or it has whoever looks at it choose among those of its kind, of which there is one.
    named = set(re.findall(r'"type": "prometheus",\s*"uid": "([^"]*)"', text))
    chosen = [variable for variable in json.loads(text)["templating"]["list"] if variable["type"] == "datasource"]
    assert named == {source.get("uid")} or (named == {f"${{{chosen[0]['name']}}}"} and chosen[0]["query"] == source["type"])


def test_the_image_says_what_it_is() -> None:
    labels = dict(re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', " ".join(_instructions("LABEL"))))
    assert {"title", "description", "version", "revision", "licenses", "vendor", "base.name"} <= set(labels)
    version = re.search(r"project\(wskeep VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
    assert version and f"VERSION={version[1]}" in _instructions("ARG")
    licence = (ROOT / "LICENSE").read_text()
    assert labels["licenses"] == "Apache-2.0" and "Apache License" in licence


def test_whoever_stops_it_waits_longer_than_it_takes() -> None:
    """`shutdown` is 5 s by default; the image's own way to stop is what wskeepd handles."""
    grace = re.fullmatch(r"(\d+)s", SERVICES["wskeepd"]["stop_grace_period"])
    assert grace and int(grace[1]) > 5
    assert _instructions("STOPSIGNAL") == ["SIGTERM"]


def test_the_image_is_built_of_all_that_its_build_needs() -> None:
    """The folders that are compiled, and what is installed of others."""
    cmake = (ROOT / "CMakeLists.txt").read_text()
    folders = re.search(r"foreach\(folder ([\w ]+)\)", cmake)
    assert folders
    words = re.findall(r"[\w./-]+", (ROOT / "systemd" / "package.cmake").read_text().replace("${CMAKE_SOURCE_DIR}/", ""))
    needed = {*folders[1].split(), *(word for word in words if (ROOT / word).is_file())}
    copied = {source for line in _instructions("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert [path for path in sorted(needed) if not any(path == source or path.startswith(f"{source}/") for source in copied)] == []
