"""Several URLs of one connection, and servers that send the daemon elsewhere."""

from __future__ import annotations

from support.processes import free_port
from support.scripted_server import ScriptedServer
from support.session import StartDaemon, StartServer

SECRETS = {"X-Token": "t0ken-of-the-user", "Cookie": "a=c00kie"}


def redirect(server: ScriptedServer, location: str) -> None:
    peer = server.accept()
    assert peer.headers["x-token"] == SECRETS["X-Token"]
    peer.send(f"HTTP/1.1 307 Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def test_a_redirection_is_not_followed_by_itself(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "headers": SECRETS}})
    redirect(server, "https://elsewhere.test/?key=s3cret")
    error = daemon.wait_error("feed", "http_redirect")
    assert "wss://elsewhere.test/?key=***" in error["message"]
    assert "`redirects: 1`" in error["message"]
    assert "s3cret" not in daemon.log


def test_a_redirection_to_another_origin_takes_no_secrets_along(start_daemon: StartDaemon, start_server: StartServer) -> None:
    first, second = start_server(), start_server()
    daemon = start_daemon({"feed": {"url": first.url, "headers": SECRETS, "redirects": 1}})
    redirect(first, f"https://localhost:{second.port}/new?key=s3cret")
    peer = second.accept_and_upgrade()
    assert peer.request_line == "GET /new?key=s3cret HTTP/1.1"
    assert "x-token" not in peer.headers
    assert "cookie" not in peer.headers
    daemon.wait_state("feed", "ready")
    legs = daemon.get("/v1/connections/feed/attempts").json["cycles"][0]["legs"]
    assert [(leg["url"], leg["redirected"]) for leg in legs] == [
        (first.url, False), (f"wss://localhost:{second.port}/new?key=***", True)]
    assert "s3cret" not in daemon.log


def test_a_redirection_within_an_origin_keeps_the_headers(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "headers": SECRETS, "redirects": 1}})
    redirect(server, "/other")
    peer = server.accept_and_upgrade()
    assert peer.request_line == "GET /other HTTP/1.1"
    assert peer.headers["x-token"] == SECRETS["X-Token"]
    daemon.wait_state("feed", "ready")


def test_the_next_url_is_tried_in_the_same_cycle(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    dead = f"wss://localhost:{free_port()}/"
    daemon = start_daemon({"feed": {"url": [dead, server.url]}})
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    cycle = daemon.get("/v1/connections/feed/attempts").json["cycles"][0]
    assert [leg["url"] for leg in cycle["legs"]] == [dead, server.url]
    assert {step["failure"]["error"] for step in cycle["legs"][0]["addresses"]} == {"connection_refused"}
    assert cycle["failure"] is None
