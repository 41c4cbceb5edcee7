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


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "--field", package, name], check=True, capture_output=True, text=True).stdout.strip()


def dependencies(package: Path) -> list[str]:
    """Names alone, the first of alternatives; for a virtual package, the one of this machine that provides it."""
    listed = subprocess.run(["dpkg-query", "--show", "--showformat", "${Package}\t${Provides}\n"], check=True, capture_output=True,
                            text=True).stdout.splitlines()
    providers = {re.split(r"[\s(]", virtual.strip())[0]: name
                 for name, provides in (line.split("\t") for line in listed) for virtual in provides.split(",") if virtual.strip()}
    names = {line.split("\t")[0] for line in listed}
    wanted = [re.split(r"[\s(|]", part.strip())[0] for part in field(package, "Depends").split(",")]
    return [name if name in names else providers.get(name, name) for name in wanted]


def contents(package: Path) -> dict[str, str]:
    """Path -> what `tar -tv` says of its rights and owner."""
    lines = subprocess.run(["dpkg-deb", "--contents", package], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {}
    for line in lines:
        rights, owner, _, _, _, path = line.split(maxsplit=5)
        found[path.removeprefix(".")] = f"{rights} {owner}"
    return found
