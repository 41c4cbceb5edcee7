"""The completions of bash, zsh and fish, asked of the shells themselves: they offer what the programs take, no more and no less."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.completions import SHELLS, offered
from support.daemon import run_program
from support.session import StartDaemon

GLOBALS = {"--socket", "--timeout", "--json", "--color", "--help", "--version"}
FILES = ["init", "check", "diff"]
"""Commands that take a file."""
VALUES = {
    "wskeep --color ": {"auto", "always", "never"},
    "wskeep tail trades --from ": {"oldest", "newest"},
    "wskeep events --from ": {"oldest", "newest"},
    "wskeep tail trades --opcode ": {"text", "binary"},
    "wskeep top --sort ": {"name", "state", "messages", "bytes", "sent", "rtt", "ring", "readers", "lag"},
}

pytestmark = pytest.mark.parametrize("shell", SHELLS)


def _options(text: str) -> set[str]:
    """Those that a help text lists at the beginnings of its lines."""
    return set(re.findall(r"--[a-z][a-z-]*", " ".join(line[:30] for line in text.splitlines() if re.match(r"  -", line))))


def _commands() -> list[str]:
    listed = run_program("wskeep", ["--help"]).stdout.partition("Subcommands:")[2].partition("\n\n")[0]
    return re.findall(r"^  ([a-z-]+)  ", listed, re.MULTILINE)


def test_every_command_and_its_options(shell: str, folder: Path) -> None:
    commands = _commands()
    assert "tail" in commands and "dry-run" in commands
    of_all, *of_each = offered(shell, ["wskeep ", *(f"wskeep {command} --" for command in commands)], folder)
    assert of_all == set(commands)
    for command, options in zip(commands, of_each, strict=True):
        done = run_program("wskeep", [command, "--help"])
        assert done.returncode == 0
        assert options - GLOBALS == _options(done.stdout) - GLOBALS, command
        assert GLOBALS <= options, command
    assert _options(run_program("wskeep", ["--help"]).stdout) == GLOBALS


def test_values_of_options(shell: str, folder: Path) -> None:
    for line, options in zip(VALUES, offered(shell, list(VALUES), folder), strict=True):
        assert options == VALUES[line], line


def test_files(shell: str, folder: Path) -> None:
    (folder / "mine.yaml").write_text("")
    lines = [f"wskeep {command} {folder}/mi" for command in FILES] + [f"wskeep dry-run trades --config {folder}/mi"]
    for line, files in zip(lines, offered(shell, lines, folder), strict=True):
        assert {Path(file).name for file in files} == {"mine.yaml"}, line


def test_connections_are_those_of_the_daemon(shell: str, start_daemon: StartDaemon, folder: Path) -> None:
    names = {"trades", "quotes"}
    daemon = start_daemon(dict.fromkeys(names, "ws://127.0.0.1:1/"))
    commands = ["show", "why", "tail", "send", "reconnect", "pause", "resume", "reconnect trades"]
    lines = [f"wskeep {command} " for command in commands]
    for line, found in zip(lines, offered(shell, lines, folder, {"WSKEEP_SOCKET": str(daemon.socket)}), strict=True):
        assert found - {"trades"} == {"quotes"}, line
        assert found == names or line == "wskeep reconnect trades ", line
    # The daemon that the line itself names; none that is there offers nothing, and says nothing.
    named, none = offered(shell, [f"wskeep --socket {daemon.socket} show ", "wskeep --socket /nowhere show "], folder,
                          {"WSKEEP_SOCKET": "/nowhere"})
    assert named == names and none == set()
