"""TLS: each fault is refused before any HTTP byte, with its own error, and nobody else notices."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.byte_stream import Ended
from support.certificates import Leaf
from support.daemon import QUICK_RECONNECT
from support.frames import Opcode, frame, text
from support.metrics import samples_with
from support.tls_peers import SigningAuthority, bundle, old_tls_context, pin, pkcs12
from support.tls_world import (StartWorld, World, expect_told, intermediate, leaf, root, start_world,  # noqa: F401
                               subject_of, wait_log)
from support.waiting import wait_for


@dataclass(frozen=True)
class Fault:
    error: str
    make: Callable[[SigningAuthority, SigningAuthority, Path], tuple[Leaf, dict[str, Any]]]
    """The server's certificate, and what is set beside tls.ca, of a root, an intermediate and a folder."""
    words: tuple[str, ...]
    ignore: str


def _revoked(root: SigningAuthority, _: SigningAuthority, folder: Path) -> tuple[Leaf, dict[str, Any]]:
    leaf = root.issue("revoked")
    root.revoke(leaf)
    return leaf, {"crl": str(root.write_revocations(folder / "crl.pem"))}


def _without_list(root: SigningAuthority, other: SigningAuthority, folder: Path) -> tuple[Leaf, dict[str, Any]]:
    return root.issue("listless"), {"crl": str(other.write_revocations(folder / "crl.pem"))}


def _old_list(root: SigningAuthority, _: SigningAuthority, folder: Path) -> tuple[Leaf, dict[str, Any]]:
    return root.issue("late"), {"crl": str(root.write_old_revocations(folder / "crl.pem"))}


def _other_root(_: SigningAuthority, __: SigningAuthority, folder: Path) -> tuple[Leaf, dict[str, Any]]:
    other = SigningAuthority(folder / "other", "Another root")
    leaf = other.issue("foreign")
    return Leaf(bundle(folder / "chain.pem", leaf.certificate, other.certificate), leaf.key), {}


FAULTS = {
    "expired": Fault("certificate_expired", lambda root, _, __: (root.issue("expired", begins=-3, ends=-1), {}),
                     ("CN=expired", "expired at 20"), "expired"),
    "not yet valid": Fault("certificate_not_yet_valid", lambda root, _, __: (root.issue("early", begins=1), {}),
                           ("CN=early", "not valid before 20"), "not_yet_valid"),
    "wrong name": Fault("certificate_name_mismatch", lambda root, _, __: (root.issue("other", "DNS:other.example"), {}),
                        ("DNS:other.example", "localhost", "tls.server_name"), "name_mismatch"),
    "self-signed": Fault("certificate_self_signed", lambda root, _, __: (root.self_signed("alone"), {}),
                         ("CN=alone", "tls.ca"), "self_signed"),
    "missing intermediate": Fault("certificate_issuer_unknown", lambda _, between, __: (between.issue("orphan"), {}),
                                  ("CN=orphan", "CN=Intermediate of the tests"), "issuer_unknown"),
    "other root": Fault("certificate_untrusted", _other_root, ("CN=Another root", "tls.ca"), "untrusted"),
    "revoked": Fault("certificate_revoked", _revoked, ("CN=revoked", "revoked at 20"), "revoked"),
    "no revocation list": Fault("certificate_revocation_unknown", _without_list, ("CN=listless", "tls.crl"),
                                "revocation_unknown"),
    "old revocation list": Fault("certificate_revocation_unknown", _old_list, ("CN=late", "in force until 20"),
                                 "revocation_unknown"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
class TestCertificates:
    def test_is_refused(self, fault: Fault, root: SigningAuthority, intermediate: SigningAuthority, folder: Path,
                        start_world: StartWorld) -> None:
        shown, settings = fault.make(root, intermediate, folder)
        world = start_world(shown.server_context(), **settings)
        world.expect_refusal(fault.error, *fault.words)
        world.check_others()

    def test_is_passed_over_when_told_to(self, fault: Fault, root: SigningAuthority, intermediate: SigningAuthority,
                                         folder: Path, start_world: StartWorld) -> None:
        shown, settings = fault.make(root, intermediate, folder)
        world = start_world(shown.server_context(), ignore=[fault.ignore], **settings)
        world.expect_ready()
        tls = world.daemon.connection("feed")["tls"]
        assert tls["verified"] is False
        assert [each["error"] for each in tls["ignored_faults"]] == [fault.error]
        wait_log(world.daemon, "warning", fault.error)


def test_without_verification_any_certificate_will_do(root: SigningAuthority, start_world: StartWorld) -> None:
    world = start_world(root.issue("wrong", "DNS:other.example", begins=-3, ends=-1).server_context(), verify=False)
    world.expect_ready()
    tls = world.daemon.connection("feed")["tls"]
    assert tls["verified"] is False
    assert {each["error"] for each in tls["ignored_faults"]} == {
        "certificate_issuer_unknown", "certificate_name_mismatch", "certificate_expired"}
    wait_log(world.daemon, "warning", "certificate_not_verified")
    assert world.daemon.connection("healthy")["tls"]["verified"] is True


def test_a_chain_with_its_intermediate(root: SigningAuthority, intermediate: SigningAuthority, folder: Path,
                                       start_world: StartWorld) -> None:
    leaf = intermediate.issue("below")
    chain = Leaf(bundle(folder / "chain.pem", leaf.certificate, intermediate.certificate), leaf.key)
    crl = intermediate.write_revocations(folder / "crl.pem")
    world = start_world(chain.server_context(), crl=str(crl))
    world.expect_ready()
    tls = world.daemon.connection("feed")["tls"]
    assert tls["verified"] is True and tls["ignored_faults"] == []
    assert [each["subject"] for each in tls["certificates"]] == ["CN=below", "CN=Intermediate of the tests"]
    assert tls["certificates"][0]["pin"] == pin(leaf.certificate)


@pytest.mark.parametrize("verify", [True, False], ids=["verified", "not verified"])
def test_pins(verify: bool, root: SigningAuthority, leaf: Leaf, folder: Path, start_world: StartWorld) -> None:
    other = root.self_signed("other")
    world = start_world(leaf.server_context(), verify=verify, pin_sha256=[pin(other.certificate)])
    world.expect_refusal("certificate_pin_mismatch", "tls.pin_sha256", pin(leaf.certificate))
    world.check_others()


@pytest.mark.parametrize("which", ["leaf", "root"])
def test_a_pin_that_fits(which: str, root: SigningAuthority, leaf: Leaf, start_world: StartWorld) -> None:
    pinned = leaf.certificate if which == "leaf" else root.certificate
    world = start_world(leaf.server_context(), pin_sha256=[pin(pinned)])
    world.expect_ready()


def test_tls_1_1_only(leaf: Leaf, start_world: StartWorld) -> None:
    world = start_world(old_tls_context(leaf))
    world.expect_refusal("tls_version", "1.2")
    world.check_others()


def test_tls_1_2_only_where_1_3_is_asked_for(leaf: Leaf, start_world: StartWorld) -> None:
    context = leaf.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    world = start_world(context, min_version="1.3")
    world.expect_refusal("tls_version", "tls.min_version")
    world.check_others()


def test_no_cipher_in_common(leaf: Leaf, start_world: StartWorld) -> None:
    context = leaf.server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    world = start_world(context, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    world.expect_refusal("tls_protocol", "tls.ciphers", state="backing_off")
    world.check_others()


def test_another_protocol_by_alpn(leaf: Leaf, start_world: StartWorld) -> None:
    """http/1.1 is offered, so that a server of several protocols chooses it."""
    context = leaf.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    world = start_world(context)
    peer = world.expect_ready()
    assert isinstance(peer.socket, ssl.SSLSocket)
    assert peer.socket.selected_alpn_protocol() == "http/1.1"


class TestClientCertificate:
    @pytest.fixture
    def context(self, root: SigningAuthority, leaf: Leaf) -> ssl.SSLContext:
        context = leaf.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(root.certificate)
        return context

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
    def test_missing(self, version: ssl.TLSVersion, context: ssl.SSLContext, start_world: StartWorld) -> None:
        context.minimum_version = context.maximum_version = version
        world = start_world(context)
        world.expect_refusal("client_certificate_required", "client certificate")
        world.check_others()

    def test_as_pem(self, root: SigningAuthority, context: ssl.SSLContext, start_world: StartWorld) -> None:
        client = root.issue("client")
        world = start_world(context, certificate=str(client.certificate), key=str(client.key))
        peer = world.expect_ready()
        assert subject_of(peer) == "client"

    def test_as_pkcs12_with_a_password_of_a_file(self, root: SigningAuthority, folder: Path, context: ssl.SSLContext,
                                                 start_world: StartWorld) -> None:
        password = folder / "password"
        password.write_text("hush-hush\n")
        packed = pkcs12(folder / "client.p12", root.issue("packed"), "hush-hush")
        world = start_world(context, pkcs12=str(packed), password=f"${{file:{password}}}")
        peer = world.expect_ready()
        assert subject_of(peer) == "packed"
        told = world.daemon.log + world.daemon.get("/v1/connections/feed").body.decode()
        assert "hush-hush" not in told

    def test_pkcs12_that_cannot_be_read(self, root: SigningAuthority, folder: Path, context: ssl.SSLContext,
                                        start_world: StartWorld) -> None:
        packed = pkcs12(folder / "client.p12", root.issue("packed_too"), "hush-hush")
        world = start_world(context, pkcs12=str(packed), password="something-else")
        expect_told(world.daemon, "configuration", str(packed), "tls.password does not fit", state="failed")
        assert "something-else" not in world.daemon.log
        world.check_others()


class TestEnds:
    """TCP ends without close_notify."""

    def test_between_messages(self, leaf: Leaf, start_world: StartWorld) -> None:
        world = start_world(leaf.server_context(), reconnect=QUICK_RECONNECT)
        peer = world.expect_ready()
        app = world.daemon.subscribe("feed")
        peer.send(text("whole"))
        assert app.read_message().payload == b"whole"
        peer.cut()
        found = world.daemon.wait_error("feed", "connection_closed")
        assert found["close_code"] == 1006
        self._check(world, "connection_closed")

    def test_within_a_message(self, leaf: Leaf, start_world: StartWorld) -> None:
        world = start_world(leaf.server_context(), reconnect=QUICK_RECONNECT)
        peer = world.expect_ready()
        app = world.daemon.subscribe("feed")
        peer.send(text("whole") + frame(Opcode.TEXT, b"the beginning of a longer one")[:-5])
        assert app.read_message().payload == b"whole"
        peer.cut()
        world.daemon.wait_error("feed", "tls_truncated")
        self._check(world, "tls_truncated")

    def _check(self, world: World, error: str) -> None:
        wait_log(world.daemon, error)
        assert samples_with(world.daemon.metrics(), connection="feed", reason=error)
        world.expect_ready()
        world.check_others()


class TestFilesAreReadAnew:
    """Changed on disk: used at the next handshake. The sessions of before are not resumed."""

    def test_authority(self, root: SigningAuthority, leaf: Leaf, folder: Path, start_world: StartWorld) -> None:
        other = SigningAuthority(folder / "other", "Another root")
        accepted = folder / "accepted.pem"
        shutil.copy(other.certificate, accepted)
        world = start_world(leaf.server_context(), reconnect=QUICK_RECONNECT, ca=str(accepted))
        self._expect_refusals(world, "certificate_issuer_unknown", lambda: shutil.copy(root.certificate, accepted))
        peer = world.expect_ready()
        peer.send(text("the tickets came before this"))
        wait_for(lambda: world.daemon.connection("feed")["messages_in"] == 1)
        shutil.copy(other.certificate, accepted)
        peer.reset()
        world.expect_refusal("certificate_issuer_unknown", stays=False)
        world.check_others()

    def test_client_certificate(self, root: SigningAuthority, leaf: Leaf, folder: Path, start_world: StartWorld) -> None:
        context = leaf.server_context()
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(root.certificate)
        used = Leaf(folder / "client.pem", folder / "client.key")

        def install(name: str) -> None:
            made = root.issue(name)
            shutil.copy(made.certificate, used.certificate)
            shutil.copy(made.key, used.key)

        install("first")
        world = start_world(context, reconnect=QUICK_RECONNECT, certificate=str(used.certificate), key=str(used.key))
        peer = world.expect_ready()
        assert subject_of(peer) == "first"
        peer.send(text("the tickets came before this"))
        wait_for(lambda: world.daemon.connection("feed")["messages_in"] == 1)
        install("second")
        peer.reset()
        assert subject_of(world.server.accept_and_upgrade()) == "second"
        world.daemon.wait_state("feed", "ready")
        assert world.daemon.connection("feed")["tls"]["resumed"] is False
        world.check_others()

    def test_revocation_list(self, root: SigningAuthority, folder: Path, start_world: StartWorld) -> None:
        leaf = root.issue("short-lived")
        crl = root.write_revocations(folder / "crl.pem")
        world = start_world(leaf.server_context(), reconnect=QUICK_RECONNECT, crl=str(crl))
        peer = world.expect_ready()
        peer.send(text("the tickets came before this"))
        wait_for(lambda: world.daemon.connection("feed")["messages_in"] == 1)
        root.revoke(leaf)
        root.write_revocations(crl)
        peer.reset()
        world.expect_refusal("certificate_revoked", stays=False)
        world.check_others()

    def _expect_refusals(self, world: World, error: str, mend: Callable[[], object]) -> None:
        """Until it is mended; attempts that were under way by then may still fail."""
        assert world.server.context is not None
        world.expect_refusal(error, stays=False)
        mend()
        for _ in range(3):
            try:
                peer = world.server.accept()
            except (OSError, Ended):
                continue
            peer.reset()  # and the next one is for the test
            return
        raise AssertionError("refused still")
