"""What an operator's pages show, from PostgreSQL: files per day, rows kept aside, rows that wait, sums. Reads only."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from kolleno_pipelines.storage.fold_specs import FOLD_SPECS

_WITH_BALANCE = ("invoices", "credit_notes", "payments")


@dataclass(frozen=True)
class KeptAside:
    """A rejected row that no later file has made good; `reasons` are its findings' messages."""

    file: str
    table: str
    line: int
    codes: list[str]
    reasons: list[str]


@dataclass(frozen=True)
class Waiting:
    """A parked row, what it waits for, and where that parent itself was rejected or parked, when it was."""

    file: str
    table: str
    line: int
    source_id: str
    code: str
    parent_table: str
    parent_id: str
    parent_file: str | None
    parent_line: int | None


@dataclass(frozen=True)
class EntityTotal:
    """Rows of one receivables entity, with the sums of one currency ("" for entities without amounts)."""

    entity: str
    currency_iso: str
    rows: int
    amount: Decimal | None
    balance_open: Decimal | None


#: Rejected rows of each CSV table that are looked into, the newest: each costs a search for its record in later files.
LOOKED_INTO = 1_000

# A row is known by its record, unless its key cells are at fault themselves. It counts as made good when a later file
# told of its record; a nameless one when a fix file of its file brought a row that is none of the named ones. Rows past
# the connection's retention do not count: the later files that may have made them good are pruned with them.
_OPEN_REJECTS = r"""
WITH newest AS (
    SELECT f.id AS file_id, f.name, f.type, f.name_time, f.fix, f.receipt, f.header,
        r.line, r.cells, r.codes, r.findings,
        replace(f.type, 's_invoices', '_id') AS payer,
        row_number() OVER (PARTITION BY f.type ORDER BY f.name_time DESC, f.fix DESC, f.name, r.line) AS place
    FROM sftp_csv.rejected_rows r JOIN raw.files f ON f.id = r.file_id
    WHERE f.connection = %(connection)s AND f.status NOT IN ('replaced', 'skipped') AND NOT f.is_pruned
), kept AS (
    SELECT *, NULLIF(cells[array_position(header, 'id')], '') AS own_id,
        {escaped_payer} || '|' || {escaped_invoice} AS pair,
        EXISTS (SELECT FROM jsonb_array_elements(findings) e WHERE e ->> 'code' <> 'duplicate_id'
            AND e ->> 'column' IN ('id', CASE WHEN type LIKE '%%s_invoices' THEN payer END,
                                   CASE WHEN type LIKE '%%s_invoices' THEN 'invoice_id' END)) AS is_nameless
    FROM newest WHERE place <= %(limit)s
), keyed AS (
    SELECT *, CASE WHEN is_nameless THEN NULL WHEN type LIKE '%%s_invoices' THEN COALESCE(own_id, pair)
                   ELSE own_id END AS source_id
    FROM kept
), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY file_id, source_id IS NULL ORDER BY line) AS number FROM keyed
), spare AS (
    SELECT k.file_id, count(*) AS rows
    FROM (SELECT DISTINCT file_id, type, name_time, fix FROM keyed WHERE source_id IS NULL) k
    JOIN raw.files x ON x.connection = %(connection)s AND x.type = k.type AND x.name_time = k.name_time
        AND x.fix > k.fix AND x.is_loaded
    JOIN LATERAL ({brought}) a ON true
    WHERE a.source_id IS NULL OR NOT EXISTS (SELECT FROM keyed q WHERE q.type = k.type AND q.name_time = k.name_time
        AND q.fix < x.fix AND q.source_id = a.source_id)
    GROUP BY 1
)
SELECT name AS file, type AS table, line, codes,
    ARRAY(SELECT e ->> 'message' FROM jsonb_array_elements(findings) e) AS reasons
FROM numbered k LEFT JOIN spare s USING (file_id)
WHERE CASE WHEN source_id IS NULL THEN number > COALESCE(s.rows, 0)
           ELSE NOT EXISTS ({made_good}) AND NOT EXISTS (
               SELECT FROM keyed q WHERE q.type = k.type AND q.name_time = k.name_time AND q.fix > k.fix
                   AND q.source_id = k.source_id) END
ORDER BY name_time DESC, name, line
"""


def _escaped(column: str) -> str:
    """SQL of a cell as it stands in the key of a pair (connectors/sftp/rows.py)."""
    return rf"replace(replace(cells[array_position(header, {column})], '\', '\\'), '|', '\|')"


def _made_good(table: str) -> str:
    return (
        f"SELECT FROM sftp_csv.{table} a JOIN raw.files x ON x.id = a.file_id WHERE k.type = '{table}'"
        " AND a.source_id = k.source_id AND x.connection = %(connection)s AND x.is_loaded"
        " AND (x.name_time, x.fix, x.receipt) > (k.name_time, k.fix, k.receipt)"
    )


def _brought(table: str) -> str:
    return f"SELECT a.source_id FROM sftp_csv.{table} a WHERE k.type = '{table}' AND a.file_id = x.id"


def kept_aside(conn: psycopg.Connection[Any], connection: str) -> list[KeptAside]:
    """Return the rejected rows that nothing later has made good, newest file first, of each table's newest."""
    tables = sorted({spec.source.name.value for spec in FOLD_SPECS})
    again = "SELECT q.source_id FROM keyed q WHERE q.file_id = x.id AND q.source_id IS NULL"
    parts = {
        "{escaped_payer}": _escaped("payer"),
        "{escaped_invoice}": _escaped("'invoice_id'"),
        "{made_good}": " UNION ALL ".join(map(_made_good, tables)),
        "{brought}": " UNION ALL ".join([*map(_brought, tables), again]),
    }
    statement = _OPEN_REJECTS
    for mark, part in parts.items():
        statement = statement.replace(mark, part)
    with conn.cursor(row_factory=class_row(KeptAside)) as cursor:
        return cursor.execute(statement.encode(), {"connection": connection, "limit": LOOKED_INTO}).fetchall()


_PARKED = """
SELECT f.name AS file, p.table_name AS table, p.line, p.source_id, p.code, p.parent_table, p.parent_id,
    root.name AS parent_file, root.line AS parent_line
FROM sftp_csv.waiting_rows p JOIN raw.files f ON f.id = p.file_id
LEFT JOIN LATERAL (
    SELECT rf.name, r.line FROM sftp_csv.rejected_rows r JOIN raw.files rf ON rf.id = r.file_id
    WHERE rf.connection = p.connection AND rf.type = p.parent_table AND rf.status NOT IN ('replaced', 'skipped')
        AND r.cells[array_position(rf.header, 'id')] = p.parent_id
    UNION ALL
    SELECT pf.name, q.line FROM sftp_csv.parked_rows q JOIN raw.files pf ON pf.id = q.file_id
    WHERE q.connection = p.connection AND q.table_name = p.parent_table AND q.source_id = p.parent_id
    LIMIT 1
) root ON true
WHERE p.connection = %(connection)s ORDER BY f.name_time DESC, f.name, p.line LIMIT %(limit)s
"""


def waiting(conn: psycopg.Connection[Any], connection: str, limit: int) -> list[Waiting]:
    """Return parked rows with the parent they wait for, newest file first, at most `limit`."""
    with conn.cursor(row_factory=class_row(Waiting)) as cursor:
        return cursor.execute(_PARKED, {"connection": connection, "limit": limit}).fetchall()


def count_waiting(conn: psycopg.Connection[Any], connection: str) -> dict[str, int]:
    """Return the number of rows that wait, by CSV table; an older row about a record counts no more."""
    rows = conn.execute(
        "SELECT table_name, count(DISTINCT (file_id, line)) FROM sftp_csv.waiting_rows WHERE connection = %s"
        " GROUP BY table_name ORDER BY table_name",
        [connection],
    ).fetchall()
    return {row[0]: row[1] for row in rows}


def entity_totals(conn: psycopg.Connection[Any], connection: str) -> list[EntityTotal]:
    """Return rows and sums of every receivables entity, per currency where it has amounts; allocations that count."""
    parts = []
    for entity in dict.fromkeys(spec.entity for spec in FOLD_SPECS):
        key, amount, balance, source, rest = "''", "NULL::numeric", "NULL::numeric", entity, ""
        if entity in _WITH_BALANCE:
            key, amount, balance, rest = "currency_iso", "sum(amount)", "sum(balance_open)", " GROUP BY currency_iso"
        elif entity == "allocations":
            key, amount, source = "currency_iso", "sum(amount)", "allocations_with_ends"
            rest = " AND is_live GROUP BY currency_iso"
        parts.append(
            f"SELECT '{entity}' AS entity, {key} AS currency_iso, count(*) AS rows, {amount} AS amount,"
            f" {balance} AS balance_open FROM receivables.{source} WHERE connection = %(connection)s{rest}"
        )
    with conn.cursor(row_factory=class_row(EntityTotal)) as cursor:
        statement = f"{' UNION ALL '.join(parts)} ORDER BY entity, currency_iso"
        return cursor.execute(statement.encode(), {"connection": connection}).fetchall()


def last_complete_batch(conn: psycopg.Connection[Any], connection: str) -> tuple[str, datetime] | None:
    """Return id and arrival of the newest batch that was complete (its last file's arrival), or None."""
    row = conn.execute(
        "SELECT b.batch_id, max(f.taken_at) AS arrived FROM raw.batches b"
        " JOIN raw.files f ON f.connection = b.connection AND f.name = ANY(b.names) AND f.receipt = 1"
        " WHERE b.connection = %s AND b.missing = '{}' AND b.status IN ('processing', 'processed',"
        " 'processed_with_rejects') AND b.batch_id NOT LIKE '%%-fix%%'"
        " GROUP BY b.batch_id ORDER BY arrived DESC LIMIT 1",
        [connection],
    ).fetchone()
    return (row[0], row[1]) if row else None


@dataclass(frozen=True)
class DayAmount:
    """One bucket of the ageing, or one line of a day's roll-forward."""

    day: date
    currency_iso: str
    line: str
    documents: int | None
    amount: Decimal


@dataclass(frozen=True)
class Tie:
    """What should be equal: the newest ageing in full, and the net of the control totals."""

    currency_iso: str
    day: date
    aged: Decimal
    net: Decimal


def ageing_of(conn: psycopg.Connection[Any], connection: str, first: date, last: date) -> list[DayAmount]:
    """Return the stored ageing of [first, last]."""
    with conn.cursor(row_factory=class_row(DayAmount)) as cursor:
        return cursor.execute(
            "SELECT day, currency_iso, bucket AS line, documents, amount FROM reconciliation.ageing"
            " WHERE connection = %s AND day BETWEEN %s AND %s ORDER BY day, currency_iso, bucket",
            [connection, first, last],
        ).fetchall()


def roll_forward_of(conn: psycopg.Connection[Any], connection: str, first: date, last: date) -> list[DayAmount]:
    """Return the stored roll-forward of [first, last], line by line in its order."""
    with conn.cursor(row_factory=class_row(DayAmount)) as cursor:
        return cursor.execute(
            "SELECT day, currency_iso, line, NULL::bigint AS documents, amount FROM reconciliation.roll_forward r,"
            " LATERAL (VALUES (1, 'opening', opening), (2, 'invoices', invoices), (3, 'credit_notes', -credit_notes),"
            " (4, 'receipts', -receipts), (5, 'refunds', refunds), (6, 'journals', journals),"
            " (7, 'write_offs', -write_offs), (8, 'unexplained', -unexplained), (9, 'closing', closing))"
            " AS v (position, line, amount)"
            " WHERE connection = %s AND day BETWEEN %s AND %s ORDER BY day, currency_iso, position",
            [connection, first, last],
        ).fetchall()


def ties(conn: psycopg.Connection[Any], connection: str) -> list[Tie]:
    """Return, per currency, the ageing of the newest day that was today when computed, and the control totals."""
    with conn.cursor(row_factory=class_row(Tie)) as cursor:
        return cursor.execute(
            "WITH newest AS (SELECT max(day) AS day FROM reconciliation.results"
            " WHERE result = 'ageing' AND connection = %(c)s AND day = today),"
            " aged AS (SELECT currency_iso, sum(amount) AS amount FROM reconciliation.ageing a JOIN newest n"
            " ON a.day = n.day WHERE connection = %(c)s GROUP BY currency_iso),"
            " owed AS (SELECT currency_iso, net FROM reconciliation.control_totals WHERE connection = %(c)s)"
            " SELECT currency_iso, n.day, COALESCE(aged.amount, 0) AS aged, COALESCE(owed.net, 0) AS net"
            " FROM newest n, aged FULL JOIN owed USING (currency_iso) WHERE n.day IS NOT NULL ORDER BY currency_iso",
            {"c": connection},
        ).fetchall()


def unexplained_days(conn: psycopg.Connection[Any], connection: str) -> list[date]:
    """Return the days whose stored roll-forward has an unexplained part."""
    rows = conn.execute(
        "SELECT DISTINCT day FROM reconciliation.unexplained WHERE connection = %s ORDER BY day", [connection]
    ).fetchall()
    return [row[0] for row in rows]
