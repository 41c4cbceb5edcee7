"""Ways to upstream through a proxy: real proxies, and scripted ones for what real ones do not do on demand."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support import frames
from support.certificates import Authority, Leaf
from support.daemon import Daemon
from support.processes import Processes, free_port
from support.proxies import NO_VARIABLES, Proxies, ScriptedProxy
from support.scripted_server import ScriptedServer
from support.session import StartDaemon, StartServer
from support.waiting import wait_for

USER, PASSWORD = "me", "pass word@1"
ENCODED = "me:pass%20word%401"
"""The same in a URL."""


@pytest.fixture
def proxies(processes: Processes, folder: Path) -> Proxies:
    return Proxies(processes, folder)


@pytest.fixture
def scripted(servers: list[ScriptedServer]) -> Iterator[ScriptedProxy]:
    proxy = ScriptedProxy()
    servers.append(proxy)
    yield proxy


def secrets_in(daemon: Daemon) -> list[str]:
    """Where the password can be read of what the daemon tells about itself."""
    words = (PASSWORD, ENCODED.split(":")[1], base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    told = {"log": daemon.log}
    for target in ("/v1/connections", "/v1/connections/feed", "/v1/connections/feed/attempts", "/metrics"):
        told[target] = daemon.get(target).body.decode()
    return [where for where, text in told.items() if any(word in text for word in words)]


def last_leg(daemon: Daemon) -> dict[str, Any]:
    """What was done about the last URL."""
    found = daemon.get("/v1/connections/feed/attempts").json
    return found["cycles"][-1]["legs"][-1]


def failure_at(daemon: Daemon, error: str) -> tuple[str, str]:
    """Waits for that error; its sentence, and the stage that the address was in."""
    found = daemon.wait_error("feed", error)

    def failed() -> dict[str, Any] | None:
        cycles = daemon.get("/v1/connections/feed/attempts").json["cycles"]
        steps = [step for cycle in cycles for leg in cycle["legs"] for step in leg["addresses"]]
        return next((step for step in steps if step["failure"] and step["failure"]["error"] == error), None)

    step = failed()
    assert step is not None, daemon.get("/v1/connections/feed/attempts").body
    return found["message"], step["stage"]


def expect_conversation(daemon: Daemon, server: ScriptedServer) -> None:
    """A session over this server, with bytes both ways, more than any buffer on the way holds."""
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe("feed")
    large = "large " * 150_000
    peer.send(frames.text("hello") + frames.text(large))
    assert app.read_message().payload == b"hello"
    assert app.read_message().payload == large.encode()
    app.send_text("up")
    app.send_text(large)
    assert peer.read_frame().payload == b"up"
    assert peer.read_frame().payload == large.encode()


KINDS = {
    "http": lambda proxies, leaf, user, password: proxies.tinyproxy(user, password),
    "https": lambda proxies, leaf, user, password: proxies.tls_in_front_of(proxies.tinyproxy(user, password), leaf),
    "socks5": lambda proxies, leaf, user, password: proxies.microsocks(user, password),
}


def settings_for(kind: str, authority: Authority) -> dict[str, Any]:
    trusted = {"proxy_tls": {"ca": str(authority.certificate)}} if kind == "https" else {}
    return trusted | {"max_message": "2MiB", "history": "4MiB"}


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("with_password", [False, True], ids=["open", "password"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_session_through_a_real_proxy(kind: str, with_password: bool, secure: bool, proxies: Proxies, start_daemon: StartDaemon,
                                        start_server: StartServer, server_certificate: Leaf, authority: Authority,
                                        folder: Path) -> None:
    password = "p4ssw0rd-of-the-test"  # tinyproxy's file knows no quotes
    port = KINDS[kind](proxies, server_certificate, USER if with_password else "", password)
    (folder / "password").write_text(password + "\n")
    credentials = f"{USER}:${{file:{folder}/password}}@" if with_password else ""
    server = start_server() if secure else start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "proxy": f"{kind}://{credentials}localhost:{port}",
                                    **settings_for(kind, authority)}})
    expect_conversation(daemon, server)

    leg = last_leg(daemon)
    assert leg["proxy"] == f"{kind}://localhost:{port}"
    step = leg["addresses"][-1]
    assert step["address"] == f"127.0.0.1:{port}"
    assert step["stage"] == "open"
    assert step["tcp_ms"] <= step["proxy_ms"] <= step["http_ms"]
    assert (step["tls_ms"] is not None) == secure
    assert password not in daemon.log + daemon.get("/v1/connections/feed").body.decode()
    assert daemon.connection("feed")["last_error"] is None


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_the_proxy_looks_the_name_up(kind: str, proxies: Proxies, start_daemon: StartDaemon, start_server: StartServer) -> None:
    wrapper = proxies.with_hosts("127.0.0.1 feed.only-the-proxy-knows.test\n")
    port = proxies.tinyproxy(wrapper=wrapper) if kind == "http" else proxies.microsocks(wrapper=wrapper)
    server = start_server(None)
    daemon = start_daemon({"feed": {"url": f"ws://feed.only-the-proxy-knows.test:{server.port}/", "proxy": f"{kind}://127.0.0.1:{port}"}})
    peer = server.accept_and_upgrade()
    assert peer.headers["host"] == f"feed.only-the-proxy-knows.test:{server.port}"
    daemon.wait_state("feed", "ready")
    assert last_leg(daemon)["resolve"]["host"] == "127.0.0.1", "only the proxy's own name is asked for"


def test_a_socks_proxy_is_told_the_name(scripted: ScriptedProxy, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": "wss://no-such-name.invalid/feed", "proxy": f"socks5h://localhost:{scripted.port}",
                                    "tls": {"server_name": "localhost"}}})
    stream, name, port = scripted.accept_socks()
    assert (name, port) == ("no-such-name.invalid", 443)
    for byte in b"\x05\x00\x00\x03\x07unknown\x01\xbb":  # dripped, and bound to a name
        stream.send(bytes([byte]))
        time.sleep(0.002)
    scripted.serve_behind(stream, server)
    daemon.wait_state("feed", "ready")


def test_an_answer_that_is_dripped(scripted: ScriptedProxy, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": "wss://localhost/feed", "proxy": f"http://{ENCODED}@localhost:{scripted.port}"}})
    stream, request_line, headers = scripted.accept_connect()
    assert request_line == "CONNECT localhost:443 HTTP/1.1"
    assert headers["host"] == "localhost:443"
    assert headers["proxy-authorization"] == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for byte in b"HTTP/1.0 200 Connection established\r\nProxy-Agent: drip\r\n\r\n":
        stream.send(bytes([byte]))
        time.sleep(0.002)
    peer = scripted.serve_behind(stream, server)
    assert "proxy-authorization" not in peer.headers, "the server is not told"
    daemon.wait_state("feed", "ready")
    assert secrets_in(daemon) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_password(kind: str, proxies: Proxies, start_daemon: StartDaemon, start_server: StartServer,
                          server_certificate: Leaf, authority: Authority) -> None:
    port = KINDS[kind](proxies, server_certificate, USER, "other")
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"{kind}://{ENCODED}@localhost:{port}",
                                    **settings_for(kind, authority)}})
    text, stage = failure_at(daemon, "proxy_unauthorized")
    assert f"proxy localhost:{port}: it does not accept the user and password" in text
    assert stage == "proxy"
    assert secrets_in(daemon) == []
    wait_for(lambda: daemon.log_has("proxy_unauthorized", "feed"), "the log says so")


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_no_password_where_one_is_needed(kind: str, proxies: Proxies, start_daemon: StartDaemon, start_server: StartServer,
                                         server_certificate: Leaf) -> None:
    port = KINDS[kind](proxies, server_certificate, USER, "other")
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"{kind}://localhost:{port}"}})
    text, _ = failure_at(daemon, "proxy_unauthorized")
    assert "it wants a user and password" in text


def test_a_proxy_that_refuses(proxies: Proxies, start_daemon: StartDaemon, start_server: StartServer) -> None:
    port = proxies.tinyproxy(only_port=443)
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"http://localhost:{port}"}})
    text, stage = failure_at(daemon, "proxy_refused")
    assert f"proxy localhost:{port}: it refused to connect us: 403" in text
    assert stage == "proxy"


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_server_that_the_proxy_cannot_reach(kind: str, proxies: Proxies, start_daemon: StartDaemon, server_certificate: Leaf) -> None:
    port = KINDS[kind](proxies, server_certificate, "", "")
    daemon = start_daemon({"feed": {"url": f"wss://localhost:{free_port()}/", "proxy": f"{kind}://localhost:{port}"}})
    text, stage = failure_at(daemon, "proxy_refused")
    assert ("(reply 5)" if kind == "socks5" else "it refused to connect us: 50") in text
    assert stage == "proxy"


def test_a_proxy_that_is_not_there(start_daemon: StartDaemon, start_server: StartServer) -> None:
    port = free_port()
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"http://localhost:{port}"}})
    text, stage = failure_at(daemon, "connection_refused")
    assert f"proxy localhost:{port}: TCP: Connection refused" in text
    assert stage == "tcp"


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_a_proxy_that_hangs(scheme: str, scripted: ScriptedProxy, start_daemon: StartDaemon, start_server: StartServer) -> None:
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"{scheme}://localhost:{scripted.port}",
                                    "timeouts": {"address": "200ms", "close": "500ms"}}})
    scripted.accept_stream()
    _, stage = failure_at(daemon, "address_timeout")
    assert stage == "proxy"
    # It goes on trying, and the one that hung has been hung up on.
    scripted.accept_stream()
    scripted.streams[0].wait_for_end()


def test_a_server_that_hangs_behind_its_proxy(scripted: ScriptedProxy, start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": {"url": "wss://localhost/", "proxy": f"http://localhost:{scripted.port}",
                                    "timeouts": {"address": "300ms", "close": "500ms"}}})
    stream, _, _ = scripted.accept_connect()
    stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
    _, stage = failure_at(daemon, "address_timeout")
    assert stage == "tls"


@pytest.mark.parametrize(("scheme", "answer"), [
    ("http", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("http", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000),
    ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    ("socks5", b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    ("socks5", b"\x05\x00\x04\x01"),
], ids=["ssh", "endless", "body", "http", "version"])
def test_something_else_on_the_port(scheme: str, answer: bytes, scripted: ScriptedProxy, start_daemon: StartDaemon,
                                    start_server: StartServer) -> None:
    daemon = start_daemon({"feed": {"url": start_server().url, "proxy": f"{scheme}://localhost:{scripted.port}"}})
    scripted.accept_stream().send(answer)
    text, stage = failure_at(daemon, "proxy_protocol")
    assert f"proxy localhost:{scripted.port}: " in text
    assert stage == "proxy"


def test_a_proxy_that_is_not_trusted_is_told_nothing(proxies: Proxies, scripted: ScriptedProxy, start_daemon: StartDaemon, folder: Path) -> None:
    other = Authority(folder / "other", "another authority").issue("proxy")
    port = proxies.tls_in_front_of(scripted.port, other)
    daemon = start_daemon({"feed": {"url": "wss://localhost/", "proxy": f"https://{ENCODED}@localhost:{port}",
                                    "reconnect": {"initial": "1h", "max": "1h"}}})
    found = daemon.wait_state("feed", "failed", "backing_off")
    assert found["last_error"]["error"].startswith("certificate_"), found["last_error"]
    assert last_leg(daemon)["addresses"][-1]["stage"] == "proxy"
    # HAProxy may have opened its connection to us, but nothing comes through it.
    try:
        assert scripted.accept_stream(timeout=0.2).wait_for_end() == b""
    except TimeoutError:
        pass


def test_the_servers_certificate_is_judged_behind_the_proxy(proxies: Proxies, start_daemon: StartDaemon, start_server: StartServer,
                                                            folder: Path) -> None:
    other = Authority(folder / "other", "another authority").issue("server")
    server = start_server(other.server_context())
    port = proxies.microsocks()
    daemon = start_daemon({"feed": {"url": server.url, "proxy": f"socks5://localhost:{port}", "reconnect": {"initial": "1h", "max": "1h"}}})
    client = server.accept_tcp()
    server_context = server.context
    assert server_context is not None
    with pytest.raises(OSError):
        server_context.wrap_socket(client, server_side=True)
    found = daemon.wait_state("feed", "failed", "backing_off")
    assert found["last_error"]["error"].startswith("certificate_"), found["last_error"]
    assert last_leg(daemon)["addresses"][-1]["stage"] == "tls"


# The environment's proxy


@pytest.fixture
def start_with_variables(start_daemon: StartDaemon) -> Callable[..., Daemon]:
    def start(url: str, variables: dict[str, str], **settings: Any) -> Daemon:
        return start_daemon({"feed": {"url": url, "proxy": "environment", **settings}}, environment=NO_VARIABLES | variables)

    return start


@pytest.mark.parametrize(("secure", "name"), [(True, "HTTPS_PROXY"), (True, "https_proxy"), (True, "ALL_PROXY"),
                                              (False, "http_proxy"), (False, "all_proxy")])
def test_the_environments_proxy_is_used_when_asked_for(secure: bool, name: str, scripted: ScriptedProxy, start_server: StartServer,
                                                       start_with_variables: Callable[..., Daemon]) -> None:
    server = start_server() if secure else start_server(None)
    url = "wss://localhost/" if secure else "ws://localhost/"
    daemon = start_with_variables(url, {name: f"{ENCODED}@localhost:{scripted.port}", "NO_PROXY": "example.com,10.0.0.0/8"})
    stream, request_line, headers = scripted.accept_connect()
    assert request_line.startswith("CONNECT localhost:")
    assert headers["proxy-authorization"].startswith("Basic ")
    stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
    scripted.serve_behind(stream, server)
    daemon.wait_state("feed", "ready")
    assert last_leg(daemon)["proxy"] == f"http://localhost:{scripted.port}"
    assert secrets_in(daemon) == []


@pytest.mark.parametrize("variables", [
    {"HTTPS_PROXY": "http://localhost:PORT", "NO_PROXY": "localhost"},
    {"HTTPS_PROXY": "http://localhost:PORT", "no_proxy": "example.com *"},
    {"HTTP_PROXY": "http://localhost:PORT"},
    {"http_proxy": "http://localhost:PORT"},
    {},
], ids=lambda variables: "+".join(variables) or "nothing")
def test_the_environment_leads_past_the_proxy(variables: dict[str, str], scripted: ScriptedProxy, start_server: StartServer,
                                              start_with_variables: Callable[..., Daemon]) -> None:
    server = start_server()
    daemon = start_with_variables(server.url, {name: value.replace("PORT", str(scripted.port)) for name, value in variables.items()})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    assert last_leg(daemon)["proxy"] is None


def test_the_environment_counts_only_when_asked_for(scripted: ScriptedProxy, start_server: StartServer, start_daemon: StartDaemon) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server.url}, environment=NO_VARIABLES | {"HTTPS_PROXY": f"http://localhost:{scripted.port}",
                                                                           "ALL_PROXY": f"http://localhost:{scripted.port}"})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


def test_a_variable_that_is_no_proxys_url(start_with_variables: Callable[..., Daemon]) -> None:
    daemon = start_with_variables("wss://localhost/", {"HTTPS_PROXY": f"ftp://{ENCODED}@localhost"})
    found = daemon.wait_error("feed", "configuration")
    assert "HTTPS_PROXY" in json.dumps(found)
    assert secrets_in(daemon) == []
