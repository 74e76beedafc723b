"""One opened deployment: settings, connections, a migrated database, the archive. No story is told here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from kolleno_pipelines.connections import Connections, SftpConnection, load_connections, resolve
from kolleno_pipelines.settings import Settings, environment, load_settings
from kolleno_pipelines.storage import database
from kolleno_pipelines.storage.archive import Archive


class NotConfiguredError(Exception):
    """The configuration lacks what was asked for; the text says what to add."""


@dataclass(frozen=True)
class Deployment:
    """What every use case works on."""

    settings: Settings
    connections: Connections
    database_url: str
    archive: Archive

    @property
    def sftp(self) -> SftpConnection:
        """The one SFTP connection."""
        found = [c for c in self.connections.values() if isinstance(c, SftpConnection)]
        if not found:
            raise NotConfiguredError(
                f"{self.settings.connections} holds no connection with `system: sftp`; add one"
                " (connections.example.yaml shows how) and try again."
            )
        return found[0]

    def resolve(self, reference: str) -> str:
        """Return the value of `${VAR}` now; ConnectionsError names the variable when it is missing."""
        return resolve(reference, environment())

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection whose work is committed at the end of the block, or not at all."""
        with database.connect(self.database_url) as conn:
            yield conn

    @contextmanager
    def session(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection in autocommit."""
        with database.connect(self.database_url, autocommit=True) as conn:
            yield conn


def open_deployment(settings: Settings | None = None, connections: Connections | None = None) -> Deployment:
    """Load settings and connections unless given, start and migrate the database; see Settings."""
    settings = settings or load_settings()
    if connections is None:
        connections = load_connections(settings.connections)
    return Deployment(settings, connections, database.prepare(settings), Archive(settings.archive_root))
