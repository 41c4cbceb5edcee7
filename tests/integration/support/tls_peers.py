"""Authorities that revoke and date at will, and nginx and HAProxy as ends of TLS."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import ssl
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from .certificates import Leaf
from .processes import Processes, free_port, need

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
NAMES = "DNS:localhost,IP:127.0.0.1"


def openssl(*arguments: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def _date(hours: float) -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=hours)).strftime("%Y%m%d%H%M%SZ")


def pin(certificate: Path) -> str:
    key = openssl("x509", "-in", certificate, "-noout", "-pubkey")
    return base64.b64encode(hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", data=key)).digest()).decode()


class SigningAuthority:
    """Of its own root, or below another authority."""

    def __init__(self, folder: Path, name: str, parent: SigningAuthority | None = None) -> None:
        folder.mkdir()
        self.folder = folder
        self.certificate = folder / "authority.pem"
        self._key = folder / "authority.key"
        self._configuration = folder / "openssl.cnf"
        self._configuration.write_text(f"""
[ca]
default_ca = own
[own]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {self.certificate}
private_key = {self._key}
default_md = sha256
default_crl_hours = 24
policy = any
unique_subject = no
[any]
commonName = supplied
""")
        (folder / "index.txt").touch()
        (folder / "serial").write_text("1000\n")
        extensions = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        if parent is None:
            openssl("req", "-x509", *_NEW_KEY, "-days", "3", "-subj", f"/CN={name}", "-keyout", self._key,
                    "-out", self.certificate, "-addext", extensions[1])
        else:
            made = parent.issue(name, extensions=extensions)
            shutil.copy(made.certificate, self.certificate)
            shutil.copy(made.key, self._key)

    def issue(self, name: str, alternatives: str = NAMES, *, begins: float = -1, ends: float = 24,
              extensions: tuple[str, ...] = ("basicConstraints=CA:FALSE",)) -> Leaf:
        """Valid from and until so many hours from now."""
        stem = name.replace(" ", "_")
        leaf = Leaf(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        request, extras = self.folder / f"{stem}.csr", self.folder / f"{stem}.cnf"
        extras.write_text("\n".join((*extensions, f"subjectAltName={alternatives}\n")))
        openssl("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", leaf.key, "-out", request)
        openssl("ca", "-batch", "-notext", "-config", self._configuration, "-in", request, "-out", leaf.certificate,
                "-extfile", extras, "-startdate", _date(begins), "-enddate", _date(ends))
        return leaf

    def self_signed(self, name: str) -> Leaf:
        """By nobody but itself."""
        leaf = Leaf(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        openssl("req", "-x509", *_NEW_KEY, "-days", "3", "-subj", f"/CN={name}", "-keyout", leaf.key,
                "-out", leaf.certificate, "-addext", f"subjectAltName={NAMES}")
        return leaf

    def revoke(self, leaf: Leaf) -> None:
        openssl("ca", "-config", self._configuration, "-revoke", leaf.certificate)

    def write_revocations(self, file: Path, *ending: str) -> Path:
        """The list as of now; `ending` is for `openssl ca -gencrl`, such as -crl_nextupdate DATE."""
        openssl("ca", "-config", self._configuration, "-gencrl", *ending, "-out", file)
        return file

    def write_old_revocations(self, file: Path) -> Path:
        return self.write_revocations(file, "-crl_lastupdate", _date(-2), "-crl_nextupdate", _date(-1))


def bundle(file: Path, *certificates: Path) -> Path:
    file.write_text("".join(each.read_text() for each in certificates))
    return file


def pkcs12(file: Path, leaf: Leaf, password: str, *options: str) -> Path:
    openssl("pkcs12", "-export", "-in", leaf.certificate, "-inkey", leaf.key, "-out", file,
            "-passout", f"pass:{password}", *options)
    return file


def old_tls_context(leaf: Leaf) -> ssl.SSLContext:
    """Speaks TLS 1.1 and nothing newer; skips where OpenSSL was built without."""
    import warnings

    context = leaf.server_context()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        for each in (context, client):
            try:
                each.minimum_version, each.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
                each.set_ciphers("ALL:@SECLEVEL=0")
            except (ValueError, ssl.SSLError):
                pytest.skip("this OpenSSL has no TLS 1.1")
    if not _shake_hands(context, client):
        pytest.skip("this OpenSSL speaks no TLS 1.1")
    return context


def _shake_hands(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> bool:
    """Without a network."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server_context.wrap_bio(to_server, to_client, server_side=True), client_context.wrap_bio(to_client, to_server)]
    for _ in range(10):
        open_ends = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                open_ends.append(end)
            except ssl.SSLError:
                return False
        if not open_ends:
            return True
    return False


@dataclass(frozen=True)
class TlsEnd:
    """What a TLS end of another's make is to do."""

    leaf: Leaf
    inner_port: int
    version: str = ""
    """1.2 or 1.3, and no other; empty: both."""
    client_authority: Path | None = None
    """Whose certificates clients must have."""


def start_nginx(processes: Processes, folder: Path, end: TlsEnd) -> int:
    program, port = need("nginx"), free_port()
    temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in
                          ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    clients = f"ssl_client_certificate {end.client_authority}; ssl_verify_client on;" if end.client_authority else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
{"user root;" if os.geteuid() == 0 else ""}
events {{}}
http {{
  access_log off;
{temporary}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {end.leaf.certificate};
    ssl_certificate_key {end.leaf.key};
    ssl_protocols {f"TLSv{end.version}" if end.version else "TLSv1.2 TLSv1.3"};
    {clients}
    location / {{
      proxy_pass http://127.0.0.1:{end.inner_port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
  }}
}}
""")
    processes.start_listening([program, "-p", folder, "-e", folder / "nginx.log", "-c", configuration], port)
    return port


def start_haproxy(processes: Processes, folder: Path, end: TlsEnd) -> int:
    program, port = need("haproxy"), free_port()
    both = bundle(folder / "haproxy.pem", end.leaf.certificate, end.leaf.key)
    versions = f"ssl-min-ver TLSv{end.version} ssl-max-ver TLSv{end.version}" if end.version else ""
    clients = f"ca-file {end.client_authority} verify required" if end.client_authority else ""
    configuration = folder / "haproxy.cfg"
    configuration.write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
frontend tls
  bind 127.0.0.1:{port} ssl crt {both} {versions} {clients}
  default_backend inner
backend inner
  server inner 127.0.0.1:{end.inner_port}
""")
    processes.start_listening([program, "-db", "-f", configuration], port)
    return port
