"""Trying connections as configured, for an operator: what was reached, how, what is there. No payload is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from kolleno_pipelines.connections import (
    AnyConnection,
    ApiConnection,
    ConnectionsError,
    SftpConnection,
    load_connections,
    resolve,
)
from kolleno_pipelines.connectors.contract import Pass, Window
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.deployment import Deployment, NotConfiguredError, open_deployment
from kolleno_pipelines.pipeline.sources import open_source
from kolleno_pipelines.settings import Settings, SettingsError, environment, load_settings


@dataclass
class Tried:
    """What opening one connection told; `error` is the sentence of what stands in the way, None when nothing does."""

    name: str
    system: str
    facts: list[str] = field(default_factory=list)
    error: str | None = None


def describe_connections(name: str | None = None, settings: Settings | None = None) -> list[Tried]:
    """Open every connection of connections.yaml, or the one named, and describe it.

    The database is opened only for systems that a person signs in to: their tokens are in it. Raises SettingsError,
    ConnectionsError (the file), NotConfiguredError (no such name).
    """
    settings = settings or load_settings()
    connections = load_connections(settings.connections)
    if name is not None and name not in connections:
        raise NotConfiguredError(
            f"There is no connection {name} in {settings.connections}; there is {', '.join(connections) or 'none'}."
        )
    tried = []
    for connection in connections.values():
        if name not in {None, connection.name}:
            continue
        outcome = Tried(connection.name, connection.system)
        try:
            outcome.facts = _facts(connection, settings)
        except (ConnectorError, ConnectionsError, SettingsError) as error:
            outcome.error = str(error)
        tried.append(outcome)
    return tried


def _facts(connection: AnyConnection, settings: Settings) -> list[str]:
    if isinstance(connection, SftpConnection):
        with open_drop(connection, lambda reference: resolve(reference, environment())) as drop:
            return list(drop.describe())
    return _answered(open_deployment(settings), connection)


def _answered(deployment: Deployment, connection: ApiConnection) -> list[str]:
    """Ask the vendor once, for its smallest extract; nothing is kept of the answer."""
    extract = connector_of(connection.system).extracts[0]
    with open_source(deployment, connection) as source:
        found = sum(1 for _ in source.records(extract, Window(Pass.SWEEP, None, utc_now())))
    return [f"answered: {extract.name} holds {found} {'object' if found == 1 else 'objects'}."]
