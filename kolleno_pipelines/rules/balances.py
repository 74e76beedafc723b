"""Does amount - allocations equal the stated balance, document by document (model 3, 7)? Totals are not here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa

from kolleno_pipelines.rules.allocated import Linked, link
from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.rules.causes import Origin, causes, origins
from kolleno_pipelines.rules.columns import Flags, Places, codes, is_one_of, moments, taken, texts
from kolleno_pipelines.rules.evidence import evidence, waiting
from kolleno_pipelines.rules.findings import document_findings
from kolleno_pipelines.rules.residuals import parts_by_input
from kolleno_pipelines.rules.scaled import DECIMALS, decimal, decimals, sums
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.ledger_parts import LedgerPart
from kolleno_pipelines.schemas.results import BALANCES, BalanceSummaryRow, Break, Cause

KIND = Code.BALANCE_ALLOCATION_MISMATCH.value


@dataclass(frozen=True)
class CheckedBalances:
    """What one part of the ledger says: documents that differ (BALANCES), findings about them, counts and sums."""

    differing: pa.Table
    findings: list[Break]
    summary: list[BalanceSummaryRow]


def check_balances(part: LedgerPart, parked_links: pa.Table, tolerance: Mapping[str, Decimal]) -> CheckedBalances:
    """Compare every posted document of a part. `tolerance` is by currency, 0 where it names none.

    A derived balance ties by construction; it is counted as unproven.
    """
    linked = link(part)
    allowed = _allowed(linked, tolerance)
    differs = np.abs(linked.residual) > allowed
    origin = origins(linked, parts_by_input(linked))
    places = np.flatnonzero(differs)
    named = causes(linked, origin, waiting(linked, parked_links), places)
    opening = np.zeros(len(linked), dtype=np.bool_)
    opening[places] = [name == Cause.OPENING.value for name in named]
    return CheckedBalances(
        differing=_differing(linked, origin, named, places, parked_links),
        findings=document_findings(linked, allowed),
        summary=_summary(linked, differs, opening),
    )


def merge_summaries(rows: Iterable[BalanceSummaryRow]) -> list[BalanceSummaryRow]:
    """Return one row per connection, kind and currency, summed over the parts of the ledger."""
    merged: dict[tuple[str, str, str], BalanceSummaryRow] = {}
    for row in rows:
        key = (row.connection, row.kind, row.currency_iso)
        known = merged.get(key)
        merged[key] = row if known is None else _plus(known, row)
    return [merged[key] for key in sorted(merged)]


def _plus(left: BalanceSummaryRow, right: BalanceSummaryRow) -> BalanceSummaryRow:
    return BalanceSummaryRow(
        left.connection,
        left.kind,
        left.currency_iso,
        left.documents + right.documents,
        left.tied + right.tied,
        left.unproven + right.unproven,
        left.differing + right.differing,
        left.opening + right.opening,
        left.amount + right.amount,
        left.allocated + right.allocated,
        left.balance + right.balance,
        left.difference + right.difference,
    )


def _allowed(linked: Linked, tolerance: Mapping[str, Decimal]) -> Places:
    currency, names = codes(linked.part.documents["currency_iso"])
    allowed = [int(tolerance.get(name, Decimal(0)).scaleb(DECIMALS)) for name in names]
    return np.array(allowed, dtype=np.int64)[currency]


def _differing(linked: Linked, origin: Origin, named: list[str], places: Places, parked_links: pa.Table) -> pa.Table:
    documents, connection, kind = linked.part.documents, linked.part.connection, linked.part.kind.value
    ids = texts(taken(documents["source_id"], places))
    known = evidence(linked, origin.arose, places, parked_links)
    at = places.tolist()
    arrays = {
        "break_id": pa.array([break_id(KIND, connection, (kind, one)) for one in ids], pa.string()),
        "connection": pa.array([connection] * len(at), pa.string()),
        "kind": pa.array([kind] * len(at), pa.string()),
        **{name: taken(documents[name], places) for name in ("source_id", "customer_source_id", "currency_iso")},
        "amount": taken(documents["amount"], places),
        "allocated": decimals(linked.allocated[places]),
        "balance": taken(documents["balance"], places),
        "difference": decimals(linked.residual[places]),
        "is_opening": pa.array([name == Cause.OPENING.value for name in named], pa.bool_()),
        "cause": pa.array(named, pa.string()),
        "since": moments(origin.since[places]),
        "evidence": pa.array([known.get(place, "{}") for place in at], pa.string()),
    }
    return pa.table([arrays[name] for name in BALANCES.names], schema=BALANCES)


def _summary(linked: Linked, differs: Flags, opening: Flags) -> list[BalanceSummaryRow]:
    documents = linked.part.documents
    currency, names = codes(documents["currency_iso"])
    derived = is_one_of(documents["balance_source"], ["derived"]) & ~differs
    counts = [
        np.bincount(currency[which], minlength=len(names)).tolist()
        for which in (np.ones(len(linked), dtype=np.bool_), ~differs & ~derived, derived, differs, opening)
    ]
    amounts = [
        [decimal(total) for total in sums(currency, column, len(names)).tolist()]
        for column in (linked.amount, linked.allocated, linked.balance, linked.residual)
    ]
    return [
        BalanceSummaryRow(
            linked.part.connection,
            linked.part.kind.value,
            name,
            *(count[place] for count in counts),
            *(amount[place] for amount in amounts),
        )
        for place, name in enumerate(names)
    ]
