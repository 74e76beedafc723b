"""Reads the ledger and a mirror for rules/agreement.py: their customers, what they are owed, documents that differ.

Documents that are equal in everything are left out in SQL, so that a million of them need no memory. What a difference
means is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from kolleno_pipelines.schemas.agreement import (
    Side,
    SideCustomer,
    SideDocument,
    SystemTraits,
)
from kolleno_pipelines.schemas.agreement_mapping import AgreementMapping, CustomerField
from kolleno_pipelines.storage.control_totals import customer_totals
from kolleno_pipelines.storage.document_sql import NET_PARTS, customer_of
from kolleno_pipelines.storage.documents import has_aliases

_MATCHES: Mapping[CustomerField, str] = {
    "name": "lower(btrim(regexp_replace(c.name, '\\s+', ' ', 'g')))",
    "ref": "c.ref",
    "source_id": "c.source_id",
}


class Named(NamedTuple):
    """One side: its connection, what its system can state, by which field its customers are found."""

    connection: str
    traits: SystemTraits
    customer_field: CustomerField


def sides_of(
    ledger: tuple[str, SystemTraits], mirror: tuple[str, SystemTraits], mapping: AgreementMapping
) -> tuple[Named, Named]:
    """Return the two sides of a comparison as a mapping says that their customers are found."""
    return Named(*ledger, mapping.customer_in_ledger), Named(*mirror, mapping.customer_in_mirror)


def read_upto(conn: psycopg.Connection[Any], connection: str) -> datetime | None:
    """Return the version of a connection's newest input; None where it has none, so that it says nothing."""
    row = conn.execute(
        "SELECT GREATEST((SELECT max(name_time) FROM raw.files WHERE connection = %(connection)s AND is_loaded),"
        " (SELECT max(observed_at) FROM raw.extracts WHERE connection = %(connection)s AND status = 'folded'))",
        {"connection": connection},
    ).fetchone()
    return row[0] if row else None


def read_sides(
    conn: psycopg.Connection[Any], sides: tuple[Named, Named], read: tuple[datetime, datetime]
) -> tuple[Side, Side]:
    """Read both sides in one moment; `read` is what `read_upto` says of each."""
    documents = _documents_that_differ(conn, sides)
    found = []
    for side, upto in zip(sides, read, strict=True):
        customers = _customers(conn, side)
        owed = _owed(conn, side.connection, {one.source_id: one.match for one in customers})
        found.append(Side(side.connection, side.traits, customers, documents[side.connection], owed, upto))
    return found[0], found[1]


def _customers(conn: psycopg.Connection[Any], side: Named) -> list[SideCustomer]:
    """A customer that was merged into another is no more."""
    rows = conn.execute(
        f"SELECT c.source_id, COALESCE({_MATCHES[side.customer_field]}, ''), c.parent_source_id, c.observed_at"
        " FROM receivables.customers c WHERE c.connection = %s AND NOT EXISTS (SELECT"
        " FROM receivables.customer_aliases a WHERE a.source_id = c.source_id AND a.connection = c.connection)"
        " ORDER BY c.source_id",
        (side.connection,),
    )
    return [SideCustomer(*row) for row in rows]


def _owed(conn: psycopg.Connection[Any], connection: str, matches: Mapping[str, str]) -> dict[tuple[str, str], Decimal]:
    owed: dict[tuple[str, str], Decimal] = {}
    for total in customer_totals(conn, connection):
        key = (matches.get(total.customer_source_id, ""), total.currency_iso)
        owed[key] = owed.get(key, Decimal(0)) + total.net
    return owed


def _documents_that_differ(conn: psycopg.Connection[Any], sides: tuple[Named, Named]) -> dict[str, list[SideDocument]]:
    """Return the documents of each side without those that have an equal counterpart, and those posted on no side."""
    conn.execute("DROP TABLE IF EXISTS compared, keys")
    union = " UNION ALL ".join(_documents(conn, side, place) for place, side in enumerate(sides))
    conn.execute(
        f"CREATE TEMP TABLE compared ON COMMIT DROP AS {union}",
        {f"connection_{place}": side.connection for place, side in enumerate(sides)},
    )
    conn.execute("ANALYZE compared")
    rows = conn.execute(
        """
SELECT side, kind, source_id, ref, customer, currency_iso, date_issued, is_posted, amount, balance, observed_at
FROM (
    SELECT c.*, count(*) FILTER (WHERE is_posted) OVER loose AS alive,
           sum(CASE WHEN side = 0 THEN 1 ELSE -1 END * amount) FILTER (WHERE is_posted) OVER exact AS amount_apart,
           sum(CASE WHEN side = 0 THEN 1 ELSE -1 END * balance) FILTER (WHERE is_posted) OVER exact AS balance_apart,
           count(*) FILTER (WHERE is_posted AND side = 0) OVER exact AS mine,
           count(*) FILTER (WHERE is_posted AND side = 1) OVER exact AS theirs
    FROM compared c
    WINDOW loose AS (PARTITION BY kind, ref, date_issued, currency_iso),
           exact AS (PARTITION BY kind, ref, date_issued, currency_iso, customer)
) d
WHERE alive > 0 AND NOT (mine > 0 AND theirs > 0 AND amount_apart = 0 AND balance_apart = 0)
ORDER BY side, kind, source_id"""
    )
    found: dict[str, list[SideDocument]] = {side.connection: [] for side in sides}
    for side, *facts in rows:
        found[sides[side].connection].append(SideDocument(*facts))
    return found


def _documents(conn: psycopg.Connection[Any], side: Named, place: int) -> str:
    """Documents of a side; money on account is compared as the payments that it is elsewhere."""
    customer, aliases = customer_of("d", has_aliases=has_aliases(conn, side.connection))
    return " UNION ALL ".join(
        f"SELECT {place} AS side, '{part.removesuffix('s')}' AS kind, d.source_id, NULLIF(d.ref, '') AS ref,"
        f" COALESCE({_MATCHES[side.customer_field]}, '') AS customer, d.currency_iso, d.date_issued,"
        " d.posting_status = 'posted' AS is_posted, d.amount, COALESCE(d.balance_open, 0) AS balance, d.observed_at"
        f" FROM {table} d{aliases}"
        f" LEFT JOIN receivables.customers c ON c.source_id = {customer} AND c.connection = d.connection"
        f" WHERE d.connection = %(connection_{place})s"
        for part, (table, _) in NET_PARTS.items()
    )
