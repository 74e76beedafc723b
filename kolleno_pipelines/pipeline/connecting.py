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
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.deployment import Deployment, NotConfiguredError, open_deployment
from kolleno_pipelines.pipeline.sign_in_ages import sign_in_warnings, sign_in_words
from kolleno_pipelines.pipeline.sources import APPS, OPENS_WITH_A_KEY, open_source
from kolleno_pipelines.pipeline.usage import usage_of
from kolleno_pipelines.settings import Settings, SettingsError, environment, load_settings
from kolleno_pipelines.storage.tokens import token_states


@dataclass
class Tried:
    """What opening one connection told; `error` is the sentence of what stands in the way, None when nothing does.

    warnings: what will stand in the way.
    """

    name: str
    system: str
    facts: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None


def describe_connections(name: str | None = None, settings: Settings | None = None) -> list[Tried]:
    """Open every connection of connections.yaml, or the one named, and describe it.

    The database is opened only for systems with an API: their tokens, limits and counts are in it. Raises
    SettingsError, ConnectionsError (the file), NotConfiguredError (no such name).
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
            _try(outcome, connection, settings)
        except (ConnectorError, ConnectionsError, SettingsError) as error:
            outcome.error = str(error)
        tried.append(outcome)
    return tried


def _try(outcome: Tried, connection: AnyConnection, settings: Settings) -> None:
    """Open a connection and note what it tells. Raises ConnectorError, ConnectionsError, SettingsError."""
    if isinstance(connection, SftpConnection):
        with open_drop(connection, lambda reference: resolve(reference, environment())) as drop:
            outcome.facts = list(drop.describe())
        return
    deployment = open_deployment(settings)
    if connection.system not in APPS:
        outcome.facts.append(f"{OPENS_WITH_A_KEY}.")
    try:
        outcome.facts.append(_answered(deployment, connection))
    finally:
        _remember(outcome, deployment, connection)


def _answered(deployment: Deployment, connection: ApiConnection) -> str:
    """Ask the vendor; nothing is kept of the answer. Raises ConnectorError.

    Where a person signed in, once, for its smallest extract. A key may lack the right to read this or that: each
    extract is asked for what was made in this very second.
    """
    connector, now = connector_of(connection.system), utc_now()
    with open_source(deployment, connection) as source:
        if connection.system in APPS:
            extract = connector.extracts[0]
            found = sum(1 for _ in source.records(extract, Window(Pass.SWEEP, None, now)))
            return f"answered: {extract.name} holds {found} {'object' if found == 1 else 'objects'}."
        read, refused = list[str](), dict[str, None]()
        for extract in connector.extracts:
            if Pass.CHANGES not in extract.passes:
                continue
            try:
                any(True for _ in source.records(extract, Window(Pass.CHANGES, now, now)))
                read.append(extract.name)
            except NeedsHuman as error:
                refused[error.message] = None
    if refused:
        raise NeedsHuman(" ".join(refused), connection.name)
    return f"answered: {', '.join(read)} can be read."


def _remember(outcome: Tried, deployment: Deployment, connection: ApiConnection) -> None:
    """Add what our database knows: how old the sign-in is, what was used this month."""
    now = utc_now()
    with deployment.session() as session:
        signed_in = token_states(session).get(connection.name)
        usage = usage_of(session, deployment.connections, connection, now)
    if signed_in is not None:
        outcome.facts.append(f"{sign_in_words(signed_in)}.")
        outcome.warnings += sign_in_warnings(signed_in, now)
    outcome.facts.append(f"in {usage.month:%B %Y}: {usage.calls} calls, {usage.egress} received.")
    outcome.warnings += usage.warnings()
