"""The commands that docs/ shows work as they stand.

A block is marked as those of README.md are: `<!-- test: NAME -->` right before it, or `<!-- no test: WHY -->`.
A name that begins with `follow` goes on until it has printed a trade; all others end, with 0.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from support.certificates import Authority, Leaf
from support.daemon import Daemon, build_folder, program_environment
from support.documents import ROOT, Block, blocks_of
from support.processes import Processes
from support.session import StartDaemon
from support.waiting import wait_for

DOCUMENTS = [f"docs/{name}.md" for name in ("cli", "ipc", "errors", "systemd", "docker", "monitoring", "metrics", "logs", "examples")]
COMMANDS = [block for document in DOCUMENTS for block in blocks_of(document) if block.shows_a_command]


@pytest.fixture
def trades(start_daemon: StartDaemon, processes: Processes, folder: Path, server_certificate: Leaf, authority: Authority) -> Daemon:
    """A daemon whose connection `trades` is the demo's."""
    port_file = folder / "port"
    processes.start([sys.executable, ROOT / "scripts" / "demo" / "server.py", "--certificate", server_certificate.certificate,
                     "--key", server_certificate.key, "--port-file", port_file])
    wait_for(port_file.exists, "the demo server listens")
    daemon = start_daemon({"trades": f"wss://localhost:{int(port_file.read_text())}/"})
    daemon.wait_state("trades", "ready")
    return daemon


@pytest.mark.parametrize("block", [block for block in COMMANDS if block.name], ids=str)
def test_commands(block: Block, trades: Daemon, folder: Path, processes: Processes) -> None:
    text = block.text
    if block.language == "console":
        text = "".join(f"{line[2:]}\n" for line in text.splitlines() if line.startswith("$ "))
    script = folder / "block.sh"
    script.write_text(f"cd {folder}\n" + text.replace("/run/wskeep/wskeep.sock", str(trades.socket)))
    program = processes.start(["bash", "-eu", "-o", "pipefail", script], program_environment() | {
        "WSKEEP_SOCKET": str(trades.socket), "PYTHONUNBUFFERED": "1", "PATH": f"{build_folder()}:{os.environ['PATH']}"})
    if (block.name or "").startswith("follow"):
        program.wait_for_output("price")
    else:
        assert program.process.wait(30) == 0, program.output
        assert "Traceback" not in program.output


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_command_goes_unmarked(document: str) -> None:
    unmarked = [str(block) for block in COMMANDS if block.document == document and not block.name and not block.excuse]
    assert not unmarked, f"each block with a command has `<!-- test: NAME -->` or `<!-- no test: WHY -->` before it: {unmarked}"


def test_links_lead_somewhere() -> None:
    """Relative ones, to files and to headings in them."""
    broken = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / document).read_text()):
            if "://" in target:
                continue
            file, _, heading = target.partition("#")
            path = (ROOT / document).parent / file if file else ROOT / document
            if not path.exists():
                broken.append(f"{document}: {target}")
            elif heading and heading not in _anchors(path.read_text()):
                broken.append(f"{document}: {target}")
    assert not broken


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
