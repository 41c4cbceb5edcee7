"""Names and addresses that are dead, dumb or wrong, with real packets in a network namespace."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority
from support.frames import text
from support.network import NAME_SERVER, PORT, InNetwork, Network, NetworkDaemon, drip, why_not
from support.scripted_server import Peer
from support.waiting import wait_for

_WHY_NOT = why_not()
pytestmark = pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT)

URL = f"wss://feed.test:{PORT}/ws"
ADDRESSES = [f"10.77.0.{i}" for i in range(1, 6)]
GOOD = ADDRESSES[-1]
QUICK = {"initial": "10ms", "max": "100ms"}


@pytest.fixture
def network(folder: Path) -> Iterator[Network]:
    made = Network(folder)
    yield made
    made.end()


@pytest.fixture(scope="session")
def feed_context(authority: Authority) -> ssl.SSLContext:
    return authority.issue("feed", "DNS:feed.test").server_context()


@pytest.fixture
def good(network: Network, feed_context: ssl.SSLContext) -> InNetwork:
    """The server at the last of the addresses."""
    network.add(*ADDRESSES)
    return network.serve(GOOD, feed_context)


@pytest.fixture
def settings(authority: Authority) -> dict[str, Any]:
    return {"url": URL, "tls": {"ca": str(authority.certificate)}, "reconnect": QUICK}


def addresses_of(cycle: dict[str, Any]) -> list[str]:
    return [step["address"].rpartition(":")[0].strip("[]") for step in cycle["legs"][-1]["addresses"]]


def resolve_of(cycle: dict[str, Any]) -> dict[str, Any]:
    return cycle["legs"][-1]["resolve"]


def expect_good_first_next(daemon: NetworkDaemon, server: InNetwork, peer: Peer, number: int) -> None:
    """The session is lost; the next has the good address first, and alone."""
    peer.cut()
    server.accept_and_upgrade()
    cycle = daemon.cycle("feed", number)
    assert addresses_of(cycle) == [GOOD]
    assert cycle["failure"] is None


def open_quickly(network: Network, good: InNetwork, settings: dict[str, Any], limit_ms: int) -> tuple[NetworkDaemon, Peer]:
    """A new daemon whose first cycle takes no longer, as it says itself; a busy machine has a few tries."""
    for _ in range(4):
        daemon = network.start_daemon({"feed": settings})
        peer = good.accept_and_upgrade()
        if daemon.cycle("feed", 1)["ended_ms"] <= limit_ms:
            return daemon, peer
        last = daemon.cycle("feed", 1)
        daemon.terminate()
        peer.cut()
        daemon.wait()
    raise AssertionError(f"never ready within {limit_ms} ms: {last}")


def test_four_of_five_addresses_drop_packets(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.drop(*ADDRESSES[:4])
    daemon, peer = open_quickly(network, good, settings | {"resolve": {"feed.test": ADDRESSES}}, 1200)
    assert addresses_of(daemon.cycle("feed", 1)) == ADDRESSES
    assert resolve_of(daemon.cycle("feed", 1))["source"] == "configuration"
    expect_good_first_next(daemon, good, peer, 2)


def test_the_same_with_the_name_server_s_answer(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.drop(*ADDRESSES[:4])
    network.start_name_server(*[f"--host-record=feed.test,{address},300" for address in ADDRESSES])
    daemon, peer = open_quickly(network, good, settings, 1200)
    cycle = daemon.cycle("feed", 1)
    assert resolve_of(cycle)["source"] == "asked"
    assert resolve_of(cycle)["answer_count"] == 5
    expect_good_first_next(daemon, good, peer, 2)
    assert resolve_of(daemon.cycle("feed", 2))["source"] == "remembered"


@pytest.mark.parametrize("stage", ["tls", "http"])
def test_one_that_accepts_and_hangs_is_listed_first(network: Network, good: InNetwork, settings: dict[str, Any],
                                                    feed_context: ssl.SSLContext, stage: str) -> None:
    def hang_in_http(client: socket.socket) -> None:
        client.settimeout(5)
        held.append(feed_context.wrap_socket(client, server_side=True))

    held: list[ssl.SSLSocket] = []
    network.automatic(ADDRESSES[0], (lambda client: None) if stage == "tls" else hang_in_http)
    daemon, peer = open_quickly(network, good,
                                settings | {"resolve": {"feed.test": [ADDRESSES[0], GOOD]}, "timeouts": {"address": "1s"}}, 2000)
    cycle = daemon.cycle("feed", 1)
    assert addresses_of(cycle) == [ADDRESSES[0], GOOD]
    first = cycle["legs"][0]["addresses"][0]
    assert (first["stage"], first["failure"]["error"]) == (stage, "address_timeout")
    expect_good_first_next(daemon, good, peer, 2)
    for client in held:
        client.close()


def test_one_that_refuses_is_followed_at_once(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    daemon = network.start_daemon({"feed": settings | {"resolve": {"feed.test": [ADDRESSES[0], GOOD]}, "fallback": {"delay": "10s"}}})
    good.accept_and_upgrade()
    first, second = daemon.cycle("feed", 1)["legs"][0]["addresses"]
    assert first["failure"]["error"] == "connection_refused"
    assert second["started_ms"] < 10_000  # it did not wait for the delay


def test_all_dead_is_backed_off_and_resolved_anew(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.drop(*ADDRESSES)
    network.start_name_server(*[f"--host-record=feed.test,{address},300" for address in ADDRESSES[3:]])
    daemon = network.start_daemon({"feed": settings | {"timeouts": {"address": "400ms"}}})
    for number in (1, 2):
        cycle = daemon.cycle("feed", number)
        assert cycle["failure"]["error"] == "address_timeout"
        assert resolve_of(cycle)["source"] == "asked"
        assert sorted(addresses_of(cycle)) == ADDRESSES[3:]
    network.mend()
    good.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


def test_an_address_that_changed_is_found(network: Network, good: InNetwork, settings: dict[str, Any],
                                          feed_context: ssl.SSLContext) -> None:
    network.start_name_server(f"--host-record=feed.test,{GOOD},300")
    daemon = network.start_daemon({"feed": settings})
    peer = good.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    moved = network.serve(ADDRESSES[0], feed_context)
    network.start_name_server(f"--host-record=feed.test,{ADDRESSES[0]},300")
    good.stop_listening()
    peer.cut()  # what is remembered is tried once more, and then forgotten
    moved.accept_and_upgrade()
    ready = daemon.wait_state("feed", "ready")
    assert ready["remote_address"] == f"{ADDRESSES[0]}:{PORT}"


class Broken:
    """A name server that says SERVFAIL to everything."""

    def __init__(self, network: Network, address: str) -> None:
        self._socket = network.socket(address, 53, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            question, client = self._socket.recvfrom(2000)
            if question == b"end":
                return
            self._socket.sendto(question[:2] + b"\x81\x82" + question[4:6] + bytes(6) + question[12:], client)

    def close(self, network: Network) -> None:
        with network.socket("127.0.0.1", 0, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


def test_name_servers_at_their_worst(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.add("10.77.53.2", "10.77.53.3")
    network.drop("10.77.53.2")
    many = [f"10.77.{1 + i // 50}.{1 + i % 50}" for i in range(100)]  # nothing listens, all of them are here
    network.inside("ip", "address", "add", "10.77.1.1/16", "dev", "lo")
    broken = Broken(network, "10.77.53.3")
    try:
        network.start_name_server("--server=/silent.test/10.77.53.2", "--server=/broken.test/10.77.53.3",
                                  *[f"--host-record=many.test,{address}" for address in many])
        common = settings | {"timeouts": {"resolve": "1s"}}
        names = {"silent": "resolve_timeout", "gone": "resolve_failed", "broken": "resolve_failed", "many": "connection_refused"}
        connections = {name: common | {"url": f"wss://{name}.test:{PORT}/"} for name in names}
        daemon = network.start_daemon(connections | {"feed": common | {"resolve": {"feed.test": GOOD}}})
        peer = good.accept_and_upgrade()
        daemon.wait_state("feed", "ready")
        subscriber = daemon.subscribe("feed")
        for number, (name, error) in enumerate(names.items()):
            cycle = daemon.cycle(name)
            assert cycle["failure"]["error"] == error, cycle
            assert cycle["ended_ms"] < 10_000
            peer.send(text(f"message {number}"))
            assert subscriber.read_message().payload == f"message {number}".encode()
        cycle = daemon.cycle("many")
        assert resolve_of(cycle)["answer_count"] == 100
        assert len(addresses_of(cycle)) == 5
        assert daemon.cycle("feed", 1)["failure"] is None
    finally:
        broken.close(network)


def test_the_hosts_file_and_search_domains(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.write("hosts", f"127.0.0.1 localhost\n{GOOD} by-hosts\n")
    network.write("resolv.conf", f"nameserver 10.77.53.9\nnameserver {NAME_SERVER}\nsearch elsewhere.test test\noptions timeout:1\n")
    network.start_name_server(f"--host-record=feed.test,{GOOD}")
    for host in ("by-hosts", "feed"):
        tls = settings["tls"] | {"server_name": "feed.test"}
        daemon = network.start_daemon({"feed": settings | {"url": f"wss://{host}:{PORT}/", "tls": tls}})
        peer = good.accept_and_upgrade()
        assert peer.headers["host"] == f"{host}:{PORT}"
        daemon.wait_state("feed", "ready")


def test_ipv6_that_drops_beside_ipv4_that_works(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    network.add("fd77::1", "fd77::2")
    network.drop("fd77::1", "fd77::2")
    network.start_name_server(f"--host-record=feed.test,{GOOD},fd77::1", "--host-record=feed.test,fd77::2")
    daemon, peer = open_quickly(network, good, settings, 1200)
    tried = addresses_of(daemon.cycle("feed", 1))
    assert tried[0].startswith("fd77::")
    assert tried[1] == GOOD
    expect_good_first_next(daemon, good, peer, 2)


def test_a_peer_that_is_gone_without_a_word(network: Network, good: InNetwork, settings: dict[str, Any]) -> None:
    daemon = network.start_daemon({"feed": settings | {"resolve": {"feed.test": GOOD}, "keepalive": {"ping": "300ms"},
                                                       "timeouts": {"receive": "1s", "address": "1s"}}})
    good.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    network.cut_off(GOOD)
    daemon.wait_error("feed", "receive_timeout")
    lived = wait_for(lambda: [cycle["session"] for cycle in daemon.cycles("feed") if cycle["session"]], "the session is told")[0]
    assert lived["lived_ms"] < 10_000


def test_answers_dripped_byte_by_byte_have_the_address_s_deadline(network: Network, good: InNetwork, settings: dict[str, Any],
                                                                  feed_context: ssl.SSLContext) -> None:
    def drip_tls(client: socket.socket) -> None:
        drip(client, b"\x16\x03\x03\x3f\x00" + bytes(100))

    def drip_http(client: socket.socket) -> None:
        client.settimeout(5)
        with feed_context.wrap_socket(client, server_side=True) as secured:
            drip(secured, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Long: " + b"x" * 100)

    network.automatic(ADDRESSES[0], drip_tls)
    network.automatic(ADDRESSES[1], drip_http)
    daemon = network.start_daemon({"feed": settings | {"resolve": {"feed.test": [*ADDRESSES[:2], GOOD]}, "timeouts": {"address": "1s"}}})
    good.accept_and_upgrade()
    first, second, third = daemon.cycle("feed", 1)["legs"][0]["addresses"]
    assert (first["stage"], first["failure"]["error"]) == ("tls", "address_timeout")
    assert (second["stage"], second["failure"]["error"]) == ("http", "address_timeout")
    assert third["failure"] is None
