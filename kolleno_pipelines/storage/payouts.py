"""Lays out payouts with their items and reads what the rules need of them. Decides nothing (rules/payouts.py).

Joins and sums are in SQL over all items at once: a row per payout and line leaves the database, and the items of which
something is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import psycopg

from kolleno_pipelines.schemas.payout_words import ITEM_CODES
from kolleno_pipelines.schemas.payouts import PayoutFacts, PayoutLine, SuspectItem
from kolleno_pipelines.storage import payout_sql
from kolleno_pipelines.storage.charges import ChargeSource, lay_out_paid_charges
from kolleno_pipelines.storage.working_tables import lay_out

CHUNK = 10_000


def lay_out_payouts(conn: psycopg.Connection[Any], source: ChargeSource, cutover: date | None) -> None:
    """Make the working tables of a connection's payouts, items and charges; those before `cutover` are passed over."""
    lay_out_paid_charges(conn, source)
    params = source.params | {"cutover": cutover}
    for name, query in (
        ("payout_states", payout_sql.PAYOUT_STATES),
        ("payout_rows", payout_sql.PAYOUT_ROWS),
        ("repeats", payout_sql.REPEATS),
        ("fee_faults", payout_sql.FEE_FAULTS),
        ("failure_rows", payout_sql.FAILURE_ROWS),
        ("payout_items", payout_sql.ITEMS),
        ("line_sums", payout_sql.LINE_SUMS),
        ("suspects", payout_sql.SUSPECT_IDS),
    ):
        lay_out(conn, name, query, params)


def payouts(conn: psycopg.Connection[Any], connection: str) -> list[PayoutFacts]:
    """Return every payout that was laid out, with what its items come to."""
    nothing = (0,) * len(ITEM_CODES)
    rows = conn.execute(payout_sql.PAYOUTS.encode(), {"connection": connection})
    return [PayoutFacts(*(*row[:-1], tuple(row[-1]) if row[-1] else nothing)) for row in rows]


def lines(conn: psycopg.Connection[Any], connection: str) -> Iterator[list[PayoutLine]]:
    """Yield the lines from gross to net of every payout, some thousand at a time."""
    with conn.cursor(name="payout_lines") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(payout_sql.LINES.encode())
        rows = iter(cursor)
        while found := [PayoutLine(connection, *row) for row in islice(rows, CHUNK)]:
            yield found


def suspects(conn: psycopg.Connection[Any], connection: str, cutover: date | None) -> Iterator[list[SuspectItem]]:
    """Yield the items of which something is wrong, of payouts whose items are compared, some thousand at a time."""
    with conn.cursor(name="payout_suspects") as cursor:
        cursor.itersize = CHUNK
        cursor.execute(payout_sql.SUSPECTS.encode(), {"connection": connection, "cutover": cutover})
        rows = iter(cursor)
        while found := [suspect_item(row) for row in islice(rows, CHUNK)]:
            yield found


def suspect_item(row: tuple[Any, ...]) -> SuspectItem:
    """Return an item as payout_sql.suspects tells it."""
    flags = tuple(bool(row[-1] >> place & 1) for place in range(len(ITEM_CODES)))
    return SuspectItem(*(*row[:-1], flags))


def unknown_words(conn: psycopg.Connection[Any], connections: Sequence[str]) -> dict[str, int]:
    """Return how many rows of balances have each unknown type or category, as `connection type/category`."""
    rows = conn.execute(payout_sql.UNKNOWN_WORDS.encode(), {"connections": list(connections)})
    return {row[0]: row[1] for row in rows}
