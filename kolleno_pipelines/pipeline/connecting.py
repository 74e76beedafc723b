"""Trying connections as configured, for an operator: what was reached, how, what is there. No payload is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kolleno_pipelines.connections import (
    AnyConnection,
    ApiConnection,
    BankFilesConnection,
    ConnectionsError,
    SftpConnection,
    load_connections,
    resolve,
)
from kolleno_pipelines.connectors.bank_files.client import describe
from kolleno_pipelines.connectors.contract import Extract, Pass, RecordSource, Window
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman
from kolleno_pipelines.connectors.folders.client import open_folder
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
        with open_drop(connection, _secret) as drop:
            outcome.facts = list(drop.describe())
        return
    if isinstance(connection, BankFilesConnection):
        with open_folder(connection, _secret) as drop:
            outcome.facts = list(describe(drop, connection))
        return
    deployment = open_deployment(settings)
    if connection.system not in APPS:
        outcome.facts.append(f"{OPENS_WITH_A_KEY}.")
    try:
        outcome.facts.append(_answered(deployment, connection))
    finally:
        _remember(outcome, deployment, connection)


def _secret(reference: str) -> str:
    return resolve(reference, environment())


def _answered(deployment: Deployment, connection: ApiConnection) -> str:
    """Ask the vendor once, for its smallest extract, or each that a key opens; nothing is kept of the answers."""
    extracts = connector_of(connection.system).extracts
    with open_source(deployment, connection) as source:
        if connection.system not in APPS and Pass.SWEEP not in extracts[0].passes:
            return _lists_answered(source, connection, [one for one in extracts if Pass.CHANGES in one.passes])
        found = sum(1 for _ in source.records(extracts[0], Window(Pass.SWEEP, None, utc_now())))
    return f"answered: {extracts[0].name} holds {found} {'object' if found == 1 else 'objects'}."


def _lists_answered(source: RecordSource, connection: ApiConnection, extracts: Sequence[Extract]) -> str:
    """Ask for this very second of each list, since a key may be allowed to read some and not others.

    Raises NeedsHuman, naming all that may not be read.
    """
    now = utc_now()
    refused: dict[str, str] = {}
    for extract in extracts:
        try:
            for _ in source.records(extract, Window(Pass.CHANGES, now, now)):
                pass
        except NeedsHuman as error:
            refused[extract.name] = error.message
    if refused:
        reasons = " ".join(dict.fromkeys(refused.values()))
        if len(refused) < len(extracts):
            reasons = f"The key may not read {', '.join(refused)}. {reasons}"
        raise NeedsHuman(reasons, connection.name)
    return f"answered: {', '.join(extract.name for extract in extracts)} can be read."


def _remember(outcome: Tried, deployment: Deployment, connection: ApiConnection) -> None:
    """Add what our database knows: how old the sign-in is, what was used this month."""
    now = utc_now()
    with deployment.session() as session:
        signed_in = token_states(session).get(connection.name)
        usage = usage_of(session, deployment.connections, connection, now)
    if signed_in is not None:
        outcome.facts.append(f"{sign_in_words(signed_in)}.")
        outcome.warnings += sign_in_warnings(signed_in, now)
    if usage is not None:
        outcome.facts.append(f"in {usage.month:%B %Y}: {usage.calls} calls, {usage.egress} received.")
        outcome.warnings += usage.warnings()
