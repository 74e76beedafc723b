"""Who is let in, and whom we talk to: keys, passphrases, host keys, against the embedded server and a real OpenSSH."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolleno_pipelines.connections import Reference
from kolleno_pipelines.connectors.errors import NeedsHuman
from tests.drop_servers import PASSPHRASE, SERVERS, Server, listed, running_server

NAME = "invoices_2026-01-01T00:00:00.csv"
needs_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs the package openssh-client")


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running_server(request.param, tmp_path) as running:
        yield running


@needs_keygen
@pytest.mark.parametrize(
    ("kind", "passphrase", "pem"),
    [("ed25519", "", False), ("ed25519", PASSPHRASE, False), ("rsa", "", False), ("rsa", PASSPHRASE, True)],
)
def test_ed25519_and_rsa_keys_with_and_without_passphrase(
    server: Server, kind: str, passphrase: str, pem: bool
) -> None:
    key_file = server.make_key("another", kind, passphrase, pem=pem)
    secret = Reference("${KEY_PASSPHRASE}") if passphrase else None
    assert listed(server, key_file=key_file, key_passphrase=secret).entries == ()


@needs_keygen
def test_a_passphrase_for_a_key_that_has_none_does_no_harm(server: Server) -> None:
    assert listed(server, key_passphrase=Reference("${KEY_PASSPHRASE}")).entries == ()


@needs_keygen
def test_keys_that_do_not_open_are_told_without_the_passphrase(server: Server, tmp_path: Path) -> None:
    locked = server.make_key("locked", "ed25519", PASSPHRASE)
    putty = tmp_path / "key.ppk"
    putty.write_text("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n")
    for key_file, secret, words in [
        (locked, None, "protected by a passphrase and none is set"),
        (locked, Reference("${WRONG}"), "is not opened by the passphrase"),
        (locked.with_suffix(".pub"), None, "not an OpenSSH or PEM private key"),
        (locked.with_suffix(".pub"), Reference("${WRONG}"), "not an OpenSSH or PEM private key"),
        (putty, None, f"puttygen {putty} -O private-openssh -o {tmp_path / 'key'}. and name"),
        (putty, Reference("${KEY_PASSPHRASE}"), "is in PuTTY's format"),
        (tmp_path / "absent", None, "cannot be read .No such file"),
    ]:
        with pytest.raises(NeedsHuman, match=words) as raised:
            listed(server, key_file=key_file, key_passphrase=secret)
        assert str(key_file) in str(raised.value)
        assert "canary" not in repr(raised.value)


@needs_keygen
def test_a_key_that_the_server_does_not_know_needs_a_person(server: Server, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(stranger)], check=True, capture_output=True, text=True)
    with pytest.raises(NeedsHuman, match="does not let the user") as raised:
        listed(server, key_file=stranger)
    assert shown.stdout.split()[1] in str(raised.value)


def test_another_user_is_not_let_in(server: Server) -> None:
    location = server.settings.location.replace(f"//{server.settings.location.split('//')[1].split('@')[0]}@", "//eve@")
    with pytest.raises(NeedsHuman, match="does not let the user eve in"):
        listed(server, location=location)


def test_an_unknown_host_key_is_refused_with_the_line_that_would_make_it_known(server: Server, tmp_path: Path) -> None:
    unknown = tmp_path / "nothing_known"
    with pytest.raises(NeedsHuman, match=r"is not known.*SHA256:") as raised:
        listed(server, known_hosts=unknown)
    line = str(raised.value).rpartition("to that file: ")[2]
    assert line == server.settings.known_hosts.read_text().strip()
    unknown.write_text(line + "\n")
    assert listed(server, known_hosts=unknown).entries == ()


def test_a_file_of_host_keys_that_cannot_be_read_needs_a_person(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NeedsHuman, match=rf"known host keys {tmp_path} cannot be read \(Is a directory\)"):
        listed(server, known_hosts=tmp_path)


@needs_keygen
def test_a_changed_host_key_is_refused_with_both_fingerprints(server: Server, tmp_path: Path) -> None:
    right = server.settings.known_hosts.read_text().split()
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    kind, blob = other.with_suffix(".pub").read_text().split()[:2]
    known = tmp_path / "known"
    known.write_text(f"{right[0]} {kind} {blob}\n")
    with pytest.raises(NeedsHuman, match="has changed") as raised:
        listed(server, known_hosts=known)
    prints = [
        subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True).stdout
        for path in (known, server.settings.known_hosts)
    ]
    assert all(text.split()[1] in str(raised.value) for text in prints)

    known.write_text(f"@revoked {' '.join(right)}\n{' '.join(right)}\n")
    with pytest.raises(NeedsHuman, match="marks as revoked"):
        listed(server, known_hosts=known)
