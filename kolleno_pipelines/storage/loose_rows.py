"""Finds what is wrong with rows of a balance that no compared payout holds. Words it not (rules/loose_rows.py).

Over the working tables of payouts.py, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from kolleno_pipelines.schemas.loose_rows import DoubledRow, MissingRow
from kolleno_pipelines.schemas.payouts import SuspectItem
from kolleno_pipelines.storage import loose_row_sql as sql
from kolleno_pipelines.storage.payout_sql import NAMED
from kolleno_pipelines.storage.payouts import suspect_item
from kolleno_pipelines.storage.working_tables import lay_out


def altered_rows(conn: psycopg.Connection[Any], connection: str, cutover: date | None) -> list[SuspectItem]:
    """Return the rows that contradict what made them or themselves. Lays out `loose`, for those below as well."""
    lay_out(conn, "loose", sql.LOOSE, {"connection": connection})
    rows = conn.execute(sql.ALTERED.encode(), {"connection": connection, "cutover": cutover})
    return [suspect_item(row) for row in rows]


def doubled_and_missing_rows(
    conn: psycopg.Connection[Any],
    connection: str,
    differing: Mapping[str, Decimal],
    proven: Iterable[str],
    told: Collection[str],
) -> tuple[list[DoubledRow], list[MissingRow]]:
    """Return the rows that the balance has twice, and those that it lacks, where its newest proof differs.

    `differing`: by how much, per currency; `proven` are all currencies that have a proof; `told` the rows that an
    exception of a payout names already. To be called after altered_rows().
    """
    if not differing:
        return [], []
    params: dict[str, object] = {"connection": connection, "told": list(told), "proven": list(proven)}
    params |= {"currencies": list(differing), "differences": list(differing.values())}
    lay_out(conn, "named", NAMED, params)
    doubled = [DoubledRow(*row) for row in conn.execute(sql.DOUBLED.encode(), params)]
    return doubled, [MissingRow(*row) for row in conn.execute(sql.MISSING.encode(), params)]
