"""From the address to the 101: what is refused, and with which error."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from support.byte_stream import Ended
from support.certificates import Authority, Leaf
from support.frames import text
from support.scripted_server import ScriptedServer
from support.session import StartDaemon, StartServer
from support.waiting import wait_for


def test_the_upgrade_request(start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    server = start_server()
    token = folder / "token"
    token.write_text("first\n")
    daemon = start_daemon({"feed": {"url": server.url + "?a=b", "subprotocols": ["soap", "wamp"],
                                    "headers": {"Authorization": f"Bearer ${{file:{token}}}", "X-Plain": "$$5"}}})
    peer = server.accept()
    assert peer.request_line == "GET /feed?a=b HTTP/1.1"
    assert peer.headers["host"] == f"localhost:{server.port}"
    assert peer.headers["authorization"] == "Bearer first"
    assert peer.headers["x-plain"] == "$5"
    assert peer.headers["sec-websocket-version"] == "13"
    assert "sec-websocket-extensions" not in peer.headers
    assert [each.strip() for each in peer.headers["sec-websocket-protocol"].split(",")] == ["soap", "wamp"]
    peer.upgrade(sec_websocket_protocol="wamp")
    assert daemon.wait_state("feed", "ready")["subprotocol"] == "wamp"
    # A renewed token is used at the next connect, and no secret is ever shown.
    token.write_text("second\n")
    peer.reset()
    assert server.accept().headers["authorization"] == "Bearer second"
    shown = daemon.get("/v1/connections/feed").body.decode() + daemon.log
    assert "Bearer first" not in shown and "Bearer second" not in shown


BAD_ANSWERS: dict[str, tuple[dict[str, str], str]] = {
    "wrong accept key": ({"sec_websocket_accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "upgrade_invalid"),
    "other upgrade": ({"upgrade": "h2c"}, "upgrade_invalid"),
    "subprotocol not asked for": ({"sec_websocket_protocol": "surprise"}, "upgrade_invalid"),
    "extension not asked for": ({"sec_websocket_extensions": "permessage-deflate"}, "upgrade_invalid"),
}


@pytest.mark.parametrize(("headers", "error"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_bad_upgrades(headers: dict[str, str], error: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    server.accept().upgrade(**headers)
    daemon.wait_error("feed", error)
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


RAW_ANSWERS: dict[str, tuple[bytes, str]] = {
    "not HTTP": (b"220 mail.example.com ESMTP\r\n\r\n", "http_invalid"),
    "200 with upgrade headers": (b"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "http_status"),
    "301": (b"HTTP/1.1 301 Moved\r\nLocation: wss://localhost/\r\nContent-Length: 0\r\n\r\n", "http_redirect"),
    "401": (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "http_unauthorized"),
    "403": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", "http_unauthorized"),
    "429": (b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", "http_too_many_requests"),
    "503": (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "http_unavailable"),
    "500": (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "http_status"),
    "endless headers": (b"HTTP/1.1 101 Switching Protocols\r\n" + b"X-Filler: " + b"x" * 200_000, "http_invalid"),
}


@pytest.mark.parametrize(("answer", "error"), RAW_ANSWERS.values(), ids=RAW_ANSWERS.keys())
def test_answers_other_than_101(answer: bytes, error: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    peer = server.accept()
    try:
        peer.send(answer)
    except OSError:
        pass  # the daemon may have read enough
    found = daemon.wait_error("feed", error)
    assert found["message"]


def test_an_informational_answer_comes_before_the_101(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    peer = server.accept()
    peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + peer.upgrade_answer())
    daemon.wait_state("feed", "ready")


def test_an_answer_byte_by_byte(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": server})
    peer = server.accept()
    peer.send_pieces(bytes([byte]) for byte in peer.upgrade_answer() + text("x"))
    assert daemon.subscribe("feed", "from=oldest").read_message().payload == b"x"


@pytest.mark.parametrize("stage", ["tls", "http"])
def test_a_server_that_says_nothing(stage: str, start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server()
    daemon = start_daemon({"feed": {"url": server.url, "timeouts": {"address": "200ms", "connect": "1s"}}})
    silent = server.accept_tcp() if stage == "tls" else server.accept()
    daemon.wait_error("feed", "address_timeout")
    silent.close()
    server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")


def test_a_name_that_does_not_exist(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"feed": {"url": "wss://does-not-exist.invalid/", "timeouts": {"resolve": "500ms"}}})
    found = wait_for(lambda: daemon.connection("feed")["last_error"], "the look-up fails")
    assert found["error"] in ("resolve_failed", "resolve_timeout")


def test_not_tls_at_all(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": f"wss://localhost:{server.port}/"})
    client = server.accept_tcp()
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    daemon.wait_error("feed", "tls_protocol")
    client.close()


def test_without_tls(start_daemon: StartDaemon, start_server: StartServer) -> None:
    server = start_server(None)
    daemon = start_daemon({"feed": server})
    peer = server.accept_and_upgrade()
    daemon.wait_state("feed", "ready")
    app = daemon.subscribe("feed")
    peer.send(text("plain"))
    assert app.read_message().payload == b"plain"
    assert daemon.connection("feed")["tls"] is None


class TestCertificates:
    """Each fault is refused within the TLS handshake, before any HTTP byte, with its own error."""

    def _expect(self, error: str, server: ScriptedServer, start_daemon: StartDaemon, **settings: Any) -> None:
        daemon = start_daemon({"feed": {"url": server.url} | settings})
        # With TLS 1.3 the server's side of the handshake may be over before the client looks at the certificate.
        with pytest.raises((OSError, Ended)):
            server.accept()
        daemon.wait_error("feed", error)

    def test_other_authority(self, folder: Path, start_daemon: StartDaemon, start_server: StartServer) -> None:
        leaf = Authority(folder / "other", "another authority").issue("server")
        self._expect("certificate_issuer_unknown", start_server(leaf.server_context()), start_daemon)

    def test_other_name(self, authority: Authority, start_daemon: StartDaemon, start_server: StartServer) -> None:
        leaf = authority.issue("elsewhere", "DNS:elsewhere.example")
        self._expect("certificate_name_mismatch", start_server(leaf.server_context()), start_daemon)

    def test_expired(self, authority: Authority, start_daemon: StartDaemon, start_server: StartServer) -> None:
        leaf = authority.issue("expired", validity=("-days", "-1"))
        self._expect("certificate_expired", start_server(leaf.server_context()), start_daemon)

    def test_server_name(self, authority: Authority, start_daemon: StartDaemon, start_server: StartServer) -> None:
        server = start_server(authority.issue("renamed", "DNS:renamed.example").server_context())
        daemon = start_daemon({"feed": {"url": server.url,
                                        "tls": {"ca": str(authority.certificate), "server_name": "renamed.example"}}})
        server.accept_and_upgrade()
        found = daemon.wait_state("feed", "ready")
        assert found["tls"]["certificates"][0]["names"] == ["DNS:renamed.example"]

    def test_client_certificate(self, authority: Authority, server_certificate: Leaf, start_daemon: StartDaemon,
                                start_server: StartServer) -> None:
        context = server_certificate.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.certificate)
        server = start_server(context)
        client = authority.issue("client", "DNS:client", usage="clientAuth")
        own = {"ca": str(authority.certificate)}
        daemon = start_daemon({"feed": {"url": server.url, "tls": own | {"certificate": str(client.certificate),
                                                                         "key": str(client.key)}}})
        server.accept_and_upgrade()
        daemon.wait_state("feed", "ready")

    def test_a_session_is_resumed(self, start_daemon: StartDaemon, start_server: StartServer) -> None:
        server = start_server()
        daemon = start_daemon({"feed": server})
        peer = server.accept_and_upgrade()
        assert daemon.wait_state("feed", "ready")["tls"]["resumed"] is False
        app = daemon.subscribe("feed")
        peer.send(text("the tickets came before this"))
        app.read_message()
        peer.reset()
        server.accept_and_upgrade()
        assert daemon.wait_state("feed", "ready")["tls"]["resumed"] is True
        assert daemon.connection("feed")["sessions"] == 2
