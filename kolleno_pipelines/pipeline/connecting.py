"""Trying each connection as configured, for an operator: what was reached, how, what is there. No database, no file."""

from __future__ import annotations

from dataclasses import dataclass, field

from kolleno_pipelines.connections import ConnectionsError, load_connections, resolve
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.settings import Settings, environment, load_settings


@dataclass
class Tried:
    """What opening one connection told; `error` is the sentence of what stands in the way, None when nothing does."""

    name: str
    system: str
    facts: list[str] = field(default_factory=list)
    error: str | None = None


def describe_connections(settings: Settings | None = None) -> list[Tried]:
    """Open every connection of connections.yaml and describe it. Raises SettingsError, ConnectionsError (the file)."""
    settings = settings or load_settings()
    tried = []
    for connection in load_connections(settings.connections).values():
        outcome = Tried(connection.name, connection.system)
        try:
            with open_drop(connection, lambda reference: resolve(reference, environment())) as drop:
                outcome.facts = list(drop.describe())
        except (ConnectorError, ConnectionsError) as error:
            outcome.error = str(error)
        tried.append(outcome)
    return tried
