"""Model 2: the state of `receivables` is a function of the set of inputs, not of order, repetition or splits.

Random worlds of files are folded in random orders and splits, with contents replaced on the way, and compared with a
fold written a second time in plain Python.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from kolleno_pipelines.schemas.sftp_tables import TABLES, Kind, Requirement, TableName
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES
from kolleno_pipelines.storage import csv_rows
from kolleno_pipelines.storage.fold import fold

START = datetime(2026, 1, 5, 6, tzinfo=UTC)
ENTITIES = ("customers", "contacts", "contact_links", "invoices", "credit_notes", "payments", "allocations")
_PREFIXES = {
    TableName.CUSTOMERS: "C",
    TableName.INVOICES: "I",
    TableName.CREDIT_NOTES: "N",
    TableName.PAYMENTS: "P",
}
STATUSES = ("open", "paid", "disputed", "void", None)


@dataclass
class SentFile:
    type: TableName
    version: int
    receipt: int
    present: frozenset[str]
    rows: list[dict[str, Any]]
    name_time: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.name_time = START + timedelta(hours=self.version)


def _cell(rng: random.Random, kind: Kind, name: str, small: int) -> Any:
    ids = {"customer_id": "C", "payment_id": "P", "credit_note_id": "N", "invoice_id": "I", "parent_id": "C"}
    if name in ids:
        return f"{ids[name]}{rng.randrange(small)}"
    if kind is Kind.DECIMAL:
        return Decimal(rng.randrange(4)) * Decimal("10.5")
    if kind is Kind.DATE:
        return date(2026, 1, 1 + rng.randrange(3))
    if kind is Kind.BOOLEAN:
        return rng.random() < 0.5
    if kind is Kind.STATUS:
        return rng.choice(STATUSES)
    if kind is Kind.CURRENCY:
        return rng.choice(("USD", "EUR"))
    return f"{name}{rng.randrange(3)}"


def make_file(rng: random.Random, version: int, receipt: int = 1, type_: TableName | None = None) -> SentFile:
    table = TABLES[type_ or rng.choices(list(TableName), weights=(6, 1, 4, 2, 4, 3, 1))[0]]
    optional = [c.field for c in table.columns if c.requirement is Requirement.FIELD_OPTIONAL and c.field != "link_id"]
    present = frozenset(c.field for c in table.columns if c.header_required) | {
        name for name in optional if rng.random() < 0.5
    }
    rows: dict[str, dict[str, Any]] = {}
    for _ in range(rng.randrange(1, 6)):
        row: dict[str, Any] = {"absent": None, "extra": None}
        for column in table.columns:
            if column.field not in present:
                continue
            value = _cell(rng, column.kind, column.field, 5)
            if column.field == "source_id":
                value = f"{_PREFIXES.get(table.name, 'K')}{rng.randrange(5)}"
            elif not column.required and rng.random() < 0.3:
                value = None
                if column.descriptive and rng.random() < 0.5:
                    row["absent"] = [*(row["absent"] or []), column.field]
            row[column.field] = value
        if table.is_link:
            row["source_id"] = f"{row[table.fields[0]]}|{row['invoice_id']}"
        if rng.random() < 0.4:
            row["extra"] = {key: rng.choice(("x", "y", None)) for key in rng.sample(("a", "b", "c"), 2)}
        rows[row["source_id"]] = row
    return SentFile(table.name, version, receipt, present, list(rows.values()))


def put_file(conn: psycopg.Connection[Any], connection: str, file: SentFile) -> None:
    """Load a file's rows as the loading stage does: the older content of the name is withdrawn first."""
    name = f"{file.type}_{file.version}"
    table = TABLES[file.type]
    older = conn.execute(
        "UPDATE raw.files SET is_loaded = false, status = 'replaced' WHERE connection = %s AND name = %s"
        " AND is_loaded RETURNING id",
        [connection, name],
    ).fetchall()
    for (file_id,) in older:
        csv_rows.clear_file(conn, connection, table, file_id)
    row = conn.execute(
        "INSERT INTO raw.files (connection, name, type, name_time, receipt, sha256, size, partition_day, status,"
        " rows_accepted, rows_rejected, fields, is_loaded) VALUES (%s, %s, %s, %s, %s, %s, 1, %s, 'loaded', %s, 0, %s,"
        " true) RETURNING id",
        [
            connection,
            name,
            file.type.value,
            file.name_time,
            file.receipt,
            f"{file.version}-{file.receipt}",
            file.name_time.date(),
            len(file.rows),
            sorted(file.present),
        ],
    ).fetchone()
    assert row is not None
    for line, cells in enumerate(file.rows, start=2):
        values = {**cells, "file_id": row[0], "line": line, "extra": Jsonb(cells["extra"]) if cells["extra"] else None}
        names = list(values)
        conn.execute(
            f"INSERT INTO sftp_csv.{file.type} ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))})",
            list(values.values()),
        )


def state_of(conn: psycopg.Connection[Any], connection: str) -> dict[str, list[dict[str, Any]]]:
    """Every converged column of the connection: all but loaded_at, origin and the connection's own name."""
    state = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for entity in (*ENTITIES, "balance_moves", "allocation_moves"):
            rows = cursor.execute(f"SELECT * FROM receivables.{entity} WHERE connection = %s", [connection]).fetchall()
            hidden = {"connection", "customer_connection", "origin", "loaded_at"}
            plain = [{k: v for k, v in row.items() if k not in hidden} for row in rows]
            state[entity] = sorted(plain, key=lambda row: sorted((k, str(v)) for k, v in row.items()))
        state["parked_rows"] = cursor.execute(
            "SELECT f.name, p.line, p.table_name, p.source_id, p.code, p.parent_id, p.is_overtaken"
            " FROM sftp_csv.parked_rows p"
            " JOIN raw.files f ON f.id = p.file_id WHERE p.connection = %s ORDER BY 1, 2, 5, 6",
            [connection],
        ).fetchall()
    return state


# The same fold, written a second time ------------------------------------------------------------------------------


@dataclass
class Expected:
    cells: dict[str, Any]
    collection: str
    extra: dict[str, str]
    first_seen_at: datetime
    observed_at: datetime
    moves: dict[datetime, Decimal]


def expected_of(files: list[SentFile], type_: TableName, parents: dict[str, set[str]]) -> dict[str, Expected]:
    table = TABLES[type_]
    records: dict[str, Expected] = {}
    for file in sorted((f for f in files if f.type is type_), key=lambda f: f.version):
        for row in file.rows:
            if all(row[r.field] in parents[r.table] for r in table.references):
                _fold_row(records, table.name, file, row)
    return records


def _fold_row(records: dict[str, Expected], type_: TableName, file: SentFile, row: dict[str, Any]) -> None:
    old = records.get(row["source_id"])
    cells = dict(old.cells) if old else {}
    collection, extra = (old.collection, dict(old.extra)) if old else ("none", {})
    stated = [f for f in TABLES[type_].fields if f in file.present and f not in (row["absent"] or [])]
    cells |= {name: row[name] for name in stated}
    meaning = SFTP_STATUSES.get(row.get("status") or "")
    if "status" in stated and not (meaning and meaning.closed):
        collection = meaning.collection.value if meaning else "none"
    extra |= row["extra"] or {}
    extra = {k: v for k, v in extra.items() if v is not None}
    spoken = {k: v for k, v in cells.items() if v is not None}
    before = {k: v for k, v in old.cells.items() if v is not None} if old else None
    changed = old is None or spoken != before or extra != old.extra
    moves = dict(old.moves) if old else {}
    if old and changed and None not in (cells.get("balance"), old.cells.get("balance")):
        delta = (cells["amount"] - cells["balance"]) - (old.cells["amount"] - old.cells["balance"])
        if delta:
            moves[file.name_time] = delta
    if old and TABLES[type_].is_link and cells["amount"] != old.cells["amount"]:
        moves[file.name_time] = cells["amount"] - old.cells["amount"]
    at = file.name_time if changed or old is None else old.observed_at
    first_seen_at = old.first_seen_at if old else file.name_time
    records[row["source_id"]] = Expected(cells, collection, extra, first_seen_at, at, moves)


def check_against_expected(conn: psycopg.Connection[Any], connection: str, files: list[SentFile]) -> None:
    newest = {}
    for file in files:
        key = (file.type, file.version)
        if key not in newest or newest[key].receipt < file.receipt:
            newest[key] = file
    live = list(newest.values())
    parents: dict[str, set[str]] = {}
    records: dict[TableName, dict[str, Expected]] = {}
    for type_ in TableName:
        records[type_] = expected_of(live, type_, parents)
        parents[type_] = set(records[type_])
    state = state_of(conn, connection)
    for type_, entity in ((t, t.value) for t in (TableName.INVOICES, TableName.CREDIT_NOTES, TableName.PAYMENTS)):
        stored = {row["source_id"]: row for row in state[entity]}
        assert stored.keys() == records[type_].keys()
        for source_id, want in records[type_].items():
            row = stored[source_id]
            assert row["customer_source_id"] == want.cells["customer_id"]
            assert (row["amount"], row["observed_at"]) == (want.cells["amount"], want.observed_at)
            assert row["first_seen_at"] == want.first_seen_at
            if want.cells["balance"] is not None:
                assert (row["balance"], row["balance_source"]) == (want.cells["balance"], "stated")
            else:
                assert row["balance_source"] == "derived"
            assert row["collection_status"] == want.collection
            assert row["status_stated"] == want.cells.get("status")
            assert (row["extra"] or {}) == want.extra
        moves = {
            (m["source_id"], m["moved_at"]): m["settled_delta"]
            for m in state["balance_moves"]
            if m["kind"] == entity[:-1]
        }
        assert moves == {(i, at): d for i, want in records[type_].items() for at, d in want.moves.items()}
    sent = {(f"{f.type}_{f.version}", row["source_id"]): f for f in live for row in f.rows}
    for row in state["parked_rows"]:
        newer = [
            f
            for (_, source_id), f in sent.items()
            if (f.type.value, source_id) == (row["table_name"], row["source_id"])
            and f.version > sent[row["name"], source_id].version
        ]
        assert row["is_overtaken"] is bool(newer), row
    customers = {row["source_id"]: row for row in state["customers"]}
    assert customers.keys() == records[TableName.CUSTOMERS].keys()
    for source_id, want in records[TableName.CUSTOMERS].items():
        for name in ("name", "ref", "city", "country_iso", "credit_limit_amount"):
            assert customers[source_id][name] == want.cells.get(name), name
    links = records[TableName.PAYMENTS_INVOICES]
    stored_links = {r["source_id"]: r for r in state["allocations"] if r["from_kind"] == "payment"}
    assert stored_links.keys() == links.keys()
    for source_id, want in links.items():
        assert stored_links[source_id]["amount"] == want.cells["amount"]
        ended = want.observed_at if want.cells["amount"] == 0 else None
        assert stored_links[source_id]["removed_at"] == ended
        assert stored_links[source_id]["first_seen_at"] == want.first_seen_at
    moves = {
        (m["source_id"], m["moved_at"]): m["amount_delta"]
        for m in state["allocation_moves"]
        if m["from_kind"] == "payment"
    }
    assert moves == {(i, at): d for i, want in links.items() for at, d in want.moves.items()}


@pytest.fixture
def world(database: str):
    with psycopg.connect(database) as conn:
        yield conn


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), splits=st.integers(1, 12))
def test_any_order_split_and_replacement_gives_the_same_state(world, seed: int, splits: int) -> None:
    rng = random.Random(seed)
    files = [make_file(rng, version) for version in range(rng.randrange(3, 16))]
    first_contents = [make_file(rng, f.version, 1, f.type) for f in files if rng.random() < 0.3]
    for file in files:
        if any(f.version == file.version for f in first_contents):
            file.receipt = 2
    with world.transaction(force_rollback=True):
        for file in files:
            put_file(world, "at_once", file)
        fold(world, "at_once")
        check_against_expected(world, "at_once", files)

        arrivals = files + first_contents
        rng.shuffle(arrivals)
        arrivals.sort(key=lambda f: f.receipt if rng.random() < 0.9 else 0)
        arrivals = [f for f in arrivals if f.receipt == 1] + [f for f in arrivals if f.receipt == 2]
        for position, file in enumerate(arrivals):
            put_file(world, "bit_by_bit", file)
            if position % splits == 0:
                fold(world, "bit_by_bit")
        fold(world, "bit_by_bit")
        assert state_of(world, "bit_by_bit") == state_of(world, "at_once")

        again = state_of(world, "bit_by_bit")
        world.execute("UPDATE raw.files SET is_folded = false WHERE connection = 'bit_by_bit' AND is_loaded")
        report = fold(world, "bit_by_bit")
        assert report.is_empty
        assert state_of(world, "bit_by_bit") == again
