"""The database as an operator handles it: start, stop, let an analyst read. What is stored does not belong here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import database, embedded, grants


class NotOursError(Exception):
    """The database is somebody else's to start and stop; the text says so."""


@dataclass(frozen=True)
class Database:
    """Where the database is; `place` is a URL or words, without any password."""

    place: str
    is_embedded: bool
    pid: int | None
    account: str | None
    log_folder: str | None


def start(settings: Settings) -> Database:
    """Start the embedded server (nothing to start otherwise), create and migrate the database; returns where it is.

    Raises DatabaseError, EmbeddedError.
    """
    url = database.prepare(settings)
    if settings.database_url is not None:
        return Database(_place(url), False, None, None, None)
    status = embedded.status(settings.home)
    return Database(url, True, status.pid, status.account, str(status.log_folder))


def stop(settings: Settings) -> bool:
    """Stop the embedded server; False when it did not run. Raises NotOursError, EmbeddedError."""
    if settings.database_url is not None:
        raise NotOursError(
            "KOLLENO_DATABASE_URL names a server that kolleno did not start, so it does not stop it;"
            " its administrator does."
        )
    return embedded.stop(settings.home)


def remove(settings: Settings) -> None:
    """Stop the embedded server of a home and remove its data for good; for homes that hold nothing but a demo.

    Raises EmbeddedError when it does not stop.
    """
    folder = settings.home / "postgres"
    if not folder.exists():
        return
    embedded.stop(settings.home)
    shutil.rmtree(folder.resolve())
    if folder.is_symlink():
        folder.unlink()


def grant_analyst(settings: Settings, role: str, *, create: bool = False, password: str | None = None) -> bool:
    """Let `role` read schema `reporting` and nothing else, now and after later migrations; True when it was created.

    Raises grants.NoSuchRoleError, DatabaseError. Doing it again changes nothing.
    """
    url = database.prepare(settings)
    with database.connect(url) as conn:
        return grants.grant_analyst(conn, role, create=create, password=password)


def _place(url: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    host = parts.get("host") or "the local socket"
    return f"database {parts.get('dbname') or parts.get('user')} on {host}"
