"""Secrets go to where they belong and nowhere else, whatever goes wrong meanwhile."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.byte_stream import ByteStream
from support.certificates import Authority
from support.daemon import Daemon, run_program
from support.session import StartDaemon, StartServer

HEADER, USER, QUERY, BEARER, FILED, PROXY, KEY, COOKIE = (
    f"s3cret-{name}-Zq9" for name in ("header", "user", "query", "bearer", "filed", "proxy", "key", "cookie"))
ALL = (HEADER, USER, QUERY, BEARER, FILED, PROXY, KEY, COOKIE)


def everything_said(daemon: Daemon, name: str) -> str:
    """All that a person or a program can get to see of a connection."""
    said = [daemon.log]
    for target in ("/v1/connections", f"/v1/connections/{name}", f"/v1/connections/{name}/attempts", "/v1/status", "/metrics"):
        said.append(daemon.get(target).body.decode())
    for arguments in (["list"], ["list", "--json"], ["show", name], ["why", name], ["why", "--json", name], ["status"]):
        done = run_program("wskeep", ["--socket", str(daemon.socket), *arguments])
        said += [done.stdout, done.stderr]
    reader = daemon.subscribe_v1(name, "from=oldest")
    said.append(str(reader.hello))
    reader.close()
    lines = daemon.get(f"/v1/connections/{name}/messages")
    said.append(lines.body.decode())
    return "\n".join(said)


def assert_silent(daemon: Daemon, name: str) -> None:
    said = everything_said(daemon, name)
    for secret in ALL:
        assert secret not in said, f"{secret} in:\n" + "\n".join(line for line in said.splitlines() if secret in line)


def connection(url: str, folder: Path, **settings: Any) -> dict[str, Any]:
    filed = folder / "token"
    filed.write_text(FILED + "\n")
    return {"url": url, "headers": {"X-Key": HEADER, "X-Filed": f"${{file:{filed}}}"}} | settings


def test_a_server_that_echoes_the_request_in_its_refusal(start_daemon: StartDaemon, start_server: StartServer,
                                                         folder: Path) -> None:
    server = start_server()
    url = server.url.replace("://", f"://me:{USER}@") + f"?token={QUERY}"
    daemon = start_daemon({"feed": connection(url, folder)}, log={"level": "trace"})
    peer = server.accept()
    assert peer.headers["x-filed"] == FILED and QUERY in peer.request_line
    echoed = f"you said {peer.request_line} and {peer.headers['x-key']} {peer.headers['x-filed']} {peer.headers['authorization']}"
    body = (echoed + f" {HEADER} {QUERY}").encode()
    peer.send(b"HTTP/1.1 400 Bad %s\r\nSet-Cookie: session=%s\r\nContent-Length: %d\r\n\r\n%s"
              % (HEADER.encode(), COOKIE.encode(), len(body), body))
    daemon.wait_error("feed", "http_status")
    assert_silent(daemon, "feed")


def test_a_session_and_its_end(start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    server = start_server()
    settings = connection(server.url + f"?token={QUERY}", folder, authorization={"bearer": BEARER})
    daemon = start_daemon({"feed": settings}, log={"level": "trace"})
    peer = server.accept()
    assert peer.headers["authorization"] == f"Bearer {BEARER}"
    peer.upgrade(set_cookie=f"session={COOKIE}")
    daemon.wait_state("feed", "ready")
    assert_silent(daemon, "feed")
    peer.reset()
    daemon.wait_error("feed", "connection_reset")
    assert_silent(daemon, "feed")
    # Cookies are not kept.
    assert "cookie" not in server.accept().headers


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_proxy_that_refuses(kind: str, start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    proxy = start_server(None)
    settings = connection("ws://example.com/", folder, proxy=f"{kind}://me:{PROXY}@127.0.0.1:{proxy.port}")
    daemon = start_daemon({"feed": settings}, log={"level": "trace"})
    peer = ByteStream(proxy.accept_tcp())
    if kind == "http":
        peer.read_through(b"\r\n\r\n")
        body = b"no " + PROXY.encode()
        peer.send(b"HTTP/1.1 407 No %s\r\nContent-Length: %d\r\n\r\n%s" % (PROXY.encode(), len(body), body))
    else:
        peer.read_exactly(2)
        peer.send(b"\x05\xff")
    daemon.wait_error("feed", "proxy_unauthorized")
    assert_silent(daemon, "feed")


def test_a_redirection_to_where_secrets_are_in_the_url(start_daemon: StartDaemon, start_server: StartServer, folder: Path) -> None:
    server = start_server()
    daemon = start_daemon({"feed": connection(server.url, folder)}, log={"level": "trace"})
    server.accept().send(b"HTTP/1.1 302 Found\r\nLocation: wss://me:%s@localhost/?token=%s\r\nContent-Length: 0\r\n\r\n"
                         % (USER.encode(), QUERY.encode()))
    daemon.wait_error("feed", "http_redirect")
    assert_silent(daemon, "feed")


def test_a_key_whose_password_is_wrong(start_daemon: StartDaemon, start_server: StartServer, authority: Authority,
                                       folder: Path) -> None:
    server = start_server()
    leaf = authority.issue("locked", usage="clientAuth")
    locked = folder / "locked.key"
    done = subprocess.run(["openssl", "pkey", "-in", leaf.key, "-aes256", "-passout", "pass:another", "-out", locked],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    tls = {"ca": str(authority.certificate), "certificate": str(leaf.certificate), "key": str(locked), "password": KEY}
    daemon = start_daemon({"feed": connection(server.url, folder, tls=tls)}, log={"level": "trace"})
    daemon.wait_error("feed", "configuration")
    assert_silent(daemon, "feed")


def test_what_the_check_of_a_configuration_says(folder: Path) -> None:
    file = folder / "bad.yaml"
    file.write_text(f"""
connections:
  one:
    url: "wss://me:{USER}@exa mple.com/?token={QUERY}"
  two:
    url: "http://me:{USER}@example.com/?token={QUERY}"
    headers: {{"X-Key": "{HEADER}\\u0001"}}
    proxy: "ftp://me:{PROXY}@example.com"
  three:
    url: wss://example.com
    authorization: {{basic: "me:{USER}", bearer: "{BEARER}"}}
""")
    done = run_program("wskeepd", ["--check", file])
    assert done.returncode != 0
    for secret in ALL:
        assert secret not in done.stdout + done.stderr, done.stderr


def test_no_core_dump_of_the_configuration(start_daemon: StartDaemon, start_server: StartServer) -> None:
    daemon = start_daemon({"feed": start_server()})

    def limit(of: Daemon) -> list[str]:
        lines = Path(f"/proc/{of.process.pid}/limits").read_text().splitlines()
        return next(line for line in lines if line.startswith("Max core file size")).split()[4:6]

    assert limit(daemon)[0] == "0"
    allowing = start_daemon({"feed": start_server()}, core_dumps=True)
    own = next(line for line in Path("/proc/self/limits").read_text().splitlines() if line.startswith("Max core file size"))
    assert limit(allowing) == own.split()[4:6]
