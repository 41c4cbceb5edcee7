"""A network of a test's own: a network namespace with addresses, dropped packets and a name server.

Only its loopback interface is up, which carries every address; so nothing ever leaves it. The test's own servers listen
in it through sockets that a thread inside has made; programs are started in it with `ip netns exec`.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .byte_stream import DEADLINE
from .daemon import Daemon
from .processes import Processes, Program
from .scripted_server import ScriptedServer
from .waiting import wait_for

PORT = 8443
NAME_SERVER = "10.77.53.1"
_TABLE = "table inet faults { chain input { type filter hook input priority 0; }\n}\n"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def _run(command: Sequence[str | Path], given: str = "") -> None:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def why_not() -> str:
    """Why this machine cannot make such a network; empty: it can."""
    missing = [program for program in ("ip", "nft", "dnsmasq") if shutil.which(program) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    name = f"wskeep-try-{os.getpid()}"
    try:
        _run(["ip", "netns", "add", name])
        try:
            _run(["ip", "netns", "exec", name, "nft", "add", "table", "inet", "faults"])
        finally:
            _run(["ip", "netns", "del", name])
    except AssertionError as error:
        return f"needs network namespaces and nftables: {error}"
    return ""


class Network:
    def __init__(self, folder: Path) -> None:
        self.name = f"wskeep-{os.getpid()}-{folder.name[-8:]}"
        self._files = Path("/etc/netns") / self.name  # `ip netns exec` lays them over those in /etc
        self._folder = folder
        self._processes = Processes(folder)
        self._name_server: Program | None = None
        self._servers: list[Automatic | InNetwork] = []
        self._daemons: list[NetworkDaemon] = []
        self._files.mkdir(parents=True)
        self.write("resolv.conf", f"nameserver {NAME_SERVER}\n")
        self.write("hosts", "127.0.0.1 localhost\n")
        _run(["ip", "netns", "add", self.name])
        try:
            self.inside("ip", "link", "set", "lo", "up")
            self.inside("nft", "-f", "-", given=_TABLE)
            self.add(NAME_SERVER)
        except AssertionError:
            self.end()
            raise

    def end(self) -> None:
        for daemon in self._daemons:
            daemon.terminate()
        for server in self._servers:
            server.close()
        try:
            for daemon in self._daemons:
                daemon.end()
        finally:
            self._processes.end()
            _run(["ip", "netns", "del", self.name])
            shutil.rmtree(self._files)

    def write(self, file: str, text: str) -> None:
        """resolv.conf or hosts, as programs inside see it."""
        (self._files / file).write_text(text)

    def inside(self, *command: str, given: str = "") -> None:
        _run(["ip", "netns", "exec", self.name, *command], given)

    def add(self, *addresses: str) -> None:
        for address in addresses:
            self.inside("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))

    def _drop(self, address: str, side: str) -> None:
        family = "ip6" if ":" in address else "ip"
        self.inside("nft", "add", "rule", "inet", "faults", "input", family, side, address, "drop")

    def drop(self, *addresses: str) -> None:
        """What is sent to them is lost without a word."""
        for address in addresses:
            self._drop(address, "daddr")

    def cut_off(self, address: str) -> None:
        """Nothing gets to it, nor from it."""
        self._drop(address, "daddr")
        self._drop(address, "saddr")

    def mend(self) -> None:
        self.inside("nft", "flush", "chain", "inet", "faults", "input")

    def socket(self, address: str, port: int = PORT, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """A bound socket that is inside, wherever it is used."""
        made: list[socket.socket | OSError] = []

        def make() -> None:
            try:
                with open(f"/run/netns/{self.name}", "rb") as file:
                    if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NEW_NETWORK) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((address, port))
                made.append(sock)
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=make)  # its namespace ends with it
        thread.start()
        thread.join()
        if isinstance(made[0], OSError):
            raise made[0]
        return made[0]

    def serve(self, address: str, context: ssl.SSLContext | None) -> InNetwork:
        """A scripted server at that address."""
        self._servers.append(InNetwork(self, address, context))
        return self._servers[-1]

    def automatic(self, address: str, script: Callable[[socket.socket], None]) -> Automatic:
        """A server that does `script` with each client, in threads."""
        self._servers.append(Automatic(self, address, script))
        return self._servers[-1]

    def start_name_server(self, *options: str) -> None:
        """dnsmasq, in place of one that runs."""
        if self._name_server is not None:
            self._name_server.process.terminate()
            self._name_server.process.wait(DEADLINE)
        self._name_server = self._processes.start(
            ["ip", "netns", "exec", self.name, "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null",
             "--no-resolv", "--no-hosts", f"--listen-address={NAME_SERVER}", "--bind-interfaces", "--user=root", "--pid-file=", "--local=/test/",
             *options])
        self._name_server.wait_for_output("started")

    def start_daemon(self, connections: dict[str, dict[str, Any]], **settings: Any) -> NetworkDaemon:
        own = self._folder / f"daemon{len(self._daemons)}"
        own.mkdir()
        all_settings = {"connections": connections, "shutdown": "2s"} | settings
        self._daemons.append(NetworkDaemon(self, own, all_settings))
        return self._daemons[-1]


class NetworkDaemon(Daemon):
    """A wskeepd inside. Its local socket is a file, and so is reached from outside."""

    def __init__(self, network: Network, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__(folder, settings, within=("ip", "netns", "exec", network.name))

    def cycles(self, name: str) -> list[dict[str, Any]]:
        return self.get(f"/v1/connections/{name}/attempts").json["cycles"]

    def cycle(self, name: str, number: int | None = None) -> dict[str, Any]:
        """The cycle of that number from 1, or any, once it has ended. Only the last few are remembered."""
        def ended() -> dict[str, Any] | None:
            found = [cycle for cycle in self.cycles(name) if number in (None, cycle["number"]) and cycle["ended_ms"] is not None]
            return found[0] if found else None

        return wait_for(ended, f"cycle {number} of {name} has ended; log:\n{self.log[-2000:]}")


class InNetwork(ScriptedServer):
    def __init__(self, network: Network, address: str, context: ssl.SSLContext | None) -> None:
        self._network = network
        self._address = address
        super().__init__(context, PORT)

    def listen(self) -> None:
        listener = self._network.socket(self._address, self.port)
        listener.listen(64)
        listener.settimeout(DEADLINE)
        self._listener = listener


class Automatic:
    def __init__(self, network: Network, address: str, script: Callable[[socket.socket], None]) -> None:
        self._listener = network.socket(address)
        self._listener.listen(64)
        self._listener.settimeout(0.05)
        self._over = threading.Event()
        self._script = script
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            self._threads.append(threading.Thread(target=self._play, args=(client,)))
            self._threads[-1].start()

    def _play(self, client: socket.socket) -> None:
        client.settimeout(0.05)
        try:
            self._script(client)
            while not self._over.is_set():  # holds it, whatever comes
                try:
                    if not client.recv(65536):
                        break
                except TimeoutError:
                    continue
        except OSError:
            pass  # the daemon went away
        finally:
            client.close()

    def close(self) -> None:
        self._over.set()
        for thread in list(self._threads):
            thread.join()
        self._listener.close()


def drip(client: socket.socket, data: bytes, pause: float = 0.1) -> None:
    """A byte at a time."""
    for byte in data:
        client.sendall(bytes([byte]))
        time.sleep(pause)
