"""known_hosts is read as OpenSSH reads it: labels, patterns, hashes, revoked keys."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from kolleno_pipelines.connectors.folders.host_keys import HostKey, host_label, read_known_keys

BLOB = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519" + b"k" * 36).decode()
KEY = HostKey("ssh-ed25519", base64.b64decode(BLOB))


def trusted(tmp_path: Path, text: str, host: str = "drop.example", port: int = 22) -> tuple[HostKey, ...]:
    path = tmp_path / "known_hosts"
    path.write_text(text)
    return read_known_keys(path, host, port).trusted


@pytest.mark.parametrize(
    "field",
    ["drop.example", "other,drop.example", "*.example", "dro?.example", "DROP.example", "10.0.0.1,drop.example,x"],
)
def test_a_line_that_names_the_server_is_trusted(tmp_path: Path, field: str) -> None:
    assert trusted(tmp_path, f"{field} ssh-ed25519 {BLOB} comment here\n") == (KEY,)


@pytest.mark.parametrize(
    "field",
    ["drop.example.org", "[drop.example]:22", "[drop.example]:2222", "*.example,!drop.example", "|1|broken", "ropd"],
)
def test_a_line_that_names_another_server_is_not(tmp_path: Path, field: str) -> None:
    assert trusted(tmp_path, f"{field} ssh-ed25519 {BLOB}\n") == ()


def test_a_port_other_than_22_needs_its_own_label(tmp_path: Path) -> None:
    text = f"drop.example ssh-ed25519 {BLOB}\n"
    assert trusted(tmp_path, text, port=2222) == ()
    assert trusted(tmp_path, "[drop.example]:2222" + text.removeprefix("drop.example"), port=2222) == (KEY,)
    assert trusted(tmp_path, "[*.example]:2222" + text.removeprefix("drop.example"), port=2222) == (KEY,)


def test_what_cannot_be_read_is_passed_over_and_the_rest_counts(tmp_path: Path) -> None:
    text = f"# a comment\n\ndrop.example\ndrop.example ssh-ed25519 %%%\ndrop.example ssh-ed25519 {BLOB}\n"
    assert trusted(tmp_path, text) == (KEY,)
    (tmp_path / "known_hosts").write_bytes(b"\xff\xfe\x00rubbish\n" + text.encode())
    assert read_known_keys(tmp_path / "known_hosts", "drop.example", 22).trusted == (KEY,)


def test_revoked_and_certificate_lines_are_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text(f"@revoked drop.example ssh-ed25519 {BLOB}\n@cert-authority *.example ssh-ed25519 {BLOB}\n")
    known = read_known_keys(path, "drop.example", 22)
    assert known.trusted == ()
    assert known.revoked == (KEY,)


def test_no_file_knows_no_server(tmp_path: Path) -> None:
    assert read_known_keys(tmp_path / "absent", "drop.example", 22).trusted == ()


def test_an_ipv6_address_with_a_port(tmp_path: Path) -> None:
    assert host_label("::1", 2222) == "[::1]:2222"
    assert trusted(tmp_path, f"[::1]:2222 ssh-ed25519 {BLOB}\n", "::1", 2222) == (KEY,)


def test_hashes_and_fingerprints_agree_with_ssh_keygen(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    try:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key_file)], check=True)
    except FileNotFoundError:
        pytest.skip("needs ssh-keygen (package openssh-client)")
    kind, blob = key_file.with_suffix(".pub").read_text().split()[:2]
    known = tmp_path / "known_hosts"
    known.write_text(f"[drop.example]:2222 {kind} {blob}\nother.example {kind} {blob}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known)], check=True, capture_output=True)
    assert "drop" not in known.read_text()

    keys = read_known_keys(known, "drop.example", 2222).trusted
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(key_file)], check=True, capture_output=True, text=True)

    assert [key.fingerprint for key in keys] == [shown.stdout.split()[1]]
    assert read_known_keys(known, "drop.example", 22).trusted == ()
    assert keys[0].line("drop.example", 2222) == f"[drop.example]:2222 {kind} {blob}"
