"""What each payload said about one record and what changed because of it, for systems that are asked. Read only.

tracing.py is the same for what senders drop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kolleno_pipelines.connections import AnyConnection, ApiConnection, ledger_of
from kolleno_pipelines.pipeline.deployment import Deployment, NotConfiguredError
from kolleno_pipelines.pipeline.tracing import ENTITIES, UnknownEntityError
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS
from kolleno_pipelines.schemas.records import RECORD_TABLES
from kolleno_pipelines.storage import payload_traces
from kolleno_pipelines.storage.payload_traces import Aside, PayloadStatement, RecordChange, WaitingRecord

__all__ = ["PayloadStatement", "PayloadTrace", "chosen_for", "trace_payloads"]


@dataclass
class PayloadTrace:
    """Everything known about one record, in order of its versions."""

    entity: str
    connection: str
    source_id: str
    records: list[dict[str, Any]] = field(default_factory=list)
    statements: list[PayloadStatement] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)
    waiting: list[WaitingRecord] = field(default_factory=list)
    changes: list[RecordChange] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether anything at all was ever said about it."""
        return bool(self.records or self.statements or self.aside or self.waiting or self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno trace --json`."""
        lists = ("statements", "aside", "waiting", "changes")
        said = {name: [vars(each) for each in getattr(self, name)] for name in lists}
        known = {"entity": self.entity, "connection": self.connection, "source_id": self.source_id}
        return {**known, "records": self.records, **said}


def trace_payloads(deployment: Deployment, connection: ApiConnection, entity: str, source_id: str) -> PayloadTrace:
    """Return what was said about a record of an entity of the system; an id nobody ever named gives an empty trace."""
    found = PayloadTrace(entity, connection.name, source_id)
    with deployment.transaction() as conn:
        found.records = payload_traces.record(conn, entity, connection.name, source_id)
        found.statements = payload_traces.statements(conn, RECORD_TABLES[entity], connection.name, source_id)
        found.aside = payload_traces.set_aside(conn, connection.name, source_id)
        found.waiting = payload_traces.waiting(conn, entity, connection.name, source_id)
        found.changes = payload_traces.changes(conn, entity, connection.name, source_id)
    return found


def chosen_for(
    connections: Mapping[str, AnyConnection], word: str, name: str | None
) -> tuple[AnyConnection, str, list[str]]:
    """Return the connection that is meant, the entity that a word means there, and which others have that entity.

    name: the connection; where it is left out, the ledger, else the first that has the entity. Raises
    NotConfiguredError (no such connection), UnknownEntityError.
    """
    if name is not None and name not in connections:
        raise NotConfiguredError(f"There is no connection {name}; there is {', '.join(connections) or 'none'}.")
    chosen = [connections[name]] if name else sorted(connections.values(), key=lambda one: one.role != "ledger")
    if not chosen:
        ledger_of(connections)
    plain = word.strip().lower().replace("-", "_")
    having = {one.name: entity for one in chosen if (entity := _entity(one, plain)) is not None}
    if not having:
        known = dict.fromkeys(entity for one in chosen for entity in _entities(one))
        where = f"Connection {name} has no" if name else "There is no"
        raise UnknownEntityError(f"{where} entity {word}; it is one of {', '.join(known)}.")
    first = next(iter(having))
    others = [one for one in connections if one != first and _entity(connections[one], plain) is not None]
    return connections[first], having[first], others


def _entities(connection: AnyConnection) -> Iterable[str]:
    return API_SYSTEMS[connection.system].entities if isinstance(connection, ApiConnection) else ENTITIES


def _entity(connection: AnyConnection, plain: str) -> str | None:
    return next((name for name in _entities(connection) if plain in {name, name.removesuffix("s")}), None)
