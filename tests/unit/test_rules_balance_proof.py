"""The balance at a provider by its snapshots: hand-worked cases, and that differences add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.balance_proof import balance_proofs
from kolleno_pipelines.schemas.payouts import BalanceProof, SnapshotFacts, UnprovenDays

AT = datetime(2026, 2, 2, tzinfo=UTC)
D = Decimal


def snapshot(number: int, stated: str, before: str, **more: Any) -> SnapshotFacts:
    """`before`: what the rows of earlier seconds come to."""
    facts: dict[str, Any] = {
        "source_id": f"b{number}",
        "currency_iso": "USD",
        "taken_at": AT + timedelta(hours=number),
        "available": D(stated) - 1,
        "pending": D(1),
        "is_newest_known": True,
        "rows_before": 3,
        "before": D(before),
        "newest": None,
        "rows_beside": 0,
        "beside": D(0),
    }
    return SnapshotFacts(**facts | more)


def proofs(*snapshots: SnapshotFacts) -> list[BalanceProof]:
    return balance_proofs("stripe", snapshots, [])


def outcomes(*snapshots: SnapshotFacts) -> list[tuple[str, Decimal | None, bool]]:
    return [(one.outcome, one.change, one.is_break) for one in proofs(*snapshots)]


def test_rows_come_to_available_and_pending() -> None:
    assert outcomes(snapshot(1, "100", "100"), snapshot(2, "70", "70")) == [("tied", 0, False)] * 2


def test_a_difference_is_a_break_once() -> None:
    """A row of 10 is gone before the first, one of 5 before the third: two breaks, of 10 and of 5."""
    found = outcomes(snapshot(1, "100", "90"), snapshot(2, "100", "90"), snapshot(3, "100", "85"))
    assert found == [("differs", -10, True), ("differs", 0, False), ("differs", -5, True)]


def test_what_the_next_snapshot_does_not_have_moved_during_the_read() -> None:
    found = outcomes(snapshot(1, "100", "90"), snapshot(2, "100", "100"), snapshot(3, "100", "99"))
    assert found == [("moved_during_read", 0, False), ("tied", 0, False), ("differs", -1, True)]


def test_the_newest_snapshot_may_name_a_row_that_is_not_read_yet() -> None:
    behind = {"is_newest_known": False}
    assert outcomes(snapshot(1, "100", "90", **behind)) == [("moved_during_read", 0, False)]
    assert outcomes(snapshot(1, "100", "90", **behind), snapshot(2, "100", "90"))[0] == ("differs", -10, True)


def test_rows_of_the_deciding_second() -> None:
    """Which of them are older than the newest row nothing tells: all or none, whichever ties."""
    second = {"newest": D(5), "rows_beside": 2, "beside": D(7)}
    (none,) = proofs(snapshot(1, "105", "100", **second))
    assert (none.outcome, none.rows, none.computed) == ("tied", 4, 105)
    (both,) = proofs(snapshot(1, "112", "100", **second))
    assert (both.outcome, both.rows, both.computed) == ("tied", 6, 112)
    (neither,) = proofs(snapshot(1, "111", "100", **second))
    assert (neither.outcome, neither.difference) == ("differs", 1)


def test_currencies_are_proven_each_by_itself() -> None:
    found = proofs(snapshot(1, "100", "90"), snapshot(1, "100", "100", currency_iso="EUR", source_id="e1"))
    assert [(one.currency_iso, one.outcome) for one in found] == [("EUR", "tied"), ("USD", "differs")]


def test_days_before_the_first_snapshot_are_named() -> None:
    (one,) = balance_proofs("stripe", [], [UnprovenDays("USD", 7, D("12.50"), AT)])
    assert (one.outcome, one.rows, one.computed, one.difference, one.is_break) == (
        "no_snapshot", 7, D("12.50"), None, False
    )  # fmt: skip


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8), st.randoms())
def test_changes_add_up_to_the_difference(apart: list[int], random: Any) -> None:
    made = [snapshot(number, "100", str(100 + one)) for number, one in enumerate(apart)]
    found = proofs(*made)
    assert [one.difference for one in found] == apart
    last = max((place for place, one in enumerate(found) if one.outcome != "moved_during_read"), default=-1)
    assert sum((one.change or D(0)) for one in found) == (apart[last] if last >= 0 else 0)
    random.shuffle(made)
    assert proofs(*made) == found
