"""The Debian package: what lies where, with which rights, and that its documents say what the programs do."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import run_program
from support.documents import ROOT
from support.package import contents, field, the_package

pytestmark = pytest.mark.skipif(shutil.which("cpack") is None or shutil.which("dpkg-deb") is None, reason="needs cpack and dpkg-deb")


class Unpacked:
    def __init__(self, folder: Path) -> None:
        self.package = the_package()
        self.tree = folder / "tree"
        self.control = folder / "control"
        subprocess.run(["dpkg-deb", "--extract", self.package, self.tree], check=True)
        subprocess.run(["dpkg-deb", "--control", self.package, self.control], check=True)

    def page(self, name: str) -> str:
        """A manual page as its reader sees it, in one line."""
        file = self.tree / f"usr/share/man/man{name[-1]}/{name}.gz"
        plain = gzip.decompress(file.read_bytes()).decode()
        return re.sub(r"\s+", " ", re.sub(r"\\(?:f[BRIP]|\|)", "", plain).replace("\\-", "-").replace("\\(aq", "'"))


@pytest.fixture(scope="module")
def unpacked() -> Iterator[Unpacked]:
    folder = Path(tempfile.mkdtemp(prefix="wskeep-package-"))
    yield Unpacked(folder)
    shutil.rmtree(folder)


def test_what_it_holds(unpacked: Unpacked) -> None:
    found = contents(unpacked.package)
    expected = {
        "/usr/bin/wskeepd": "-rwxr-xr-x", "/usr/bin/wskeep": "-rwxr-xr-x", "/etc/wskeep/wskeep.yaml": "-rw-r--r--",
        "/lib/systemd/system/wskeepd.service": "-rw-r--r--", "/lib/systemd/system/wskeepd.socket": "-rw-r--r--",
        "/usr/lib/sysusers.d/wskeep.conf": "-rw-r--r--", "/usr/lib/tmpfiles.d/wskeep.conf": "-rw-r--r--",
        "/usr/share/man/man8/wskeepd.8.gz": "-rw-r--r--", "/usr/share/man/man1/wskeep.1.gz": "-rw-r--r--",
        "/usr/share/man/man5/wskeep.yaml.5.gz": "-rw-r--r--", "/usr/share/bash-completion/completions/wskeep": "-rw-r--r--",
        "/usr/share/zsh/vendor-completions/_wskeep": "-rw-r--r--", "/usr/share/fish/vendor_completions.d/wskeep.fish": "-rw-r--r--",
        "/usr/share/doc/wskeep/copyright": "-rw-r--r--", "/usr/share/doc/wskeep/changelog.gz": "-rw-r--r--",
        "/usr/share/doc/wskeep/examples/reference.yaml": "-rw-r--r--", "/usr/share/doc/wskeep/monitoring/rules.yaml": "-rw-r--r--",
        "/usr/share/wskeep/wskeep.schema.json": "-rw-r--r--", "/usr/share/wskeep/conf.d.schema.json": "-rw-r--r--",
    }
    assert {path: found.get(path) for path in expected} == {path: f"{rights} root/root" for path, rights in expected.items()}
    assert all(rights.startswith("drwxr-xr-x root/root") for path, rights in found.items() if path.endswith("/"))
    assert (unpacked.control / "conffiles").read_text() == "/etc/wskeep/wskeep.yaml\n"


def test_the_programs_are_stripped_and_their_libraries_named(unpacked: Unpacked) -> None:
    depends = field(unpacked.package, "Depends")
    for library in ("libc6", "libssl3", "libyaml-cpp0.7", "libsystemd0"):
        assert library in depends, depends
    sections = subprocess.run(["readelf", "--sections", "--wide", unpacked.tree / "usr/bin/wskeepd"], check=True, capture_output=True,
                              text=True).stdout
    assert ".text" in sections and ".debug_info" not in sections and ".symtab" not in sections


def test_the_configuration_it_brings_is_good(unpacked: Unpacked) -> None:
    file = unpacked.tree / "etc/wskeep/wskeep.yaml"
    assert run_program("wskeepd", ["--check", file]).returncode == 0
    # Also with everything in it that is only a suggestion.
    text = re.sub(r"^(\s*)# (?=(?:metrics|defaults|trades|  +\w+|    .*):)", r"\1", file.read_text(), flags=re.MULTILINE)
    text = text.replace('"${file:/etc/wskeep/token}"', "token")
    full = unpacked.tree / "full.yaml"
    full.write_text(text)
    done = run_program("wskeepd", ["--check", full])
    assert done.returncode == 0 and "2 connections" in done.stdout, done.stderr + text


def _long_options(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def test_the_page_of_the_cli_has_every_command_and_option(unpacked: Unpacked) -> None:
    help_text = run_program("wskeep", ["--help"]).stdout
    listed = re.findall(r"^  ([a-z-]+)  ", help_text.partition("Subcommands:")[2].partition("\n\n")[0], re.MULTILINE)
    assert "events" in listed and "dry-run" in listed
    file = unpacked.tree / "usr/share/man/man1/wskeep.1.gz"
    commands = gzip.decompress(file.read_bytes()).decode().partition(".SH COMMANDS")[2].partition(".SH OPTIONS")[0]
    # Each entry begins with its name, and goes on to the next one's.
    begins = [(found.start(), found[1].replace("\\-", "-")) for found in re.finditer(r"^\.TP\n\.B[IR]? (?:\")?([a-z][a-z\\-]*)(?=[ \"\n])", commands, re.MULTILINE)]
    ends = [begin for begin, _ in begins[1:]] + [len(commands)]
    entries: dict[str, str] = {}
    for (begin, name), end in zip(begins, ends, strict=True):
        entries[name] = entries.get(name, "") + re.sub(r"\\f[BRIP]", "", commands[begin:end]).replace("\\-", "-")
    assert set(listed) <= set(entries), set(listed) - set(entries)
    assert set(entries) <= set(listed), "what is not a command has no entry"
    of_all = _long_options(unpacked.page("wskeep.1").partition("OPTIONS")[2])
    assert _long_options(help_text.partition("Options:")[2].partition("Subcommands:")[0]) <= of_all
    for command in listed:
        done = run_program("wskeep", [command, "--help"])
        assert done.returncode == 0
        wanted = _long_options(done.stdout.partition("Options:")[2].partition("\n\n")[0]) - of_all
        assert wanted <= _long_options(entries[command]), f"wskeep(1) lacks {wanted - _long_options(entries[command])} of {command}"


def test_the_page_of_the_daemon_has_every_option(unpacked: Unpacked) -> None:
    page = unpacked.page("wskeepd.8")
    options = _long_options(run_program("wskeepd", ["--help"]).stdout)
    # Those of a dry run are described by wskeep(1).
    assert options and not [option for option in options if option not in page]
    for signal in ("SIGTERM", "SIGINT", "SIGHUP"):
        assert signal in page


def test_the_page_of_the_configuration_has_every_key(unpacked: Unpacked) -> None:
    page = unpacked.page("wskeep.yaml.5")
    keys = re.findall(r"^\| `([\w.]+)` \|[^|\n]*\|[^|\n]*\|[^|\n]*\|$", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE)
    assert len(keys) > 60
    assert not [key for key in keys if f" {key} " not in page]
    assert not re.search(r"[\x00-\x08]", page)


@pytest.mark.skipif(shutil.which("man") is None, reason="needs man")
@pytest.mark.parametrize("page", ["wskeepd.8", "wskeep.1", "wskeep.yaml.5"])
def test_the_pages_are_good_roff(page: str, unpacked: Unpacked) -> None:
    file = unpacked.tree / f"usr/share/man/man{page[-1]}/{page}.gz"
    done = subprocess.run(["man", "--warnings=all", "--local-file", file], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for section in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert section in done.stdout


def test_the_scripts_are_good_shell(unpacked: Unpacked) -> None:
    for name in ("postinst", "prerm", "postrm"):
        script = unpacked.control / name
        assert script.stat().st_mode & 0o777 == 0o755
        assert subprocess.run(["sh", "-n", script], timeout=20).returncode == 0
    assert subprocess.run(["bash", "-n", unpacked.tree / "usr/share/bash-completion/completions/wskeep"], timeout=20).returncode == 0


@pytest.mark.skipif(shutil.which("lintian") is None, reason="needs lintian")
def test_lintian_has_nothing_to_say(unpacked: Unpacked) -> None:
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", unpacked.package], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout + done.stderr
