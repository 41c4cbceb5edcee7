"""Proxies: real ones that a test starts, and one whose every byte the test decides."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .byte_stream import ByteStream
from .certificates import Leaf
from .handshake import parse_head
from .processes import Processes, free_port, need
from .scripted_server import Peer, ScriptedServer

NO_VARIABLES = {name: "" for stem in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (stem, stem.upper())}
"""Whoever runs the tests may sit behind a proxy themselves; an empty variable is as one that is not set."""


class Proxies:
    """Starts the real ones, each on a port of its own that is returned."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        self._processes = processes
        self._folder = folder

    def tinyproxy(self, user: str = "", password: str = "", *, only_port: int = 0, wrapper: tuple[str, ...] = ()) -> int:
        """HTTP; with a password if there is a user; CONNECT to any port, or to one only."""
        program, port = need("tinyproxy"), free_port()
        file = self._folder / f"tinyproxy{port}.conf"
        file.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\nLogLevel Info\n"
                        + (f"BasicAuth {user} {password}\n" if user else "") + (f"ConnectPort {only_port}\n" if only_port else ""))
        self._processes.start_listening([*wrapper, program, "-d", "-c", file], port)
        return port

    def microsocks(self, user: str = "", password: str = "", *, wrapper: tuple[str, ...] = ()) -> int:
        """SOCKS5."""
        program, port = need("microsocks"), free_port()
        credentials = ["-u", user, "-P", password] if user else []
        self._processes.start_listening([*wrapper, program, "-i", "127.0.0.1", "-p", str(port), *credentials], port)
        return port

    def tls_in_front_of(self, inner: int, leaf: Leaf) -> int:
        """HAProxy that takes TLS off the way to a port."""
        program, port = need("haproxy"), free_port()
        both = self._folder / f"haproxy{port}.pem"
        both.write_text(leaf.certificate.read_text() + leaf.key.read_text())
        file = self._folder / f"haproxy{port}.cfg"
        file.write_text(f"""
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen proxy
  bind 127.0.0.1:{port} ssl crt {both} alpn http/1.1
  server inner 127.0.0.1:{inner}
""")
        self._processes.start_listening([program, "-db", "-f", file], port)
        return port

    def with_hosts(self, hosts: str) -> tuple[str, ...]:
        """What to put in front of a command so that it has an /etc/hosts of its own. Skips where that needs more rights."""
        if os.geteuid() != 0:
            pytest.skip("an /etc/hosts of its own for one process needs root")
        file = self._folder / "hosts"
        file.write_text(hosts)
        wrapper = (need("unshare"), "--mount", "sh", "-c", f'mount --bind {file} /etc/hosts && exec "$@"', "sh")
        if subprocess.run([*wrapper, "true"], capture_output=True, timeout=20).returncode != 0:
            pytest.skip("this machine allows no mount namespaces")
        return wrapper


class ScriptedProxy(ScriptedServer):
    """A listener without TLS of its own; its clients are what the daemon says to its proxy, byte for byte."""

    def __init__(self) -> None:
        super().__init__(None)
        self.streams: list[ByteStream] = []

    def accept_stream(self, **options: Any) -> ByteStream:
        self.streams.append(ByteStream(self.accept_tcp(**options)))
        return self.streams[-1]

    def accept_connect(self) -> tuple[ByteStream, str, dict[str, str]]:
        """A client, its request line and its headers."""
        stream = self.accept_stream()
        return stream, *parse_head(stream.read_through(b"\r\n\r\n"))

    def accept_socks(self) -> tuple[ByteStream, str, int]:
        """A client without credentials, and the name and port that it asked for."""
        stream = self.accept_stream()
        version, count = stream.read_exactly(2)
        assert version == 5 and 0 in stream.read_exactly(count)
        stream.send(b"\x05\x00")
        assert stream.read_exactly(4) == b"\x05\x01\x00\x03", "CONNECT to a name"
        name = stream.read_exactly(stream.read_exactly(1)[0]).decode()
        return stream, name, struct.unpack(">H", stream.read_exactly(2))[0]

    def close(self) -> None:
        super().close()
        for stream in self.streams:
            stream.close()

    def serve_behind(self, stream: ByteStream, server: ScriptedServer) -> Peer:
        """Plays the server at the end of the tunnel, too: TLS if that server has it, and the upgrade."""
        assert not stream.buffer, "nothing was said before the proxy had answered"
        sock = stream.socket
        if server.context is not None:
            self.streams.remove(stream)
            sock = server.context.wrap_socket(sock, server_side=True)
        peer = Peer(sock)
        self.peers.append(peer)
        peer.upgrade()
        return peer
