"""`wskeep check`: what a configuration takes of the machine, and what it warns of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.certificates import Authority
from support.daemon import build_folder, program_environment, run_program, sanitized, write_configuration
from support.frames import Opcode, frame
from support.processes import Processes
from support.session import StartDaemon, StartServer
from support.waiting import wait_for

_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Every user can enter it and the programs can be run from it."""
    path = Path(tempfile.mkdtemp(prefix="wskeep-check-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _check(file: Path, *options: str) -> tuple[int, dict[str, Any]]:
    done = run_program("wskeep", ["--json", "check", *options, file])
    assert done.stdout, done
    return done.returncode, json.loads(done.stdout)


def _configuration(folder: Path, settings: dict[str, Any] | None = None, **top: Any) -> Path:
    file = folder / "wskeep.yaml"
    write_configuration(file, {"ipc": {"socket": str(folder / "s")}, "connections": {"a": {"url": "wss://h/"} | (settings or {})}} | top)
    return file


def _warnings(file: Path) -> list[str]:
    code, told = _check(file)
    assert code == 0
    return [f"{warning['key']}: {warning['message']}" for warning in told["warnings"]]


# -- what it takes


def _memory_of_its_own(process: int) -> int:
    """Bytes, shared ones by share: a ring is mapped twice, and counts once."""
    return int(re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)[1]) * 1024  # type: ignore[index]


@pytest.mark.skipif(sanitized(), reason="sanitizers have a memory of their own")
def test_what_it_reckons_with_is_what_a_full_daemon_takes(start_daemon: StartDaemon, start_server: StartServer) -> None:
    """Histories full to the last slot, and a reader of each connection that takes nothing: no more than was said, and not much less."""
    count, history = 32, 1 << 20
    server = start_server(None)
    settings = {"url": server.url, "history": history, "max_message": "16KiB", "send_buffer": "16KiB", "patience": "0ms"}
    limits = {"clients": 2 * count, "subscriptions": count, "subscriber_buffer": "64KiB", "in_flight": "1MiB", "filters": 1}
    daemon = start_daemon({f"c{index}": settings for index in range(count)}, ipc={"limits": limits})
    code, told = _check(daemon.file)
    assert code == 0
    peers = [server.accept_and_upgrade() for _ in range(count)]
    readers = [daemon.subscribe_v1(f"c{index}", receive_buffer=4096) for index in range(count)]
    # The smallest messages that fill bytes and slots alike.
    block = frame(Opcode.TEXT, b"x" * 62) * 1024
    for peer in peers:
        peer.send_pieces([block] * (history // len(block) + 8))
    sent = 1024 * (history // len(block) + 8)
    for index in range(count):
        wait_for(lambda name=f"c{index}": daemon.connection(name)["messages_in"] >= sent, "all has come", timeout=120)
    taken = _memory_of_its_own(daemon.process.pid)
    memory = told["capacity"]["memory"]
    assert memory["histories"] < taken <= memory["total"] <= 2 * taken, (taken, memory)
    descriptors = len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))
    assert 2 * count < descriptors <= told["capacity"]["descriptors"]["total"]
    reserved = daemon.metrics()["wskeep_descriptors_reserved"].samples[0].value
    assert reserved == 64 + 2 * count, "the daemon keeps as many back as check reckons with"
    assert len(readers) == count


def test_it_is_shown_beside_what_there_is(folder: Path) -> None:
    file = _configuration(folder, {"history": "8MiB"})
    shown = run_program("wskeep", ["check", file]).stdout
    for words in ("memory at the most", "histories", "memory there is", "descriptors at the most", "which wskeepd raises to"):
        assert words in shown, shown
    _, told = _check(file)
    total = int(re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1]) * 1024  # type: ignore[index]
    assert told["machine"]["memory"] == total
    assert told["capacity"]["connections"][0]["history"] > 8 << 20
    assert told["capacity"]["memory"]["total"] > told["capacity"]["memory"]["without_local_apps"]


def test_more_than_there_is_is_a_warning(folder: Path) -> None:
    file = folder / "wskeep.yaml"
    write_configuration(file, {"ipc": {"socket": str(folder / "s")},
                               "connections": {f"c{index}": {"url": "wss://h/", "history": "1GiB"} for index in range(4000)}})
    code, told = _check(file, "--strict")
    assert code == 5
    assert any("lower history" in warning["message"] for warning in told["warnings"]), told["warnings"]
    # With a descriptor limit of its own, that is told of too, and the daemon says so in its log.
    limited = subprocess.run(["sh", "-c", f"ulimit -n 200; exec '{build_folder()}/wskeep' --json check '{file}'"], capture_output=True, timeout=60)
    assert any("file descriptors" in warning["message"] for warning in json.loads(limited.stdout)["warnings"])


def test_the_daemon_says_what_check_says(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"a": {"url": "wss://localhost:1/", "history": "8KiB"}})
    wait_for(lambda: daemon.log_has("configuration_warning", "connections.a.history"), "the log has the warning")
    settings = json.loads(daemon.file.read_text())
    settings["connections"]["b"] = {"url": "wss://localhost:1/", "history": "8KiB"}
    write_configuration(daemon.file, settings)
    assert run_program("wskeep", ["--socket", daemon.socket, "reload"]).returncode == 0
    wait_for(lambda: daemon.log_has("configuration_warning", "connections.b.history"), "so has that of a reload")


def test_a_daemon_without_enough_descriptors_says_so(processes: Processes, folder: Path) -> None:
    file = folder / "wskeep.yaml"
    connections = {f"c{index}": {"url": "wss://localhost:1/", "max_message": "4KiB", "history": "4KiB"} for index in range(100)}
    write_configuration(file, {"ipc": {"socket": str(folder / "s")}, "connections": connections})
    daemon = processes.start(["sh", "-c", f"ulimit -n 200; exec '{build_folder()}/wskeepd' --config '{file}'"], program_environment())
    assert "limit=200" in daemon.wait_for_output("descriptors_short")


# -- what it warns of


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "config/examples").glob("*.yaml")), ids=lambda file: file.name)
def test_no_example_is_warned_of(file: Path, folder: Path) -> None:
    """As somebody has it who has put the secrets in their places."""
    text = file.read_text()
    secret = folder / "secret"
    secret.write_text("secret:secret")
    secret.chmod(0o600)
    text = re.sub(r"/etc/wskeep/[\w.-]+", str(secret), text)
    credentials = folder / "credentials"
    credentials.mkdir()
    environment = {name: "secret" for name in re.findall(r"\$\{env:(\w+)\}", text)} | {"CREDENTIALS_DIRECTORY": str(credentials)}
    for name in re.findall(r"\$\{credential:([\w.-]+)\}", text):
        (credentials / name).write_text("secret:secret")
    copy = folder / "example.yaml"
    copy.write_text(text)
    done = run_program("wskeep", ["--json", "check", copy], environment=environment)
    told = json.loads(done.stdout)
    assert told["problems"] == [] and told["warnings"] == []


def _expires(authority: Authority, name: str, *validity: str) -> dict[str, str]:
    leaf = authority.issue(name, validity=validity, usage="clientAuth")
    leaf.key.chmod(0o600)
    return {"certificate": str(leaf.certificate), "key": str(leaf.key)}


def test_certificates(folder: Path, authority: Authority) -> None:
    def warned(tls: dict[str, Any]) -> str:
        found = _warnings(_configuration(folder, {"tls": tls}))
        assert len(found) == 1, found
        return found[0]

    past = ("-not_before", "20200101000000Z", "-not_after", "20200102000000Z")
    supported = "-not_before" in subprocess.run(["openssl", "x509", "-help"], capture_output=True, text=True, check=False).stderr
    good = _expires(authority, "client", "-days", "90")
    assert _warnings(_configuration(folder, {"tls": good})) == []
    assert re.match(r"connections.a.tls.certificate: CN=soon expires on \d{4}-", warned(_expires(authority, "soon", "-days", "2")))
    expired = _expires(authority, "expired", *(past if supported else ("-days", "-1")))
    assert "CN=expired expired on" in warned(expired)
    other = _expires(authority, "other", "-days", "90")
    assert "does not belong to the first certificate" in warned({"certificate": good["certificate"], "key": other["key"]})
    assert "holds no certificate" in warned({"certificate": other["key"], "key": other["key"]})
    encrypted = folder / "encrypted.key"
    subprocess.run(["openssl", "pkey", "-in", good["key"], "-aes256", "-passout", "pass:open", "-out", encrypted], check=True, timeout=60)
    encrypted.chmod(0o600)
    assert "cannot be decrypted" in warned({"certificate": good["certificate"], "key": str(encrypted), "password": "wrong"})
    assert _warnings(_configuration(folder, {"tls": {"certificate": good["certificate"], "key": str(encrypted), "password": "open"}})) == []
    bundle = folder / "client.p12"
    subprocess.run(["openssl", "pkcs12", "-export", "-in", expired["certificate"], "-inkey", expired["key"], "-out", bundle,
                    "-passout", "pass:open"], check=True, timeout=60)
    bundle.chmod(0o600)
    assert "CN=expired expired on" in warned({"pkcs12": str(bundle), "password": "open"})
    assert "cannot be opened" in warned({"pkcs12": str(bundle), "password": "wrong"})


def test_authorities(folder: Path, authority: Authority) -> None:
    # That of the tests lives for three days.
    found = _warnings(_configuration(folder, {"tls": {"ca": str(authority.certificate)}}))
    assert len(found) == 1 and "the last authority in" in found[0] and "expires on" in found[0]
    # Beside one that stays, one that has ended is usual.
    bundle = folder / "bundle.pem"
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    if system.exists():
        bundle.write_bytes(authority.certificate.read_bytes() + system.read_bytes())
        assert _warnings(_configuration(folder, {"tls": {"ca": str(bundle)}})) == []
    empty = folder / "empty.pem"
    empty.write_text("nothing\n")
    assert "holds no certificate" in _warnings(_configuration(folder, {"tls": {"ca": str(empty)}}))[0]


def test_where_it_stands_and_strict(folder: Path) -> None:
    file = folder / "wskeep.yaml"
    file.write_text(f"ipc: {{socket: {folder}/s}}\nconnections:\n  a:\n    url: wss://h/\n")
    (folder / "conf.d").mkdir()
    other = folder / "conf.d" / "b.yaml"
    other.write_text("connections:\n  b:\n    url: wss://h/\n    history: 4KiB\n")
    code, told = _check(file)
    assert code == 0
    (warning,) = told["warnings"]
    assert (warning["file"], warning["line"], warning["key"]) == (str(other), 4, "connections.b.history")
    assert f"warning: {other}:4:5: connections.b.history: " in run_program("wskeep", ["check", file]).stdout
    assert _check(file, "--strict")[0] == 5
    other.unlink()
    assert _check(file, "--strict")[0] == 0


def test_notes_do_not_count(folder: Path) -> None:
    file = _configuration(folder, metrics={"listen": "0.0.0.0:9464"})
    code, told = _check(file, "--strict")
    assert code == 0 and told["warnings"] == []
    assert any(note["key"] == "metrics.listen" for note in told["notes"])


@_root
def test_as_the_user_that_will_run_it(open_folder: Path) -> None:
    """What root can read, that user may not be able to."""
    copy = open_folder / "wskeep"
    shutil.copy(build_folder() / "wskeep", copy)
    secret = open_folder / "token"
    secret.write_text("abc\n")
    secret.chmod(0o600)
    file = open_folder / "wskeep.yaml"
    file.write_text(f"ipc: {{socket: {open_folder}/s}}\nconnections:\n  a:\n    url: wss://h/\n"
                    f"    authorization: {{bearer: '${{file:{secret}}}'}}\n")

    def check(*options: str) -> subprocess.CompletedProcess[str]:
        # Who has become another user cannot look into itself for leaks.
        return subprocess.run([copy, "check", *options, file], capture_output=True, text=True, timeout=60, check=False,
                              env=os.environ | {"ASAN_OPTIONS": "detect_leaks=0"})

    mine = check()
    assert mine.returncode == 0 and "as root" in mine.stdout, mine
    theirs = check("--user", "nobody")
    assert theirs.returncode == 5 and "wskeep.yaml:5:" in theirs.stderr and "Permission denied" in theirs.stderr, theirs
    shutil.chown(secret, "nobody")
    theirs = check("--user", "nobody")
    assert theirs.returncode == 0 and "as nobody" in theirs.stdout, theirs
    # It may read all, and not make a socket there.
    assert "ipc.socket: no file can be made in" in theirs.stdout
    missing = check("--user", "nobody-of-that-name")
    assert missing.returncode == 2 and "there is no user" in missing.stderr
