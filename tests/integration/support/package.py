"""The Debian package of the programs under test."""

from __future__ import annotations

import atexit
import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from .daemon import build_folder


@functools.cache
def the_package() -> Path:
    """As `cpack` makes it of the build folder under test, once for all tests; nothing is compiled for it."""
    folder = Path(tempfile.mkdtemp(prefix="wskeep-deb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = subprocess.run(["cpack", "-G", "DEB", "-B", folder], cwd=build_folder(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (package,) = folder.glob("*.deb")
    return package


def other_version(package: Path, folder: Path, version: str, configuration: str) -> Path:
    """The same package by another version, with these lines in front of the configuration that it brings."""
    tree = folder / "other"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    brought = tree / "etc" / "wskeep" / "wskeep.yaml"
    brought.write_text(configuration + brought.read_text())
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", "-Znone", tree, folder / "other.deb"], check=True, stdout=subprocess.DEVNULL)
    return folder / "other.deb"


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "--field", package, name], check=True, capture_output=True, text=True).stdout.strip()


def contents(package: Path) -> dict[str, str]:
    """Path -> what `tar -tv` says of its rights and owner."""
    lines = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {}
    for line in lines:
        rights, owner, _, _, _, path = line.split(maxsplit=5)
        found[path.removeprefix(".")] = f"{rights} {owner}"
    return found
