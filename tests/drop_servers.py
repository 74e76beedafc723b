"""The two SFTP servers of the client tests, the sandbox one and a real OpenSSH, each with a drop folder."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kolleno_pipelines.connections import SftpConnection, resolve
from kolleno_pipelines.connectors.folders.drop import Drop, Listing
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.sandbox.sftp_server import SandboxSftpServer
from tests.sshd import find_sshd, serve

PASSPHRASE = "s3cr3t-canary of the key"


@dataclass(frozen=True)
class Server:
    """One running server: `drop` is its csv_data_uploads, `make_key` makes a key pair that it lets in."""

    settings: SftpConnection
    drop: Path
    make_key: Callable[..., Path]

    def put(self, name: str | bytes, content: bytes = b"id\n1\n") -> Path:
        path = self.drop / os.fsdecode(name)
        path.write_bytes(content)
        path.chmod(0o644)
        return path

    def open(self, **changes: object) -> AbstractContextManager[Drop]:
        settings = self.settings.model_copy(update=changes)
        environ = {"KEY_PASSPHRASE": PASSPHRASE, "WRONG": "s3cr3t-canary but wrong"}
        return open_drop(settings, lambda value: resolve(value, environ), first_pause=0.01)


def settings_for(location: str, key_file: Path, known_hosts: Path) -> SftpConnection:
    return SftpConnection(
        location=location, key_file=key_file, known_hosts=known_hosts, connect_timeout=10, read_timeout=10, retries=2
    )


@contextmanager
def sandbox(tmp_path: Path) -> Iterator[Server]:
    server = SandboxSftpServer(tmp_path / "root", tmp_path / "home")
    (tmp_path / "root" / "csv_data_uploads").mkdir(parents=True)

    def make_key(name: str, kind: str, passphrase: str = "", *, pem: bool = False) -> Path:
        path = tmp_path / name
        form = ["-m", "PEM"] if pem else []
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *form], check=True)
        server.authorize(path.with_suffix(".pub").read_text())
        return path

    with server:
        settings = settings_for(server.location, server.key_file, server.known_hosts)
        yield Server(settings, server.root / "csv_data_uploads", make_key)


@contextmanager
def openssh(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path) as sshd:
        key_file = sshd.make_key("first", "ed25519")
        yield Server(settings_for(sshd.location, key_file, sshd.known_hosts), sshd.drop, sshd.make_key)


SERVERS = {"sandbox": sandbox, "openssh": openssh}


@contextmanager
def running_server(kind: str, tmp_path: Path) -> Iterator[Server]:
    """Run one of SERVERS, which leaves no thread behind."""
    if kind == "openssh" and find_sshd() is None:
        pytest.skip("needs the package openssh-server")
    before = set(threading.enumerate())
    with SERVERS[kind](tmp_path) as running:
        yield running
    deadline = time.monotonic() + 5
    while (left := set(threading.enumerate()) - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, f"threads left behind: {left}"


def listed(server: Server, **changes: object) -> Listing:
    """List the drop folder."""
    with server.open(**changes) as drop:
        return drop.listing()
