"""Writes reconciliation results: staged, then merged, so that a run without news changes no row. Decides nothing."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

from kolleno_pipelines.storage import database, turns

if TYPE_CHECKING:
    import pyarrow as pa

#: Result tables: key columns. A merge replaces the rows of the connection (and of the days, where `day` is a key).
KEYS: dict[str, tuple[str, ...]] = {
    "balances": ("source_id", "kind", "connection"),
    "balance_summary": ("connection", "kind", "currency_iso"),
    "findings": ("break_id",),
    "control_totals": ("connection", "currency_iso"),
    "control_total_breaks": ("customer_source_id", "currency_iso", "connection"),
    "not_comparable": ("customer_source_id", "connection"),
    "account_totals": ("account_source_id", "currency_iso", "connection"),
    "agreement": ("customer_source_id", "mirror_customer_source_id", "currency_iso", "mirror", "connection"),
    "agreement_breaks": ("break_id",),
    "agreement_gaps": ("connection", "mirror", "gap", "kind", "currency_iso"),
    "ageing": ("day", "connection", "currency_iso", "bucket"),
    "ageing_by_customer": ("customer_source_id", "currency_iso", "bucket", "connection"),
    "roll_forward": ("day", "connection", "currency_iso"),
    "unexplained": ("day", "source_id", "kind", "basis", "connection"),
    "unapplied_cash": ("source_id", "kind", "connection"),
    "charges": ("source_id", "connection"),
    "payouts": ("source_id", "connection"),
    "payout_lines": ("payout_source_id", "line", "currency_iso", "connection"),
    "payout_exceptions": ("break_id",),
    "balance_proofs": ("source_id", "currency_iso", "connection"),
    "balance_exceptions": ("break_id",),
}


@dataclass(frozen=True)
class Changes:
    """What a merge did to a table; all 0 when there was no news."""

    written: int = 0
    deleted: int = 0

    def __add__(self, other: Changes) -> Changes:
        return Changes(self.written + other.written, self.deleted + other.deleted)


@contextmanager
def result_transaction(url: str, tables: Sequence[str]) -> Iterator[psycopg.Connection[Any]]:
    """Open a transaction that sees one moment of the database and is the only writer of the result tables.

    Readers go on. The locks are taken before the snapshot, so that a second run sees what the first one wrote, and
    that every fold older than `computed_at` is in it.
    """
    with database.connect(url, autocommit=True, application_name="kolleno reconciliation") as conn:
        turns.take_tables_turn(conn, tables)
        turns.take_results_turn(conn)
        conn.autocommit = False
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        names = ", ".join(f"reconciliation.{table}" for table in tables)
        conn.execute(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")
        turns.end_results_turn(conn)
        yield conn


@contextmanager
def reading(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a transaction that reads one moment of the database and writes nothing."""
    with database.connect(url, application_name="kolleno report") as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        conn.read_only = True
        yield conn


class Stage:
    """A temporary table like a result table, filled in any number of steps and then merged into it."""

    def __init__(self, conn: psycopg.Connection[Any], table: str) -> None:
        self._conn, self.table, self.name = conn, table, f"staged_{table}"
        conn.execute(f"CREATE TEMP TABLE {self.name} (LIKE reconciliation.{table}) ON COMMIT DROP")
        described = conn.execute(f"SELECT * FROM {self.name} LIMIT 0").description or []
        self.columns = [column.name for column in described]
        self.rows = 0

    def add_table(self, rows: pa.Table) -> None:
        """Add the rows of an Arrow table that has the columns' names."""
        from pyarrow import csv  # reports read what is stored, and need no Arrow

        if rows.num_rows:
            sink = io.BytesIO()
            csv.write_csv(rows, sink, csv.WriteOptions(include_header=False))
            self._copy(", ".join(rows.schema.names), sink.getvalue())
            self.rows += rows.num_rows

    def add_rows(self, rows: Iterable[Any]) -> None:
        """Add dataclass rows; their fields that are no columns are left out."""
        listed = list(rows)
        if not listed:
            return
        names = [field.name for field in fields(listed[0]) if field.name in self.columns]
        with self._conn.cursor() as cursor, cursor.copy(f"COPY {self.name} ({', '.join(names)}) FROM STDIN") as copy:
            for row in listed:
                copy.write_row([getattr(row, name) for name in names])
        self.rows += len(listed)

    def merge(self, connections: Sequence[str], days: Sequence[date] | None = None) -> Changes:
        """Make the connections' rows (of the days) equal to the staged ones; rows that are equal are not touched."""
        key = KEYS[self.table]
        target = f"reconciliation.{self.table}"
        self._conn.execute(f"ANALYZE {self.name}")
        scope = "t.connection = ANY(%(connections)s)" + (" AND t.day = ANY(%(days)s)" if days is not None else "")
        staged = f"SELECT FROM {self.name} s WHERE {_same(key, 's', 't')}"
        deleted = self._conn.execute(
            f"DELETE FROM {target} t WHERE {scope} AND NOT EXISTS ({staged})",
            {"connections": list(connections), "days": list(days or [])},
        ).rowcount
        others = [column for column in self.columns if column not in key]
        values = ", ".join(self.columns)
        written = self._conn.execute(
            f"MERGE INTO {target} t USING {self.name} s ON {_same(key, 's', 't')}"
            f" WHEN MATCHED AND ({_tuple('t', others)}) IS DISTINCT FROM ({_tuple('s', others)})"
            f" THEN UPDATE SET ({', '.join(others)}) = ROW ({_tuple('s', others)})"
            f" WHEN NOT MATCHED THEN INSERT ({values}) VALUES ({_tuple('s', self.columns)})"
        ).rowcount
        return Changes(written, deleted)

    def _copy(self, names: str, data: bytes) -> None:
        with self._conn.cursor() as cursor, cursor.copy(f"COPY {self.name} ({names}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(data)


def note_computed(
    conn: psycopg.Connection[Any],
    result: str,
    connections: Sequence[str],
    today: date,
    days: Sequence[date] | None = None,
) -> None:
    """Note when a result was computed and for which today, once per connection and, for results by day, per day."""
    conn.execute(
        "INSERT INTO reconciliation.results (result, connection, day, today)"
        " SELECT %s, c, d, %s FROM unnest(%s::text[]) c, unnest(%s::date[]) d"
        " ON CONFLICT (result, connection, day) DO UPDATE SET today = excluded.today, computed_at = now()",
        (result, today, list(connections), [day.isoformat() for day in days] if days is not None else ["-infinity"]),
    )


def _same(key: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"{left}.{column} = {right}.{column}" for column in key)


def _tuple(alias: str, columns: Iterable[str]) -> str:
    return ", ".join(f"{alias}.{column}" for column in columns)
