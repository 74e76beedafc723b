"""Compares each mirror with the ledger and stores what they say. What the figures mean is in rules/agreement.py."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from kolleno_pipelines.pipeline.reconciled import Connections, ReconciledConnection, mapping_of
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules.agreement import agree
from kolleno_pipelines.schemas.agreement import AgreementRow, traits_of
from kolleno_pipelines.storage import agreement, failpoints, result_rows
from kolleno_pipelines.storage.results import Stage, note_computed, result_transaction

TABLES = ("agreement", "agreement_breaks", "agreement_gaps")


def reconcile_agreement(database_url: str, connections: Connections, today: date) -> ResultSummary:
    """Compare every mirror with its ledger. One of which nothing was read yet says nothing, and is not compared."""
    rows: list[AgreementRow] = []
    compared = 0
    with result_transaction(database_url, TABLES) as conn:
        totals, breaks, gaps = (Stage(conn, table) for table in TABLES)
        for ledger, mirror in compared_pairs(connections):
            read = [agreement.read_upto(conn, one.name) for one in (ledger, mirror)]
            if read[0] is None or read[1] is None:
                continue
            named = [(one.name, traits_of(one.system)) for one in (ledger, mirror)]
            sides = agreement.sides_of(named[0], named[1], mapping_of(mirror))
            found = agree(*agreement.read_sides(conn, sides, (read[0], read[1])), ledger.tolerance)
            totals.add_rows(found.rows)
            breaks.add_rows(found.breaks)
            gaps.add_rows(found.gaps)
            rows += found.rows
            compared += 1
        changes = merge_stages(connections, totals, breaks, gaps)
        note_computed(conn, "agreement", list(connections), today)
        worst = result_rows.stored_rows(conn, "agreement_breaks", list(connections), limit=WORST)
        failpoints.reach("reconcile_agreement")
    counts = {"mirrors": compared, "breaks": breaks.rows, "expected_gaps": gaps.rows}
    return ResultSummary("agreement", totals.rows, changes, counts, _sums(rows), worst)


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


def _sums(rows: list[AgreementRow]) -> list[dict[str, object]]:
    """Return what is owed by each side of a comparison, by currency."""
    names = ("balance", "mirror_balance", "difference", "expected")
    sums: dict[tuple[str, str, str], list[Decimal]] = {}
    for row in rows:
        amounts = sums.setdefault((row.connection, row.mirror, row.currency_iso), [Decimal(0)] * len(names))
        sums[row.connection, row.mirror, row.currency_iso] = [
            amount + getattr(row, name) for amount, name in zip(amounts, names, strict=True)
        ]
    keys = ("connection", "mirror", "currency_iso")
    return [dict(zip((*keys, *names), (*key, *amounts), strict=True)) for key, amounts in sorted(sums.items())]
