"""Payloads and their rows for tests of the fold of records, and the state that comes out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
from psycopg.rows import dict_row

from kolleno_pipelines.schemas.records import PAYLOADS, RECORD_TABLES, Normalised
from kolleno_pipelines.storage.extracts import ExtractRow, Landed, note_landed, note_normalised
from kolleno_pipelines.storage.record_fold import fold_records
from kolleno_pipelines.storage.record_rows import put_rows

SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 2, 1)
ENTITIES = (*RECORD_TABLES, "balance_moves", "allocation_moves")
Row = dict[str, Any]


@dataclass(frozen=True)
class Payload:
    """One payload: whose state it is, its version, the rows it says by entity."""

    kind: str
    source_id: str
    minute: int
    rows: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    is_deleted: bool = False

    @property
    def modified_at(self) -> datetime:
        return SEEN - timedelta(days=1) + timedelta(minutes=self.minute)

    @property
    def digest(self) -> str:
        text = json.dumps([self.kind, self.source_id, self.minute, self.rows, self.is_deleted], default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def unit(minute: int, currency: str | None = "USD") -> Payload:
    return Payload("preferences", "1", minute, {"ledger_units": ({"source_id": "1", "home_currency_iso": currency},)})


def account(source_id: str, minute: int, *, is_receivable: bool = True) -> Payload:
    row = {"source_id": source_id, "name": f"Account {source_id}", "is_receivable": is_receivable}
    return Payload("account", source_id, minute, {"accounts": (row,)})


def customer(source_id: str, minute: int, **cells: Any) -> Payload:
    return Payload(
        "customer", source_id, minute, {"customers": ({"source_id": source_id, "name": source_id, **cells},)}
    )


def document(entity: str, source_id: str, minute: int, amount: str, balance: str, **cells: Any) -> Payload:
    row = {
        "source_id": source_id,
        "customer_source_id": "C1",
        "posting_status": "posted",
        "collection_status": "none",
        "amount": Decimal(amount),
        "balance": Decimal(balance),
        "date_issued": DAY,
        **({"kind": "payment"} if entity == "payments" else {}),
        **cells,
    }
    return Payload(entity, source_id, minute, {entity: (row,)})


def payment(source_id: str, minute: int, amount: str, balance: str, **applied: str) -> Payload:
    """A payment with its set of allocations, invoice -> amount."""
    own = document("payments", source_id, minute, amount, balance)
    links = tuple(
        {
            "source_id": f"payment:{source_id}|{invoice}",
            "owner_kind": "payment",
            "owner_source_id": source_id,
            "from_kind": "payment",
            "from_source_id": source_id,
            "to_kind": "invoice",
            "to_source_id": invoice,
            "ordinal": number,
            "amount": Decimal(part),
        }
        for number, (invoice, part) in enumerate(applied.items(), start=1)
    )
    return Payload("payments", source_id, minute, {**own.rows, "allocations": links})


def journal(source_id: str, minute: int, **lines: tuple[str, str]) -> Payload:
    """A journal, line -> (account, signed amount)."""
    rows = tuple(
        {
            "source_id": f"{source_id}:{line}",
            "entry_source_id": source_id,
            "customer_source_id": "C1",
            "account_source_id": account_id,
            "posting_status": "posted",
            "amount": Decimal(amount),
            "currency_iso": "USD",
            "date_issued": DAY,
        }
        for line, (account_id, amount) in lines.items()
    )
    return Payload("journal_entries", source_id, minute, {"journals": rows})


def linked(owner: str, minute: int, *links: tuple[str, str, str, str, str], balance: str = "0") -> Payload:
    """A payment of 100 with allocations of any kinds: (from_kind, from, to_kind, to, amount)."""
    own = document("payments", owner, minute, "100", balance)
    rows = tuple(
        {
            "source_id": f"payment:{owner}|{from_kind}:{from_id}|{to_kind}:{to_id}",
            "owner_kind": "payment",
            "owner_source_id": owner,
            "from_kind": from_kind,
            "from_source_id": from_id,
            "to_kind": to_kind,
            "to_source_id": to_id,
            "ordinal": number,
            "amount": Decimal(amount),
        }
        for number, (from_kind, from_id, to_kind, to_id, amount) in enumerate(links, start=1)
    )
    return Payload("payments", owner, minute, {**own.rows, "allocations": rows})


def deleted(payload: Payload, minute: int) -> Payload:
    return Payload(payload.kind, payload.source_id, minute, is_deleted=True)


def put(conn: psycopg.Connection[Any], connection: str, payloads: list[Payload]) -> int:
    """Land and normalise some payloads in one go; returns the number of the extract."""
    landed = Landed(connection, "mixed", "changes", DAY, SEEN, "0" * 64, 1, len(payloads))
    extract = note_landed(conn, landed)
    put_into(conn, extract, payloads)
    return extract.id


def put_into(conn: psycopg.Connection[Any], extract: ExtractRow, payloads: list[Payload]) -> None:
    """Put what payloads say as the rows of an extract, and note it as normalised."""
    own = [
        {**vars(p), "line": line, "modified_at": p.modified_at, "digest": p.digest}
        for line, p in enumerate(payloads, start=1)
    ]
    names = PAYLOADS.names
    table = pa.Table.from_pylist([{name: row[name] for name in names} for row in own], schema=PAYLOADS)
    rows: dict[str, pa.Table] = {}
    for entity, record_table in RECORD_TABLES.items():
        said = [{"line": line, **row} for line, p in enumerate(payloads, start=1) for row in p.rows.get(entity, ())]
        rows[entity] = pa.Table.from_pylist(said, schema=record_table.schema)
    put_rows(conn, extract, Normalised(table, rows))
    note_normalised(conn, extract.id, 0)


def state_of(conn: psycopg.Connection[Any], connection: str) -> dict[str, list[Row]]:
    """Every converged column: all but loaded_at, origin and the connection's own name."""
    state = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for entity in ENTITIES:
            found = cursor.execute(f"SELECT * FROM receivables.{entity} WHERE connection = %s", [connection]).fetchall()
            hidden = {"connection", "customer_connection", "origin", "loaded_at"}
            plain = [{k: v for k, v in row.items() if k not in hidden} for row in found]
            state[entity] = sorted(plain, key=lambda row: sorted((k, str(v)) for k, v in row.items()))
        state["parked"] = cursor.execute(
            "SELECT entity, source_id, code, parent_id FROM normalised.parked_rows WHERE connection = %s"
            " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            [connection],
        ).fetchall()
    return state


def by_id(state: dict[str, list[Row]], entity: str) -> dict[str, Row]:
    return {row["source_id"]: row for row in state[entity]}


def folded(conn: psycopg.Connection[Any], *payloads: Payload) -> dict[str, list[Row]]:
    put(conn, "api", list(payloads))
    with conn.transaction():
        fold_records(conn, "api")
    return state_of(conn, "api")
