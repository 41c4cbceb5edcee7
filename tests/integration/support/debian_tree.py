"""A clean Debian in a folder, from the mirror that this machine's apt uses."""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

CODENAME = "bookworm"
_APT = Path("/etc/apt")


def why_not() -> str:
    """Why this machine cannot make one; empty: it can."""
    if os.geteuid() != 0:
        return "needs root, to make a Debian tree"
    if shutil.which("debootstrap") is None:
        return "needs debootstrap"
    if mirror() is None:
        return f"apt has no source of {CODENAME}"
    return ""


def mirror() -> str | None:
    for address, suites, components in _sources():
        if CODENAME in suites and "main" in components:
            return address
    return None


def _sources() -> Iterator[tuple[str, list[str], list[str]]]:
    """Of each source of packages: address, suites, components. Both forms of sources.list(5)."""
    for file in [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.is_file() else []:
            if found := re.fullmatch(r"deb\s+(?:\[.*\]\s+)?(\S+)\s+(\S+)\s+([^#]+)(#.*)?", line.strip()):
                yield found[1], [found[2]], found[3].split()
    for file in sorted((_APT / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
                for address in fields.get("URIs", "").split():
                    yield address, fields.get("Suites", "").split(), fields.get("Components", "").split()


@functools.cache
def _store() -> Path:
    """Where trees are kept, to be copied: what WSKEEP_TEST_ROOT names, or a folder of this run."""
    if kept := os.environ.get("WSKEEP_TEST_ROOT"):
        return Path(kept)
    folder = Path(tempfile.mkdtemp(prefix="wskeep-debian-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make(root: Path, packages: Sequence[str]) -> None:
    """Makes it in `root`, with these packages and what they need."""
    tree = _store() / hashlib.sha256(" ".join(sorted(set(packages))).encode()).hexdigest()[:16]
    if not tree.exists():
        _debootstrap(tree, packages)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "--archive", "--reflink=auto", tree, root], check=True, timeout=300)


def fetch(root: Path, package: Path) -> None:
    """Puts what `apt install` of a package file would fetch where apt finds it, so that it needs no network later."""
    archives = root / "var" / "cache" / "apt" / "archives"
    depends = subprocess.run(["dpkg-deb", "--field", package, "Depends"], check=True, capture_output=True).stdout
    store = _store() / f"archives-{hashlib.sha256(depends).hexdigest()[:16]}"
    if store.exists():
        shutil.copytree(store, archives, dirs_exist_ok=True)
        return
    shutil.copy(package, root / "root" / "fetched.deb")
    done = subprocess.run(["chroot", root, "apt-get", "install", "--yes", "--download-only", "/root/fetched.deb"],
                          capture_output=True, text=True, timeout=600, env=os.environ | {"LANG": "C.UTF-8"})
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    (root / "root" / "fetched.deb").unlink()
    shutil.copytree(archives, store, ignore=shutil.ignore_patterns("lock", "partial"))


def _debootstrap(root: Path, packages: Sequence[str]) -> None:
    address = mirror()
    assert address is not None
    include = [f"--include={','.join(packages)}"] if packages else []
    done = subprocess.run(["debootstrap", "--variant=minbase", *include, CODENAME, root, address],
                          capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        shutil.rmtree(root, ignore_errors=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    shutil.rmtree(root / "var" / "cache" / "apt" / "archives", ignore_errors=True)
    (root / "var" / "cache" / "apt" / "archives" / "partial").mkdir(parents=True)
