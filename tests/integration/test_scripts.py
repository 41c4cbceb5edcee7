"""The two commands, and the code blocks of README.md."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import Authority, Leaf
from support.daemon import Daemon, build_folder, program_environment, run_program
from support.processes import Processes, Program
from support.session import StartDaemon
from support.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def _environment(folder: Path) -> dict[str, str]:
    """scripts/run takes the programs that are being tested, and keeps its things where the test sees them."""
    return program_environment() | {"WSKEEP_BUILD": str(build_folder()), "TMPDIR": str(folder)}


def _processes_in(folder: Path) -> list[str]:
    """Command lines that name the folder: what scripts/run left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found


def _start_run(folder: Path, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen([ROOT / "scripts" / "run", *arguments], env=_environment(folder), stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _finish(run: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Waits for its end. What it forgot to end would hold its pipes open: that fails here, and is ended here."""
    try:
        output, errors = run.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        output, errors = run.communicate()
        raise AssertionError(f"did not end: {output[-2000:]} {errors[-2000:]}") from None
    return subprocess.CompletedProcess(run.args, run.returncode, output, errors)


def test_run_shows_the_demo(folder: Path) -> None:
    done = _finish(_start_run(folder, "--seconds", "3"))
    assert done.returncode == 0, done.stdout + done.stderr
    trades = [line for line in done.stdout.splitlines() if '"price"' in line and '"symbol"' in line]
    assert len(trades) > 10, done.stdout + done.stderr
    for words in ("wskeep --socket", "curl ", "python3 -c", "node -e"):
        assert words in done.stdout, f"it says how to subscribe with {words}"
    assert _processes_in(folder) == []
    assert not list(folder.glob("wskeep-run*")), "its folder is gone"


def test_run_ends_everything_on_ctrl_c(folder: Path, processes: Processes) -> None:
    run = _start_run(folder)
    assert run.stdout is not None
    printed = ""
    while (line := run.stdout.readline()) and '"price"' not in line:
        printed += line
    # What it prints to be pasted into another terminal works as it stands.
    pasted = dict(re.findall(r"^  (\w+) {2,}(.*?)\n\n", printed, re.DOTALL | re.MULTILINE))
    assert pasted.keys() == {"wskeep", "curl", "Python", "Node"}, printed
    if shutil.which("node") is None:
        del pasted["Node"]
    for program in [processes.start(["bash", "-c", f"exec {command}" if name != "Node" else command],
                                    {"PYTHONUNBUFFERED": "1"}) for name, command in pasted.items()]:
        program.wait_for_output("price")
    processes.end()
    # A terminal sends SIGINT to the whole foreground group; so does this.
    os.killpg(run.pid, signal.SIGINT)
    done = _finish(run)
    assert done.returncode == 130, done
    assert _processes_in(folder) == []
    assert not list(folder.glob("wskeep-run*"))
    assert "Traceback" not in done.stderr


def test_run_takes_a_configuration(folder: Path, demo: Demo) -> None:
    file = folder / "own.yaml"
    file.write_text(f"ipc: {{socket: {folder}/own.sock}}\nconnections:\n  mine:\n    url: {demo.url}\n"
                    f"    tls: {{ca: {demo.authority}}}\n")
    done = _finish(_start_run(folder, "--seconds", "2", file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"price"' in done.stdout and f"--socket {folder}/own.sock tail mine" in done.stdout


def test_run_says_what_is_wrong(folder: Path) -> None:
    for arguments, code in ((["/nowhere/at/all.yaml"], 66), (["--seconds", "soon"], 64), (["a", "b"], 64)):
        done = _finish(_start_run(folder, *arguments))
        assert done.returncode == code and done.stderr, done


@dataclass
class Demo:
    url: str
    authority: Path
    server: Program


@pytest.fixture
def demo(processes: Processes, folder: Path, server_certificate: Leaf, authority: Authority) -> Demo:
    """The demo's server by itself."""
    port_file = folder / "port"
    server = processes.start([sys.executable, ROOT / "scripts" / "demo" / "server.py", "--certificate",
                              server_certificate.certificate, "--key", server_certificate.key, "--port-file", port_file])
    wait_for(port_file.exists, "the demo server listens")
    return Demo(f"wss://localhost:{int(port_file.read_text())}/", authority.certificate, server)


@dataclass(frozen=True)
class Block:
    """A fenced block behind `<!-- test: NAME -->`: NAME says what must hold of it."""

    name: str
    language: str
    text: str


def readme_blocks() -> Iterator[Block]:
    readme = ROOT / "README.md"
    if readme.exists():
        for name, language, content in re.findall(r"<!-- test: ([a-z0-9-]+) -->\n+```(\w+)\n(.*?)^```", readme.read_text(),
                                                  re.DOTALL | re.MULTILINE):
            yield Block(name, language, content)


BLOCKS = list(readme_blocks())


@pytest.fixture
def trades(start_daemon: StartDaemon, demo: Demo) -> Daemon:
    daemon = start_daemon({"trades": demo.url})
    daemon.wait_state("trades", "ready")
    return daemon


def _command(block: Block, folder: Path) -> list[str | Path]:
    interpreters = {"sh": "bash", "bash": "bash", "python": "/usr/bin/python3", "javascript": "node", "js": "node",
                    "ruby": "ruby", "perl": "perl", "go": "go"}
    program = shutil.which(interpreters.get(block.language, ""))
    if program is None:
        pytest.skip(f"nothing here runs {block.language}")
    file = folder / f"block.{ {'javascript': 'js', 'python': 'py'}.get(block.language, block.language) }"
    file.write_text(block.text)
    return [program, "run", file] if block.language == "go" else [program, file]


@pytest.mark.parametrize("block", BLOCKS or [None], ids=[block.name for block in BLOCKS] or ["none"])
def test_readme(block: Block | None, request: pytest.FixtureRequest, folder: Path, processes: Processes) -> None:
    """config-*: passes --check. subscribe-*: prints a trade. Any other: ends with 0."""
    if block is None:
        pytest.skip("README.md has no marked blocks yet")
    if block.language in ("yaml", "yml"):
        file = folder / "wskeep.yaml"
        file.write_text(block.text)
        done = run_program("wskeepd", ["--check", file])
        assert done.returncode == 0, done
        return
    daemon: Daemon = request.getfixturevalue("trades")
    text = block.text.replace("/run/wskeep/wskeep.sock", str(daemon.socket))
    command = _command(Block(block.name, block.language, text), folder)
    environment = program_environment() | {
        "WSKEEP_SOCKET": str(daemon.socket), "NODE_PATH": "/usr/share/nodejs", "PYTHONUNBUFFERED": "1",
        "PATH": f"{build_folder()}:{os.environ['PATH']}"}
    program = processes.start(command, environment)
    if block.name.startswith("subscribe"):
        program.wait_for_output("price")
    else:
        assert program.process.wait(20) == 0, program.output
