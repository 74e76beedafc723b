"""Do the rows of a provider's balance come to what the provider says it was, at each snapshot (model 5)?

Adding rows up does not belong here (storage/balance_proofs.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.schemas.payout_words import ProofOutcome
from kolleno_pipelines.schemas.payouts import BalanceProof, SnapshotFacts, UnprovenDays

KIND = "balance_proof"
_ZERO = Decimal(0)


class _Computed(NamedTuple):
    """What the rows up to a snapshot come to."""

    rows: int
    amount: Decimal


def balance_proofs(
    connection: str, snapshots: Iterable[SnapshotFacts], unproven: Iterable[UnprovenDays]
) -> list[BalanceProof]:
    """Return a row per currency and snapshot, and one per currency with rows from before the day of its first."""
    rows = [_before_the_first(connection, days) for days in unproven]
    ordered = sorted(snapshots, key=lambda one: (one.currency_iso, one.taken_at, one.source_id))
    for _, of_currency in groupby(ordered, key=lambda one: one.currency_iso):
        rows += _proofs(connection, list(of_currency))
    return rows


def differing(proofs: Iterable[BalanceProof]) -> dict[str, Decimal]:
    """Return the currencies whose newest snapshot differs, and by how much."""
    taken = [one for one in proofs if one.taken_at is not None]
    newest = {one.currency_iso: one for one in sorted(taken, key=lambda one: (one.since, one.source_id))}
    return {
        currency: one.difference
        for currency, one in newest.items()
        if one.outcome == ProofOutcome.DIFFERS.value and one.difference is not None
    }


def _proofs(connection: str, snapshots: Sequence[SnapshotFacts]) -> list[BalanceProof]:
    computed = [_computed(one) for one in snapshots]
    differences = [sums.amount - _stated(one) for one, sums in zip(snapshots, computed, strict=True)]
    rows = []
    before = _ZERO
    for place, (one, sums) in enumerate(zip(snapshots, computed, strict=True)):
        outcome = _outcome(one, differences, place)
        change = _ZERO
        if outcome is not ProofOutcome.MOVED_DURING_READ:
            change, before = differences[place] - before, differences[place]
        rows.append(
            BalanceProof(
                break_id=break_id(KIND, connection, ("balance", one.currency_iso), ("snapshot", one.source_id)),
                connection=connection,
                source_id=one.source_id,
                currency_iso=one.currency_iso,
                outcome=outcome.value,
                taken_at=one.taken_at,
                available=one.available,
                pending=one.pending,
                rows=sums.rows,
                computed=sums.amount,
                difference=differences[place],
                change=change,
                is_break=outcome is ProofOutcome.DIFFERS and change != 0,
                since=one.taken_at,
            )
        )
    return rows


def _outcome(snapshot: SnapshotFacts, differences: Sequence[Decimal], place: int) -> ProofOutcome:
    """The newest snapshot may name a row that is read next: until then its difference is one of the reading."""
    if differences[place] == 0:
        return ProofOutcome.TIED
    is_last = place + 1 == len(differences)
    if (is_last and not snapshot.is_newest_known) or (not is_last and differences[place + 1] == 0):
        return ProofOutcome.MOVED_DURING_READ
    return ProofOutcome.DIFFERS


def _computed(snapshot: SnapshotFacts) -> _Computed:
    """Sum the rows up to the snapshot; of those beside its newest row, all or none count, whichever ties, else all."""
    certain = _Computed(snapshot.rows_before, snapshot.before)
    if snapshot.newest is not None:
        certain = _Computed(certain.rows + 1, certain.amount + snapshot.newest)
    if snapshot.rows_beside == 0 or certain.amount == _stated(snapshot):
        return certain
    return _Computed(certain.rows + snapshot.rows_beside, certain.amount + snapshot.beside)


def _stated(snapshot: SnapshotFacts) -> Decimal:
    return snapshot.available + snapshot.pending


def _before_the_first(connection: str, days: UnprovenDays) -> BalanceProof:
    return BalanceProof(
        break_id=break_id(KIND, connection, ("balance", days.currency_iso)),
        connection=connection,
        source_id="",
        currency_iso=days.currency_iso,
        outcome=ProofOutcome.NO_SNAPSHOT.value,
        taken_at=None,
        available=None,
        pending=None,
        rows=days.rows,
        computed=days.net,
        difference=None,
        change=None,
        is_break=False,
        since=days.since,
    )
