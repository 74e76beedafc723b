"""Finds the rows that may explain why the items of a payout do not sum to it. Decides nothing (rules/payouts.py).

What is missing has exactly the net of the gap, what is too much its opposite. Over the working tables of payouts.py.
Rows that only together with another explain it are paired in rules/payout_pairs.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from kolleno_pipelines.schemas.currencies import decimals_of
from kolleno_pipelines.schemas.payout_words import ExceptionCode
from kolleno_pipelines.schemas.payouts import Explanation, Gap
from kolleno_pipelines.storage import payout_gap_sql as sql
from kolleno_pipelines.storage.working_tables import lay_out

#: Rows of the same net that are told of one gap.
SHOWN = 6
#: For so many payouts pairs are looked for, the oldest first, each among so many rows that no payout, or no list, has.
PAIRED, ORPHANS_PAIRED, LOST_PAIRED = 100, 1_000, 50
#: So many pairs of payouts of which one has too much what the other lacks.
OPPOSITE = 200


def explanations(conn: psycopg.Connection[Any], connection: str, gaps: Sequence[Gap]) -> dict[str, Explanation]:
    """Return by payout the row that explains its gap best: the first in its order, with up to five rivals beside it.

    A row is missing in one payout only. One that is not exact is a guess: a row of which only its charge tells, and
    that would have had a large fee.
    """
    if not gaps:
        return {}
    conn.execute(sql.GAPS.encode())
    with conn.cursor() as cursor, cursor.copy("COPY gaps FROM STDIN") as copy:
        for gap in gaps:
            copy.write_row((*gap, decimals_of(gap.currency_iso)))
    params = {"connection": connection, "shown": SHOWN}
    conn.execute("ANALYZE gaps")
    for name, query in (("gap_items", sql.GAP_ITEMS), ("orphans", sql.ORPHANS), ("lost", sql.LOST)):
        lay_out(conn, name, query, params)
    for index in (sql.ORPHANS_INDEX, sql.LOST_INDEX):
        conn.execute(index.encode())
    found: dict[str, Explanation] = {}
    taken: set[str] = set()
    for row in conn.execute(sql.EXPLAINED.encode(), params):
        code = ExceptionCode(row[1])
        ids = [one for one in row[2] if code is not ExceptionCode.DROPPED or one not in taken]
        if row[0] in found or not ids:
            continue
        found[row[0]] = _explanation(row, ids[0])._replace(rivals=tuple(ids[1:]))
        taken |= {ids[0]} if code is ExceptionCode.DROPPED else set()
    return found


def candidates(conn: psycopg.Connection[Any], connection: str, gaps: Sequence[Gap]) -> list[Explanation]:
    """Return the rows that may explain a part of gaps that no row alone explains, those likelier first.

    To be called after explanations(), of all gaps.
    """
    payouts = list(dict.fromkeys(gap.payout_source_id for gap in sorted(gaps, key=lambda gap: gap.created_at)))
    bounds = {"orphans": ORPHANS_PAIRED, "lost": LOST_PAIRED, "opposite": OPPOSITE}
    params = {"connection": connection, "payouts": payouts[:PAIRED]} | bounds
    return [_explanation(row, row[2]) for row in conn.execute(sql.CANDIDATES.encode(), params)]


def _explanation(row: tuple[Any, ...], source_id: str) -> Explanation:
    payout, code, _, amount, is_missing, is_known, other, charge, is_exact = row
    return Explanation(
        payout, ExceptionCode(code), source_id, amount, is_missing, is_known, other, charge, is_exact=is_exact
    )
