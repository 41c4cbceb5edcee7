"""The relays that are compared, and how each is started."""

import dataclasses
import json
import os
import shutil
import subprocess

# The distribution's interpreter: the one its python3-websockets belongs to.
PYTHON = "/usr/bin/python3"
RELAYS_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "relays")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one run happens."""

    folder: str  # with the certificates; the relay's files go there too
    build: str
    port: int  # of the source

    @property
    def socket(self):
        return os.path.join(self.folder, "relay.sock")

    @property
    def authorities(self):
        return os.path.join(self.folder, "ca.pem")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Relay:
    """One that takes SOCKET PORT AUTHORITIES CONNECTIONS."""

    subprotocol = ""
    # How much slower than the floor, roughly: decides how many messages a run has.
    pace = "fast"
    # Whether each subscriber has an upstream connection of its own.
    upstream_each = False
    environment = {}

    def __init__(self, name, program, pace="fast", environment=None):
        self.name = name
        self._program = program
        self.pace = pace
        self.environment = environment or {}

    def missing(self, build):
        """Why it cannot be run, or None."""
        path = self._program(build)[0]
        return None if shutil.which(path) else f"{path} is not there"

    def command(self, place, connections):
        arguments = [place.socket, str(place.port), place.authorities, str(connections)]
        return self._program(place.build) + arguments


class Wskeepd(Relay):
    def __init__(self, name, subprotocol, session=None):
        super().__init__(name, lambda build: [os.path.join(build, "wskeepd")])
        self.subprotocol = subprotocol
        self.session = session

    def command(self, place, connections):
        names = ["bench"] + [f"idle-{i}" for i in range(1, connections)]
        entries = "".join(f"  {n}: {{url: 'wss://127.0.0.1:{place.port}/'}}\n" for n in names)
        config = place.write(
            "wskeep.yaml",
            f"ipc: {{socket: {place.socket}, mode: '0600'}}\n"
            "log: {level: warning}\n"
            f"defaults:\n  tls: {{ca: {place.authorities}}}\n"
            f"  session: {json.dumps(self.session) if self.session else 'off'}\n"
            f"connections:\n{entries}",
        )
        return self._program(place.build) + ["--config", config]


class Haproxy(Relay):
    upstream_each = True

    def __init__(self):
        super().__init__("haproxy", lambda build: ["/usr/sbin/haproxy"])

    def command(self, place, connections):
        config = place.write(
            "haproxy.cfg",
            "global\n  nbthread 1\n  maxconn 5000\n"
            "defaults\n  mode tcp\n  timeout connect 10s\n  timeout client 1h\n"
            "  timeout server 1h\n"
            f"listen relay\n  bind unix@{place.socket} mode 600\n"
            f"  server source 127.0.0.1:{place.port} ssl verify required"
            f" ca-file {place.authorities} verifyhost localhost sni str(localhost)\n",
        )
        return self._program(place.build) + ["-db", "-q", "-f", config]


class Node(Relay):
    def __init__(self):
        super().__init__(
            "node",
            lambda build: ["node", os.path.join(RELAYS_FOLDER, "node_relay.js")],
            "node",
            {"NODE_PATH": "/usr/share/nodejs"},
        )


class Python(Relay):
    def __init__(self):
        super().__init__(
            "python", lambda build: [PYTHON, os.path.join(RELAYS_FOLDER, "python_relay.py")], "python"
        )

    def missing(self, build):
        found = subprocess.run([PYTHON, "-c", "import websockets"], capture_output=True, check=False)
        return None if found.returncode == 0 else f"{PYTHON} has no websockets package"


FLOOR = Relay("floor", lambda build: [os.path.join(build, "bench", "bench_floor")])
OTHERS = [
    Wskeepd("wskeepd", ""),
    Wskeepd("wskeepd-v1", "wskeep.v1"),
    Haproxy(),
    Node(),
    Python(),
]
