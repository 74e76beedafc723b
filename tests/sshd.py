"""A real OpenSSH server for tests: a free high port, keys only, internal-sftp, chrooted when the tests run as root.

Nothing of it stays: configuration, keys and served folder lie in a folder that is removed at the end.
"""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PLACES = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd")
# Every part of a chroot's path must belong to root and be writable by nobody else, which rules /tmp out.
_CHROOT_PARENT = Path("/var/lib")


def find_sshd() -> str | None:
    """The sshd program, None where openssh-server is not installed."""
    return shutil.which("sshd") or next((place for place in _PLACES if Path(place).exists()), None)


@dataclass(frozen=True)
class RealSshd:
    """A running sshd. `drop` is the served csv_data_uploads; `login_folder` is what a client's login starts in."""

    port: int
    user: str
    drop: Path
    login_folder: Path
    work: Path
    chrooted: bool

    @property
    def location(self) -> str:
        """The value for `location:`; without a chroot the login starts in a home folder, so the path is given."""
        return f"sftp://{self.user}@127.0.0.1:{self.port}" + ("/" if self.chrooted else str(self.login_folder))

    @property
    def known_hosts(self) -> Path:
        return self.work / "known_hosts"

    def make_key(self, name: str, kind: str, passphrase: str = "", *, pem: bool = False) -> Path:
        """Make a key pair with ssh-keygen and let it in."""
        path = self.work / name
        form = ["-m", "PEM"] if pem else []
        _keygen("-t", kind, "-N", passphrase, "-f", str(path), *form)
        with (self.work / "authorized_keys").open("a") as file:
            file.write(path.with_suffix(".pub").read_text())
        return path

    def put(self, name: str | bytes, content: bytes) -> Path:
        """Drop a file, readable by the user."""
        path = self.drop / os.fsdecode(name)
        path.write_bytes(content)
        path.chmod(0o644)
        return path


@contextmanager
def serve(work: Path, **options: str) -> Iterator[RealSshd]:
    """Run sshd until the end of the block. options: more lines for sshd_config, such as `Ciphers="aes256-ctr"`."""
    chrooted = os.geteuid() == 0
    parent = Path(tempfile.mkdtemp(prefix="kolleno-sshd-", dir=_CHROOT_PARENT if chrooted else work))
    try:
        server = _prepare(parent, chrooted)
        with running(_write_config(server, options), server.port, parent / "log"):
            yield server
    finally:
        shutil.rmtree(parent)


@contextmanager
def running(config: Path, port: int, log: Path) -> Iterator[None]:
    """Run sshd with a configuration that listens on `port` until the end of the block."""
    program = find_sshd()
    assert program is not None, "openssh-server is not installed"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file
        )
    try:
        _wait_for_port(process, port, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _prepare(parent: Path, chrooted: bool) -> RealSshd:
    parent.chmod(0o755)
    login_folder = parent / "root"
    drop = login_folder / "csv_data_uploads"
    drop.mkdir(parents=True)
    user = getpass.getuser()
    if chrooted:
        user = "nobody"
        account = pwd.getpwnam(user)
        os.chown(drop, account.pw_uid, account.pw_gid)
    (parent / "authorized_keys").touch(mode=0o644)
    port = make_host(parent)
    return RealSshd(port, user, drop, login_folder, parent, chrooted)


def make_host(folder: Path) -> int:
    """Make `host_key` and the `known_hosts` that names it in a folder; returns the free port that it names."""
    if os.geteuid() == 0:
        # sshd separates its privileges into this folder; systemd would have made it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    make_key(folder / "host_key")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    kind, blob = (folder / "host_key.pub").read_text().split()[:2]
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {kind} {blob}\n")
    return port


def make_key(path: Path) -> Path:
    """Make an ed25519 key pair without a passphrase; returns the path of the private one."""
    _keygen("-t", "ed25519", "-N", "", "-f", str(path))
    return path


def _write_config(server: RealSshd, options: dict[str, str]) -> Path:
    chroot = [f"ChrootDirectory {server.login_folder}"] if server.chrooted else []
    lines = [
        *(f"{name} {value}" for name, value in options.items()),  # sshd keeps the first value of a name
        f"Port {server.port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {server.work / 'host_key'}",
        f"PidFile {server.work / 'pid'}",
        f"AuthorizedKeysFile {server.work / 'authorized_keys'}",
        f"AllowUsers {server.user}",
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "Subsystem sftp internal-sftp",
        "ForceCommand internal-sftp",
        *chroot,
    ]
    config = server.work / "sshd_config"
    config.write_text("\n".join(lines) + "\n")
    return config


def _wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError(f"sshd did not start: {log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"sshd did not listen: {log.read_text()}")


def _keygen(*arguments: str) -> None:
    subprocess.run(["ssh-keygen", "-q", *arguments], check=True, stdin=subprocess.DEVNULL)
