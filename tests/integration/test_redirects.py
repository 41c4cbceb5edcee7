"""Servers that send the daemon elsewhere, and several URLs of one connection."""

from __future__ import annotations

import pytest

from support import frames
from support.processes import free_port
from support.refusals import assert_nobody_comes, refuse
from support.session import StartDaemon, StartServer


def test_redirections_are_not_followed_unless_allowed(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, other = start_server(), start_server()
    daemon = start_daemon({"feed": server, "steady": other.url})
    steady = other.accept_and_upgrade()
    refuse(server, "301 Moved", location=other.url + "?key=s3cret")
    found = daemon.wait_error("feed", "http_redirect")
    assert "`redirects: 1`" in found["message"], "it says which setting would follow it"
    assert_nobody_comes(other)
    steady.send(frames.text("still here"))
    assert daemon.connection("steady")["state"] == "ready"
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirection_to_the_same_origin_keeps_the_headers(status: str, start_daemon: StartDaemon,
                                                            start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "redirects": 1, "headers": {"Authorization": "Bearer x", "X-Mine": "y"}}})
    refuse(server, status, location="/elsewhere?a=b")
    peer = server.accept()
    assert peer.request_line == "GET /elsewhere?a=b HTTP/1.1"
    assert (peer.headers["authorization"], peer.headers["x-mine"]) == ("Bearer x", "y")
    peer.upgrade()
    daemon.wait_state("feed", "ready")
    legs = daemon.get("/v1/connections/feed/attempts").json["cycles"][-1]["legs"]
    assert [leg["redirected"] for leg in legs] == [False, True]
    assert legs[1]["url"].endswith("/elsewhere?a=***")


def test_credentials_never_go_to_another_origin(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, other = start_server(), start_server()
    url = server.url.replace("://", "://me:word@")
    daemon = start_daemon({"feed": {"url": url, "redirects": 3, "subprotocols": ["chat"],
                                    "headers": {"X-Api-Key": "y", "Cookie": "z"}}})
    refuse(server, "302 Found", location=other.url.replace("wss:", "https:"))
    peer = other.accept()
    assert not {"authorization", "x-api-key", "cookie"} & set(peer.headers), peer.headers
    assert peer.headers["host"] == f"localhost:{other.port}" and peer.headers["sec-websocket-protocol"] == "chat"
    # Not even on the way back.
    peer.send(f"HTTP/1.1 302 Found\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n".encode())
    back = server.accept()
    assert "x-api-key" not in back.headers and "authorization" not in back.headers
    back.upgrade(sec_websocket_protocol="chat")
    daemon.wait_state("feed", "ready")


def test_a_redirection_from_tls_to_none_is_refused(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server, plain = start_server(), start_server(None)
    daemon = start_daemon({"feed": {"url": server.url, "redirects": 3}})
    refuse(server, "302 Found", location=plain.url)
    daemon.wait_error("feed", "http_redirect")
    assert_nobody_comes(plain)


def test_a_loop_of_redirections_ends(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "redirects": 3, "reconnect": {"initial": "1h", "max": "1h"}}})
    for _ in range(4):
        refuse(server, "307 Again", location=server.url)
    found = daemon.wait_error("feed", "http_redirect")
    assert "3" in found["message"]
    assert_nobody_comes(server)


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
