"""What /metrics says, beside the document, the alert rules and the dashboard that go by it; and how it is served when it is long."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from support import frames, metrics
from support.byte_stream import DEADLINE
from support.daemon import Daemon, run_program, sanitized
from support.documents import ROOT
from support.local import UnixConnection, connect, request
from support.monitored import DASHBOARD, RULES, Monitored, panels, queries, rule_expressions
from support.processes import free_port
from support.session import Session, StartDaemon, StartServer
from support.undisturbed import longest_exchange, refusing  # noqa: F401
from support.waiting import wait_for

_NAME = re.compile(r"\b(?:wskeep|process)_[a-z0-9_]+")


@pytest.fixture
def daemon(start_daemon: StartDaemon, start_server: StartServer) -> Daemon:
    return Monitored(start_daemon, start_server).daemon


def test_the_document_has_every_metric(daemon: Daemon) -> None:
    """With its kind and its labels, and none that there is not."""
    rows = re.findall(r"^\| `((?:wskeep|process)_\w+)` \| (\w+) \| ([^|]*)\| [^|]+\|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE)
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    exported = {family.name: (family.kind, {label for sample in family.samples for label in sample.labels} - {"le"})
                for family in daemon.metrics().values()}
    assert documented == exported, "docs/metrics.md says what the daemon exports"
    assert len(rows) == len(documented)


def test_rules_and_dashboard_name_metrics_that_there_are(daemon: Daemon) -> None:
    exported = {sample.name for family in daemon.metrics().values() for sample in family.samples}
    used = set(_NAME.findall(rule_expressions())) | {name for _, query in queries() for name in _NAME.findall(query)}
    assert len(used) > 20 and used <= exported, used - exported


def test_the_document_names_every_alert() -> None:
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    assert re.findall(r"^\| `(Wskeep\w+)` \|", (ROOT / "docs" / "monitoring.md").read_text(), re.MULTILINE) == alerts


def test_what_alerts_advise_can_be_done() -> None:
    """Each says what to do, by commands that there are."""
    text = RULES.read_text()
    assert len(re.findall(r"^ +description: ", text, re.MULTILINE)) == len(re.findall(r"alert: ", text))
    commands = set(re.findall(r"wskeep ([a-z]+)(?=[ .;:(])", text))
    assert commands >= {"why", "show", "reload", "check"}
    assert not re.findall(r"wskeep (?:why|show|tail|reconnect)(?! NAME| {{ \$labels\.connection }})", text), "they want a name"
    for command in commands:
        assert run_program("wskeep", [command, "--help"]).returncode == 0, command


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
    assert all(panel["fieldConfig"]["defaults"].get("unit") for panel in panels())
    assert "${datasource}" in DASHBOARD.read_text()


# -- histograms

def _histogram(daemon: Daemon, name: str) -> tuple[dict[str, float], float, float]:
    """Its buckets by their bounds, each with those before it; its sum; its count. Empty: it is not there."""
    buckets, total, count = {}, 0.0, 0.0
    for sample in daemon.metrics()[name].samples:
        assert sample.labels["connection"] == "feed"
        if "le" in sample.labels:
            buckets[sample.labels["le"]] = sample.value
        elif sample.name.endswith("_sum"):
            total = sample.value
        else:
            count = sample.value
    return buckets, total, count


def _is_a_histogram(buckets: dict[str, float], total: float, count: float) -> bool:
    bounds, values = [float(bound) for bound in buckets], list(buckets.values())
    return (bounds == sorted(bounds) and bounds[-1] == float("inf") and values == sorted(values) and values[-1] == count
            and 0 < total <= count * DEADLINE)


def test_times_to_ready_and_round_trips_are_counted(session: Session) -> None:
    buckets, total, count = _histogram(session.daemon, "wskeep_time_to_ready_seconds")
    assert count == 1 and _is_a_histogram(buckets, total, count) and len(buckets) == 13
    assert not _histogram(session.daemon, "wskeep_delivery_lag_seconds")[0], "nobody was given anything"


def test_a_batch_is_counted_once_for_all_who_take_it_at_once(session: Session) -> None:
    apps = [session.daemon.subscribe("feed") for _ in range(5)]
    for number in range(3):
        session.peer.send(frames.text(str(number)))
        assert [app.read_message().payload for app in apps] == [str(number).encode()] * 5
    buckets, total, count = _histogram(session.daemon, "wskeep_delivery_lag_seconds")
    assert count == 3 and _is_a_histogram(buckets, total, count)


def test_who_reads_the_past_does_not_count(session: Session) -> None:
    session.peer.send(frames.text("old") * 3)
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 3)
    app = session.daemon.subscribe("feed", "from=oldest")
    assert [app.read_message().payload for _ in range(3)] == [b"old"] * 3
    assert not _histogram(session.daemon, "wskeep_delivery_lag_seconds")[0]


def test_a_reader_that_is_waited_for_counts_what_it_was_late_by(session: Session) -> None:
    """What did not fit into its socket was received when it was sent, and handed over when it reads at last."""
    app = session.daemon.subscribe("feed", receive_buffer=4096)
    size = 100_000  # more than both ends of a socket take
    for _ in range(8):
        session.peer.send(frames.text("x" * size))
    wait_for(lambda: session.daemon.connection("feed")["messages_in"] == 8)
    before = _histogram(session.daemon, "wskeep_delivery_lag_seconds")[2]
    for _ in range(8):
        assert len(app.read_message().payload) == size
    wait_for(lambda: _histogram(session.daemon, "wskeep_delivery_lag_seconds")[2] > before, "it was counted")


# -- reload

def test_whether_the_last_reload_was_taken(session: Session) -> None:
    def value(name: str, **labels: str) -> float:
        return next(sample.value for sample in session.daemon.metrics()[name].samples if sample.labels == labels)

    began = value("process_start_time_seconds")
    assert value("wskeep_config_last_reload_successful") == 1
    assert value("wskeep_config_last_reload_success_timestamp_seconds") == began
    text = session.daemon.file.read_text()
    session.daemon.file.write_text("nonsense: {")
    assert request(session.daemon.socket, "POST", "/v1/reload").status == 422
    assert value("wskeep_config_last_reload_successful") == 0
    assert value("wskeep_config_last_reload_success_timestamp_seconds") == began
    session.daemon.file.write_text(text)
    assert request(session.daemon.socket, "POST", "/v1/reload").status == 200
    assert value("wskeep_config_last_reload_successful") == 1
    assert value("wskeep_config_last_reload_success_timestamp_seconds") > began
    assert (value("wskeep_config_reloads_total", result="taken"), value("wskeep_config_reloads_total", result="failed")) == (1, 1)


# -- of many connections

MANY = 10_000
SOME = 300
"""More than are told in one piece."""


@pytest.fixture
def some(start_daemon: StartDaemon, refusing: int) -> Daemon:
    return start_daemon({f"c{number:05}": f"ws://127.0.0.1:{refusing}/" for number in range(SOME)}, log={"level": "error"},
                        defaults={"reconnect": {"initial": "1h", "max": "1h"}})


def test_a_long_answer_is_chunked_and_the_connection_goes_on(some: Daemon) -> None:
    connection = UnixConnection(some.socket)
    for _ in range(3):
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        assert (response.status, response.getheader("Transfer-Encoding"), response.getheader("Content-Length")) == (200, "chunked", None)
        assert len(metrics.parse(response.read().decode())["wskeep_subscribers"].samples) == SOME
        connection.request("HEAD", "/metrics")
        response = connection.getresponse()
        assert response.status == 200 and response.read() == b""
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
    connection.close()


def test_whoever_knows_no_chunks_is_sent_none(some: Daemon) -> None:
    with connect(some.socket) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"chunked" not in head.lower()
    assert len(metrics.parse(body.decode())["wskeep_subscribers"].samples) == SOME


def test_whoever_goes_in_the_middle_leaves_nothing_behind(some: Daemon) -> None:
    def held() -> float:
        return next(sample.value for sample in some.metrics()["wskeep_in_flight_bytes"].samples)

    before = held()
    for _ in range(20):
        with connect(some.socket) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    wait_for(lambda: held() <= before and len(some.get("/v1/status").json["local"]["users"]) == 1, "all is let go")


def test_one_that_does_not_read_is_not_waited_for(start_daemon: StartDaemon, refusing: int) -> None:
    daemon = start_daemon({f"c{number:05}": f"ws://127.0.0.1:{refusing}/" for number in range(SOME)}, log={"level": "error"},
                          defaults={"reconnect": {"initial": "1h", "max": "1h"}}, ipc={"limits": {"request": "1s"}})
    with connect(daemon.socket, receive_buffer=4096) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: daemon.get("/v1/status").json["clients"] == 1, "only the one who asks is left")
        assert not b"".join(iter(lambda: client.recv(65536), b"")).endswith(b"0\r\n\r\n"), "it can tell that this is not all"


def _curl(file: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["curl", "-sS", "--fail", "--max-time", str(DEADLINE), "--output", file, *options])


def _is_whole(text: str) -> None:
    assert text.endswith("\n")
    lines = text.splitlines()
    types = [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    assert len(types) == len(set(types)) > 60
    names = {line.partition("{")[2].partition('"}')[0] for line in lines if line.startswith("wskeep_messages_received_total{")}
    assert len(names) == MANY + 1
    assert sum(line.startswith("wskeep_connection_state{") for line in lines) == 8 * (MANY + 1)


@pytest.mark.skipif(sanitized(), reason="a sanitizer makes ten thousand connections large and slow")
def test_ten_thousand_connections_are_told_while_messages_flow(start_daemon: StartDaemon, start_server: StartServer, folder: Path,
                                                               refusing: int) -> None:
    """One shard serves all. /metrics is whole, on the socket and over TCP, and costs another connection nothing that it could see."""
    feed, port = start_server(), free_port()
    many = {f"c{number:05}": f"ws://127.0.0.1:{refusing}/" for number in range(MANY)}
    daemon = start_daemon(many | {"feed": feed}, threads=1, metrics={"listen": f"127.0.0.1:{port}"}, log={"level": "error"},
                          defaults={"history": "64KiB", "reconnect": {"initial": "1h", "max": "1h"}}, ipc={"limits": {"request": "120s"}})
    peer = feed.accept_and_upgrade()
    app = daemon.subscribe("feed")
    before = daemon.memory()
    ways = [("--unix-socket", str(daemon.socket), "http://localhost/metrics"), (f"http://127.0.0.1:{port}/metrics",)] * 2

    def exchange_during(scrapes: list[subprocess.Popen[bytes]]) -> float:
        longest = longest_exchange(peer, app, lambda: any(scrape.poll() is None for scrape in scrapes))
        assert [scrape.returncode for scrape in scrapes] == [0] * len(scrapes)
        return longest

    def scrape(number: int) -> subprocess.Popen[bytes]:
        return _curl(folder / f"scrape{number}", *ways[number])

    assert min(exchange_during([scrape(number)]) for number in range(len(ways))) < 0.5
    exchange_during([scrape(number) for number in range(len(ways))])
    for number in range(len(ways)):
        _is_whole((folder / f"scrape{number}").read_text())
    assert daemon.memory() - before < 256 << 20
