"""Our own PostgreSQL in KOLLENO_HOME: one private server for a laptop, a demo or a test, started and stopped by hand.

Databases, migrations and SQL do not belong here; `database.py` has them.

Layout: `<home>/postgres/` (0700) holds `data/`, `run/` (the socket), `log/` and `pgpass` (0600, a generated password).
The server listens on the Unix socket alone, with scram-sha-256, and outlives the process that started it.
As root it runs under another account (see `server_binaries.account`). Where that account cannot reach `<home>`, the
folder is made under /var/lib/kolleno-embedded, `<home>/postgres` is a link to it: no folder of others is opened up.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kolleno_pipelines.storage import server_binaries, server_cluster
from kolleno_pipelines.storage.server_binaries import EmbeddedError
from kolleno_pipelines.storage.server_cluster import ROLE

__all__ = ["DATABASE", "ROLE", "EmbeddedError", "ServerStatus", "start", "status", "stop", "url"]

log = logging.getLogger(__name__)

DATABASE = "kolleno"
PATIENCE = 120.0


@dataclass(frozen=True)
class ServerStatus:
    """What is known about the server of one home; holds no secret."""

    is_running: bool
    is_ready: bool
    pid: int | None
    folder: Path
    socket_folder: Path
    log_folder: Path
    account: str


def start(home: Path, *, bin_dir: Path | None = None) -> str:
    """Start the server unless it runs, creating it at first; returns the URL of database `kolleno` (see `url`).

    Two starters at once wait for each other. Passing trouble (a killed server's leftovers) is retried for 120 s.
    `bin_dir`: folder of other PostgreSQL programs than the bundled 18. Raises EmbeddedError.
    """
    home = Path(home).absolute()
    deadline = time.monotonic() + PATIENCE
    if (home / "postgres").exists() and status(home).is_ready:
        return url(home)
    _create_home(home)
    with _alone(home, deadline):
        folder = _folder(home)
        runner = server_binaries.account(folder)
        programs = server_binaries.runnable(bin_dir or server_binaries.bundled(), runner)
        if not (folder / "data").exists():
            server_cluster.initialise(folder, programs, runner)
        server_cluster.refuse_other_version(folder, programs)
        server_cluster.launch(folder, programs, runner, deadline)
    return url(home)


def stop(home: Path) -> bool:
    """Stop the server, ending its connections; False when it did not run. Raises EmbeddedError after 60 s."""
    home = Path(home).absolute()
    if not (home / "postgres").exists():
        return False
    with _alone(home, time.monotonic() + PATIENCE):
        data = _folder(home) / "data"
        pid = server_cluster.postmaster(data)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGINT)
        except PermissionError:
            raise EmbeddedError(
                f"The server (process {pid}) belongs to another account: stop it as that one."
            ) from None
        deadline = time.monotonic() + 60
        while server_cluster.processes(data, pid):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"The server (process {pid}) did not stop within 60 s: look into {data.parent / 'log'}."
                )
            time.sleep(0.02)
    return True


def status(home: Path) -> ServerStatus:
    """Look at the server of `home` without changing anything. Raises EmbeddedError when there is none."""
    folder = _existing(Path(home).absolute())
    pid = server_cluster.postmaster(folder / "data")
    return ServerStatus(
        is_running=pid is not None,
        is_ready=pid is not None and server_cluster.says_ready(folder / "data"),
        pid=pid,
        folder=folder,
        socket_folder=server_cluster.socket_folder(folder),
        log_folder=folder / "log",
        account=folder.owner(),
    )


def url(home: Path) -> str:
    """libpq URL of the home's own database. It names the password file, so that it is no secret itself."""
    folder = _existing(Path(home).absolute())
    socket_folder, pgpass = (
        quote(str(path), safe="/") for path in (server_cluster.socket_folder(folder), folder / "pgpass")
    )
    return f"postgresql://{ROLE}@/{DATABASE}?host={socket_folder}&passfile={pgpass}"


def _create_home(home: Path) -> None:
    """Root's home is passable (0711), so that the server's account reaches its own folder; else it is private."""
    if home.is_dir():
        return
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, exist_ok=True)


@contextmanager
def _alone(home: Path, deadline: float) -> Iterator[None]:
    """Hold the home's lock; it ends with the process, however that ends."""
    handle = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"Another process has been starting the server of {home} for 120 s.") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _existing(home: Path) -> Path:
    folder = home / "postgres"
    if folder.is_symlink() and not folder.exists():
        raise EmbeddedError(
            f"{folder} points to {folder.readlink()}, which is gone: restore that folder, or remove the link."
        )
    if not folder.exists():
        raise EmbeddedError(f"{home} has no server yet: kolleno db start creates it.")
    folder = folder.resolve()
    if not os.access(folder, os.R_OK | os.X_OK):
        raise EmbeddedError(
            f"{folder} belongs to {folder.owner()}: run kolleno as that account, or use another KOLLENO_HOME."
        )
    return folder


def _folder(home: Path) -> Path:
    """The server's own 0700 folder, created when absent; where depends on who can reach it (module docstring)."""
    folder = home / "postgres"
    if folder.exists() or folder.is_symlink():
        return _existing(home)
    runner = server_binaries.account(home)
    new = home / "postgres.new"
    new.mkdir(mode=0o700, exist_ok=True)
    runner.take(new)
    if runner.identity:
        log.warning("PostgreSQL refuses root, so the server of %s runs as %s.", home, runner.name)
        log.warning("In production run kolleno as an ordinary user.")
        if not runner.may("w", new):
            new.rmdir()
            elsewhere = server_binaries.shared_folder() / secrets.token_hex(8)
            elsewhere.mkdir(mode=0o700)
            runner.take(elsewhere)
            new.symlink_to(elsewhere)
    new.rename(folder)
    return folder.resolve()
