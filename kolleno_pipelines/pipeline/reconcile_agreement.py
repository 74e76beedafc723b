"""Compares each mirror with the ledger and stores what they say. What the figures mean is in rules/agreement.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconciled import Connections, ReconciledConnection, mapping_of
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules.agreement import agree
from kolleno_pipelines.schemas.agreement import traits_of
from kolleno_pipelines.storage import agreement, failpoints, freshness, result_rows
from kolleno_pipelines.storage.results import Changes, Stage, note_computed, result_transaction

TABLES = ("agreement", "agreement_breaks", "agreement_gaps")


def reconcile_agreement(
    database_url: str, connections: Connections, today: date, since: datetime | None = None
) -> ResultSummary:
    """Compare every mirror with its ledger. One of which nothing was read yet says nothing, and is not compared.

    since: what another run computed after that moment is taken over (freshness.is_computed); None computes it anyway.
    """
    names = list(connections)
    with result_transaction(database_url, TABLES) as conn:
        pairs = list(_read_pairs(conn, connections))
        taken_over = freshness.is_computed(conn, "agreement", names, today, since)
        changes = Changes() if taken_over else _compute(conn, connections, pairs, today)
        rows, breaks, gaps = (result_rows.row_count(conn, table, names) for table in TABLES)
        totals = result_rows.agreement_totals(conn, names)
        worst = result_rows.stored_rows(conn, "agreement_breaks", names, limit=WORST)
        failpoints.reach("reconcile_agreement")
    counts = {"mirrors": len(pairs), "breaks": breaks, "expected_gaps": gaps}
    return ResultSummary("agreement", rows, changes, counts, totals, worst, taken_over)


def _read_pairs(
    conn: psycopg.Connection[Any], connections: Connections
) -> Iterator[tuple[ReconciledConnection, ReconciledConnection, tuple[datetime, datetime]]]:
    """Yield each ledger and mirror of which something was read, with the newest version of either."""
    for ledger, mirror in compared_pairs(connections):
        read = [agreement.read_upto(conn, one.name) for one in (ledger, mirror)]
        if read[0] is not None and read[1] is not None:
            yield ledger, mirror, (read[0], read[1])


def _compute(
    conn: psycopg.Connection[Any],
    connections: Connections,
    pairs: Iterable[tuple[ReconciledConnection, ReconciledConnection, tuple[datetime, datetime]]],
    today: date,
) -> Changes:
    totals, breaks, gaps = (Stage(conn, table) for table in TABLES)
    for ledger, mirror, read in pairs:
        named = [(one.name, traits_of(one.system)) for one in (ledger, mirror)]
        sides = agreement.sides_of(named[0], named[1], mapping_of(mirror))
        found = agree(*agreement.read_sides(conn, sides, read), ledger.tolerance)
        totals.add_rows(found.rows)
        breaks.add_rows(found.breaks)
        gaps.add_rows(found.gaps)
    changes = merge_stages(connections, totals, breaks, gaps)
    note_computed(conn, "agreement", list(connections), today)
    return changes


def compared_pairs(connections: Connections) -> Iterator[tuple[ReconciledConnection, ReconciledConnection]]:
    """Yield each mirror with the ledger that it names, else the first one."""
    ledgers = {name: one for name, one in connections.items() if one.role == "ledger"}
    for one in connections.values():
        if one.role != "mirror" or not ledgers:
            continue
        named = mapping_of(one).ledger
        if named is not None and named not in ledgers:
            raise ValueError(
                f"Connection {one.name} is compared with {named}, which is no ledger; there are {', '.join(ledgers)}."
            )
        yield ledgers[named] if named is not None else next(iter(ledgers.values())), one
