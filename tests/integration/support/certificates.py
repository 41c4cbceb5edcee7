"""Certificates made by openssl for one run of the tests."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Leaf:
    certificate: Path
    key: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def _openssl(*arguments: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "wskeep test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        _openssl("req", "-x509", *_NEW_KEY, "-days", "3", "-subj", f"/CN={name}", "-keyout", self._key,
                 "-out", self.certificate, "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def issue(self, name: str, alternatives: str = "DNS:localhost,IP:127.0.0.1", *, validity: tuple[str, ...] = ("-days", "2"),
              usage: str = "serverAuth") -> Leaf:
        leaf = Leaf(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        signing_request = self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.cnf"
        extensions.write_text(f"subjectAltName={alternatives}\nextendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", leaf.key, "-out", signing_request)
        _openssl("x509", "-req", "-in", signing_request, "-CA", self.certificate, "-CAkey", self._key,
                 "-CAcreateserial", "-extfile", extensions, "-out", leaf.certificate, *validity)
        return leaf
