"""QuickBooks Online as a connector: its extracts and what they mean. Reading over the network is client.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.quickbooks.landing import EXTRACTS
from kolleno_pipelines.connectors.quickbooks.normalise import normalise

_LOOKED_UP = {
    "accounts": "accounts",
    "customers": "customers",
    "invoices": "invoices",
    "credit_notes": "credit_memos",
    "payments": "payments",
}
_ENTRIES = {"JournalEntry": "journal_entries", "Deposit": "deposits", "Purchase": "purchases"}


def lookup_of(entity: str, parent_id: str) -> tuple[str, str] | None:
    """Return extract and id for a record of ours; a journal's id begins with the vendor's kind: `JournalEntry:12:0`."""
    if entity == "journals":
        kind, _, rest = parent_id.partition(":")
        return (_ENTRIES[kind], rest.partition(":")[0]) if kind in _ENTRIES else None
    return (_LOOKED_UP[entity], parent_id) if entity in _LOOKED_UP else None


def tombstone(source_id: str, at: datetime) -> bytes:
    """Return a deletion as change data capture tells it."""
    updated = {"LastUpdatedTime": at.astimezone(UTC).isoformat(timespec="microseconds")}
    return json.dumps({"status": "Deleted", "Id": source_id, "MetaData": updated}).encode()


QUICKBOOKS = Connector(
    "quickbooks",
    EXTRACTS,
    normalise,
    lookup_of=lookup_of,
    tombstone=tombstone,
    deletions_reach=timedelta(days=30),
)
