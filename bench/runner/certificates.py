"""An authority and a server certificate for 127.0.0.1, made with the openssl command."""

import os
import subprocess


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make(folder):
    """Writes ca.pem, server.pem and server.key."""
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    _openssl(
        folder, "req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
        "-subj", "/CN=wskeep benchmark authority",
    )
    _openssl(
        folder, "req", *new_key, "-keyout", "server.key", "-out", "server.csr",
        "-subj", "/CN=localhost",
    )
    with open(os.path.join(folder, "server.ext"), "w", encoding="ascii") as extensions:
        extensions.write("subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
    _openssl(
        folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem",
    )
