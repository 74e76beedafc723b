"""What each file said about one record and what changed because of it, for a person who doubts a number. Read only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName
from kolleno_pipelines.storage import traces
from kolleno_pipelines.storage.traces import Change, RejectedMention, Statement, Waiting

__all__ = ["ENTITIES", "Trace", "UnknownEntityError", "trace"]

ENTITIES: dict[str, tuple[TableName, ...]] = {
    "customers": (TableName.CUSTOMERS,),
    "contacts": (TableName.CONTACTS,),
    "invoices": (TableName.INVOICES,),
    "credit_notes": (TableName.CREDIT_NOTES,),
    "payments": (TableName.PAYMENTS,),
    "allocations": (TableName.PAYMENTS_INVOICES, TableName.CREDIT_NOTES_INVOICES),
}
_AUDITED_WITH = {"contacts": ["contact_links"]}


class UnknownEntityError(Exception):
    """There is no such entity; the text names those there are."""


@dataclass
class Trace:
    """Everything known about one record, in order of the inputs' versions."""

    entity: str
    connection: str
    source_id: str
    records: list[dict[str, Any]] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    rejected: list[RejectedMention] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether anything at all was ever said about it."""
        return bool(self.records or self.statements or self.rejected or self.waiting or self.changes)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `kolleno trace --json`."""
        return {
            "entity": self.entity,
            "connection": self.connection,
            "source_id": self.source_id,
            "records": self.records,
            "statements": [vars(each) for each in self.statements],
            "rejected": [vars(each) for each in self.rejected],
            "waiting": [vars(each) for each in self.waiting],
            "changes": [vars(each) for each in self.changes],
        }


def trace(deployment: Deployment, connection: SftpConnection, entity: str, source_id: str) -> Trace:
    """Return who said what about a record; an id nobody ever named gives an empty trace.

    entity: one of ENTITIES, singular or plural, `-` for `_`. Allocations are `<payment or credit note>|<invoice>`, or
    their own id where the link files carry one. Rows older than `retention_days` are no longer listed; their changes
    are. Raises UnknownEntityError.
    """
    name = entity_named(entity)
    found = Trace(name, connection.name, source_id)
    with deployment.transaction() as conn:
        found.records = traces.record(conn, name, connection.name, source_id)
        for table in (TABLES[each] for each in ENTITIES[name]):
            found.statements += traces.statements(conn, table, connection.name, source_id)
            found.rejected += traces.rejected_mentions(conn, table, connection.name, source_id)
            found.waiting += traces.waiting_rows(conn, table, connection.name, source_id)
        entities = [name, *_AUDITED_WITH.get(name, [])]
        found.changes = traces.changes(conn, entities, connection.name, source_id)
    found.statements.sort(key=lambda each: (each.name_time, each.fix, each.receipt, each.line))
    return found


def entity_named(word: str) -> str:
    """Return the entity that a word means. Raises UnknownEntityError."""
    plain = word.strip().lower().replace("-", "_")
    for name in ENTITIES:
        if plain in {name, name.removesuffix("s")}:
            return name
    raise UnknownEntityError(f"There is no entity {word}; it is one of {', '.join(ENTITIES)}.")
