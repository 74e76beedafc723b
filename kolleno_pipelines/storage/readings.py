"""What is remembered of reading API systems: `raw.readings`, `raw.lookups`, who is known, who waits. No network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from kolleno_pipelines.schemas.bank_records import BANK_TABLES
from kolleno_pipelines.schemas.provider_records import PROVIDER_TABLES
from kolleno_pipelines.storage.overview import EntityTotal

#: The entities whose documents have a balance: those with one are open.
_BALANCED = ("invoices", "credit_notes", "payments")


@dataclass(frozen=True)
class ReadingRow:
    """One row of `raw.readings`."""

    extract: str
    pass_: str
    tried_at: datetime
    read_at: datetime | None
    error: str | None
    finding: str | None


def note_reading(
    conn: psycopg.Connection[Any],
    key: tuple[str, str, str],
    began: datetime,
    *,
    error: str | None = None,
    finding: str | None = None,
) -> None:
    """Note how a reading of (connection, extract, pass) ended: with an error, or at its end."""
    conn.execute(
        "INSERT INTO raw.readings AS r (connection, extract, pass, tried_at, read_at, error, finding)"
        " VALUES (%(c)s, %(x)s, %(p)s, %(at)s, CASE WHEN %(error)s::text IS NULL THEN %(at)s END, %(error)s,"
        " %(finding)s) ON CONFLICT (connection, extract, pass) DO UPDATE SET tried_at = excluded.tried_at,"
        " read_at = COALESCE(excluded.read_at, r.read_at), error = excluded.error,"
        " finding = CASE WHEN excluded.error IS NULL THEN excluded.finding ELSE r.finding END",
        {"c": key[0], "x": key[1], "p": key[2], "at": began, "error": error, "finding": finding},
    )


def read_until(conn: psycopg.Connection[Any], key: tuple[str, str, str]) -> datetime | None:
    """Return when the last reading of (connection, extract, pass) that came to its end began."""
    row = conn.execute(
        "SELECT read_at FROM raw.readings WHERE (connection, extract, pass) = (%s, %s, %s)", list(key)
    ).fetchone()
    return row[0] if row else None


def readings_of(conn: psycopg.Connection[Any], connection: str) -> list[ReadingRow]:
    """Return how each extract of a connection was last read."""
    with conn.cursor(row_factory=class_row(ReadingRow)) as cursor:
        return cursor.execute(
            "SELECT extract, pass AS pass_, tried_at, read_at, error, finding FROM raw.readings"
            " WHERE connection = %s ORDER BY extract, pass",
            [connection],
        ).fetchall()


def has_payloads(conn: psycopg.Connection[Any], connection: str, extract: str) -> bool:
    """Whether anything of an extract was ever received."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM raw.extracts WHERE connection = %s AND extract = %s)", [connection, extract]
    ).fetchone()
    return bool(row and row[0])


def first_observed(conn: psycopg.Connection[Any], connection: str, extract: str) -> datetime | None:
    """Return the earliest moment of which anything of an extract was received."""
    row = conn.execute(
        "SELECT min(observed_at) FROM raw.extracts WHERE connection = %s AND extract = %s", [connection, extract]
    ).fetchone()
    return row[0] if row else None


def live_objects(
    conn: psycopg.Connection[Any], connection: str, extract: str, until: datetime, *, open_only: bool
) -> dict[str, str]:
    """Return id -> digest of the newest payload of what was not deleted by `until`; of the open ones only."""
    is_open = " OR ".join(
        f"EXISTS (SELECT FROM receivables.{entity} r WHERE r.connection = %(connection)s AND r.source_id = n.source_id"
        " AND r.balance_open <> 0)"
        for entity in _BALANCED
    )
    rows = conn.execute(
        "SELECT source_id, digest FROM (SELECT DISTINCT ON (source_id) source_id, digest, is_deleted"
        " FROM normalised.payloads"
        " WHERE connection = %(connection)s AND kind = %(extract)s AND observed_at <= %(until)s"
        " ORDER BY source_id, COALESCE(modified_at, observed_at) DESC, observed_at DESC, is_deleted DESC, digest DESC"
        ") n"
        f" WHERE NOT is_deleted AND ({is_open if open_only else 'true'})".encode(),
        {"connection": connection, "extract": extract, "until": until},
    )
    return {row[0]: row[1] for row in rows}


def missing_parents(conn: psycopg.Connection[Any], connection: str) -> list[tuple[str, str]]:
    """Return (entity, id) of the parents that rows wait for, those first for which most do.

    Payments are named by the kind that the waiting allocation states: `payments`, `overpayments`, `prepayments`.
    """
    rows = conn.execute(
        "SELECT COALESCE(a.from_kind || 's', w.parent_entity), w.parent_id FROM normalised.parked_rows w"
        " LEFT JOIN normalised.allocations a ON w.parent_entity = 'payments' AND w.entity = 'allocations'"
        " AND (a.extract_id, a.line, a.source_id) = (w.extract_id, w.line, w.source_id)"
        " WHERE w.connection = %s AND NOT w.is_overtaken AND w.parent_id <> ''"
        " GROUP BY 1, 2 ORDER BY count(*) DESC, 1, 2",
        [connection],
    )
    return [(row[0], row[1]) for row in rows]


def not_asked(
    conn: psycopg.Connection[Any],
    connection: str,
    wanted: Sequence[tuple[str, str]],
    now: datetime,
    *,
    again_after: timedelta,
) -> list[tuple[str, str]]:
    """Return those of (extract, id) that were not looked up within `again_after`."""
    rows = conn.execute(
        "SELECT extract, source_id FROM raw.lookups WHERE connection = %s AND extract = ANY(%s) AND asked_at > %s",
        [connection, list({extract for extract, _ in wanted}), now - again_after],
    )
    asked = {(row[0], row[1]) for row in rows}
    return [one for one in wanted if one not in asked]


def note_lookups(
    conn: psycopg.Connection[Any], connection: str, extract: str, now: datetime, asked: Iterable[str], found: set[str]
) -> None:
    """Note who was asked for by id, and who was there."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO raw.lookups VALUES (%s, %s, %s, %s, %s) ON CONFLICT (connection, extract, source_id)"
            " DO UPDATE SET asked_at = excluded.asked_at, is_found = excluded.is_found",
            [(connection, extract, source_id, now, source_id in found) for source_id in asked],
        )


@dataclass(frozen=True)
class ChangedObject:
    """An object to ask for what hangs on it; its newest payload by content in the archive and line.

    was_found: something hung on it when it was last asked for.
    """

    source_id: str
    sha256: str
    line: int
    was_found: bool


def changed_since_asked(
    conn: psycopg.Connection[Any], connection: str, extract: str, on: str, limit: int
) -> list[ChangedObject]:
    """Return objects of `on` whose newest payload first came after `extract` was last asked for of them, newest first.

    What is read once more, as it was, is no news; what was deleted is left out. For the rest of the transaction no
    nested loops are planned: rows that have just come have no statistics, and 300,000 were looped over for minutes.
    """
    conn.execute("SET LOCAL enable_nestloop = off")
    with conn.cursor(row_factory=class_row(ChangedObject)) as cursor:
        return cursor.execute(
            """
WITH asked AS (SELECT source_id, asked_at, is_found FROM raw.lookups WHERE connection = %(connection)s
               AND extract = %(extract)s),
told AS NOT MATERIALIZED (SELECT source_id, modified_at, observed_at, is_deleted, digest, extract_id, line
         FROM normalised.payloads WHERE connection = %(connection)s AND kind = %(on)s),
news AS MATERIALIZED (SELECT DISTINCT t.source_id, a.asked_at, a.is_found FROM told t
         LEFT JOIN asked a USING (source_id) WHERE a.asked_at IS NULL OR t.observed_at > a.asked_at),
newest AS (SELECT DISTINCT ON (source_id) t.*, asked_at, is_found,
                  min(observed_at) OVER (PARTITION BY source_id, digest) AS first_observed
           FROM told t JOIN news USING (source_id)
           ORDER BY source_id, COALESCE(modified_at, observed_at) DESC, observed_at DESC, is_deleted DESC, digest DESC)
SELECT n.source_id, e.sha256, n.line, COALESCE(n.is_found, false) AS was_found
FROM newest n JOIN raw.extracts e ON e.id = n.extract_id
WHERE NOT n.is_deleted AND (n.asked_at IS NULL OR n.first_observed > n.asked_at)
ORDER BY COALESCE(n.modified_at, n.first_observed) DESC, n.source_id LIMIT %(limit)s""",
            {"connection": connection, "extract": extract, "on": on, "limit": limit},
        ).fetchall()


def number_found(conn: psycopg.Connection[Any], connection: str, extract: str, since: datetime) -> int:
    """Return of how many objects something was found by their id since a moment."""
    row = conn.execute(
        "SELECT count(*) FROM raw.lookups WHERE connection = %s AND extract = %s AND asked_at > %s AND is_found",
        [connection, extract, since],
    ).fetchone()
    return int(row[0]) if row else 0


def quarantined(conn: psycopg.Connection[Any], connection: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest quarantined payloads of a connection that no later version of their object has made good."""
    rows = conn.execute(
        "SELECT e.extract, q.line, q.source_id, q.reason, e.observed_at, e.sha256 FROM raw.quarantined_payloads q"
        " JOIN raw.extracts e ON e.id = q.extract_id WHERE e.connection = %(connection)s AND NOT EXISTS ("
        "SELECT FROM normalised.payloads p WHERE p.connection = e.connection AND p.kind = e.extract"
        " AND p.source_id = q.source_id AND p.observed_at > e.observed_at)"
        " ORDER BY e.observed_at DESC, q.extract_id DESC, q.line LIMIT %(limit)s",
        {"connection": connection, "limit": limit},
    ).fetchall()
    names = ("extract", "line", "source_id", "reason", "observed_at", "sha256")
    return [dict(zip(names, row, strict=True)) for row in rows]


def failed_parts(conn: psycopg.Connection[Any], connection: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest parts of a connection's extracts that could not be normalised at all, with the reason."""
    rows = conn.execute(
        "SELECT id, extract, pass, partition_day, records, message, observed_at, sha256 FROM raw.extracts"
        " WHERE connection = %s AND status = 'failed' ORDER BY observed_at DESC, id DESC LIMIT %s",
        [connection, limit],
    ).fetchall()
    names = ("part", "extract", "pass", "partition_day", "records", "message", "observed_at", "sha256")
    return [dict(zip(names, row, strict=True)) for row in rows]


def parked(conn: psycopg.Connection[Any], connection: str, limit: int) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the number of waiting rows by entity, and the first of them with whom they wait for."""
    waiting = "FROM normalised.parked_rows w WHERE connection = %s AND NOT is_overtaken"
    counts = conn.execute(
        f"SELECT entity, count(DISTINCT (extract_id, line, source_id)) {waiting} GROUP BY 1".encode(), [connection]
    ).fetchall()
    rows = conn.execute(
        f"SELECT entity, source_id, code, parent_entity, parent_id {waiting} ORDER BY 1, 2, 4 LIMIT %s".encode(),
        [connection, limit],
    ).fetchall()
    names = ("entity", "source_id", "code", "parent_entity", "parent_id")
    return {row[0]: row[1] for row in counts}, [dict(zip(names, row, strict=True)) for row in rows]


@dataclass(frozen=True)
class DayExtract:
    """What landed of an extract for a day."""

    extract: str
    day: date
    parts: int
    payloads: int
    bytes: int
    quarantined: int


def day_extracts(conn: psycopg.Connection[Any], connection: str, first: date, last: date) -> list[DayExtract]:
    """Return what landed for the days [first, last], by day and extract."""
    with conn.cursor(row_factory=class_row(DayExtract)) as cursor:
        return cursor.execute(
            "SELECT extract, partition_day AS day, count(*) AS parts, sum(records)::bigint AS payloads,"
            " sum(size)::bigint AS bytes, COALESCE(sum(quarantined), 0)::bigint AS quarantined FROM raw.extracts"
            " WHERE connection = %s AND partition_day BETWEEN %s AND %s GROUP BY 1, 2 ORDER BY 2, 1",
            [connection, first, last],
        ).fetchall()


def other_totals(conn: psycopg.Connection[Any], connection: str) -> list[EntityTotal]:
    """Return rows of the entities that CSV files do not have; sums where they have amounts."""
    parts = [
        f"SELECT '{entity}' AS entity, '' AS currency_iso, count(*) AS rows, NULL::numeric AS amount,"
        f" NULL::numeric AS balance_open FROM receivables.{entity} WHERE connection = %(connection)s"
        for entity in ("ledger_units", "accounts", "customer_aliases", "phones")
    ]
    parts += [
        f"SELECT '{entity}', currency_iso, count(*), sum(amount), {balance} FROM receivables.{entity}"
        " WHERE connection = %(connection)s GROUP BY currency_iso"
        for entity, balance in (("journals", "sum(balance_open)"), ("refunds_erp", "NULL::numeric"))
    ]
    with conn.cursor(row_factory=class_row(EntityTotal)) as cursor:
        statement = f"{' UNION ALL '.join(parts)} ORDER BY entity, currency_iso"
        return cursor.execute(statement.encode(), {"connection": connection}).fetchall()


def serving_totals(conn: psycopg.Connection[Any], connection: str, entities: Sequence[str]) -> list[EntityTotal]:
    """Return rows of entities of a connection that serves a ledger, by currency where they have one, with sums."""
    parts = []
    for table in (one for one in (*PROVIDER_TABLES, *BANK_TABLES) if one.entity in entities):
        key, rest = ("currency_iso", " GROUP BY 2") if "currency_iso" in table.columns else ("''", "")
        amount = "sum(amount)" if "amount" in table.columns else "NULL::numeric"
        parts.append(
            f"SELECT '{table.entity}' AS entity, {key} AS currency_iso, count(*) AS rows, {amount} AS amount,"
            f" NULL::numeric AS balance_open FROM receivables.{table.entity} WHERE connection = %(connection)s{rest}"
        )
    with conn.cursor(row_factory=class_row(EntityTotal)) as cursor:
        statement = f"{' UNION ALL '.join(parts)} ORDER BY entity, currency_iso"
        return cursor.execute(statement.encode(), {"connection": connection}).fetchall()
