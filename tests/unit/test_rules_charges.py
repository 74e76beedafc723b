"""What became of a charge: hand-worked cases, every combination of what may apply, tolerance for order and size."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.breaks import break_id
from kolleno_pipelines.rules.charges import SENTENCES, charge_rows
from kolleno_pipelines.schemas.payout_words import SETTLED_CHARGES, ChargeOutcome
from kolleno_pipelines.schemas.payouts import CHARGES

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
_AMOUNTS = ("money", "surcharge", "paid", "applied", "refunded", "disputed", "failed")
Row = dict[str, Any]


def charge(source_id: str = "ch_1", **cells: Any) -> Row:
    """A charge of 100.00 that the ledger shows."""
    row: Row = dict.fromkeys(_AMOUNTS, "0") | {"money": "100.00", "paid": "100.00", "applied": None}
    row |= {"source_id": source_id, "state": "taken", "currency_iso": "USD", "created_at": AT, "since": AT}
    row |= {
        "resolver": "own",
        "payments": 1,
        "is_returned": False,
        "other_currency": 0,
        "shared": 0,
        "payment_source_ids": '["P1"]',
    }
    row |= {"customer_source_id": "C1", "own_reference": None} | cells
    return row | {name: None if row[name] is None else Decimal(row[name]) for name in _AMOUNTS}


def judged(*charges: Row, cutover: date | None = None) -> list[Row]:
    table = pa.Table.from_pylist(list(charges), CHARGES)
    return charge_rows("stripe", "qb", table, cutover).to_pylist()  # type: ignore[no-any-return]


def outcome(cutover: date | None = None, **cells: Any) -> str:
    return str(judged(charge(**cells), cutover=cutover)[0]["outcome"])


NOTHING = {"payments": 0, "paid": "0", "resolver": None, "payment_source_ids": None}


@pytest.mark.parametrize(
    ("cells", "wanted"),
    [
        ({}, "reconciled"),
        ({"resolver": "charge_id"}, "reconciled_with_fallback"),
        ({"money": "1000", "payments": 2, "paid": "1000.00"}, "reconciled"),  # 600 + 400
        ({"money": "100", "payments": 3, "paid": "100"}, "reconciled"),  # 10 + 20 + 70
        ({"money": "1000", "payments": 2, "paid": "600", "other_currency": 1}, "currency_mismatch"),
        ({"money": "102.75", "surcharge": "2.75"}, "reconciled"),
        ({"money": "102.75"}, "amount_mismatch"),
        ({"paid": "99.99"}, "amount_mismatch"),
        (NOTHING, "no_payment"),
        ({"state": "none", "money": "0"} | NOTHING, "failed"),
        ({"state": "none", "money": "0"}, "failed_but_paid"),
        ({"state": "none", "money": "0", "refunded": "100", "is_returned": True} | NOTHING, "failed"),  # let go, voided
        ({"state": "failed_late", "failed": "100", "is_returned": True} | NOTHING, "reconciled"),
        ({"state": "failed_late", "failed": "100"} | NOTHING, "failed"),
        ({"state": "failed_late", "failed": "100", "applied": "0"}, "reconciled"),
        ({"state": "failed_late", "failed": "100", "applied": "100"}, "failure_not_in_ledger"),
        ({"state": "pending", "money": "0"}, "pending"),
        ({"state": "pending", "money": "0"} | NOTHING, "pending"),
        ({"other_currency": 1, "paid": "0"}, "currency_mismatch"),
        ({"shared": 1}, "payment_shared"),
        ({"refunded": "30", "applied": "70"}, "reconciled"),
        ({"refunded": "50", "applied": "70"}, "refund_not_in_ledger"),
        ({"refunded": "100", "applied": "0"}, "reconciled"),
        ({"disputed": "100", "applied": "100"}, "dispute_not_in_ledger"),
        ({"refunded": "100", "applied": "0", "is_returned": True} | NOTHING, "reconciled"),
        ({"refunded": "60", "paid": "40", "applied": "40", "is_returned": True}, "reconciled"),
        ({"refunded": "60", "paid": "40", "applied": "40"}, "amount_mismatch"),
        ({"refunded": "30", "disputed": "70", "applied": "70"}, "dispute_not_in_ledger"),
        ({"refunded": "30", "disputed": "70", "applied": "30"}, "refund_not_in_ledger"),
        ({"refunded": "30", "disputed": "100", "applied": "0"}, "reconciled"),
        ({"disputed": "40", "applied": "60"}, "reconciled"),  # a part of it is disputed
        ({"disputed": "40", "applied": "60.01"}, "dispute_not_in_ledger"),
        ({"disputed": "200", "applied": "0"}, "reconciled"),  # two disputes, each of the whole
        ({"disputed": "200", "applied": "0.01"}, "dispute_not_in_ledger"),
        ({"money": "102.75", "surcharge": "2.75", "refunded": "2.75", "applied": "100"}, "reconciled"),
        ({"money": "102.75", "surcharge": "2.75", "refunded": "12.75", "applied": "90"}, "reconciled"),
        ({"money": "102.75", "surcharge": "2.75", "refunded": "12.75", "applied": "90.01"}, "refund_not_in_ledger"),
        ({"money": "2", "surcharge": "2.75", "paid": "2"}, "amount_mismatch"),  # less was captured than the surcharge
    ],
)
def test_figures_worked_by_hand(cells: Row, wanted: str) -> None:
    assert outcome(**cells) == wanted


def test_before_the_cut_over_goes_before_everything() -> None:
    for cells in ({}, NOTHING, {"paid": "1"}, {"state": "pending"}):
        assert outcome(cutover=date(2026, 2, 3), **cells) == "before_cutover"
        assert outcome(cutover=date(2026, 2, 2), **cells) != "before_cutover"


def test_what_is_not_compared_has_no_difference() -> None:
    assert judged(charge(state="pending", money="0"))[0]["difference"] is None
    assert judged(charge(paid="1"), cutover=date(2026, 2, 3))[0]["difference"] is None


def test_the_first_that_applies_over_every_combination() -> None:
    """The order of the list is the only rule among what applies at once."""
    makes: list[tuple[ChargeOutcome, Row]] = [
        (ChargeOutcome.CURRENCY_MISMATCH, {"other_currency": 1}),
        (ChargeOutcome.AMOUNT_MISMATCH, {"paid": "98"}),
        (ChargeOutcome.PAYMENT_SHARED, {"shared": 1}),
        (ChargeOutcome.REFUND_NOT_IN_LEDGER, {"refunded": "10", "applied": "95"}),
        (ChargeOutcome.RECONCILED_WITH_FALLBACK, {"resolver": "charge_id"}),
    ]
    for chosen in product((False, True), repeat=len(makes)):
        cells: Row = {}
        for (_, changes), is_on in zip(makes, chosen, strict=True):
            cells |= changes if is_on else {}
        applying = [named for (named, _), is_on in zip(makes, chosen, strict=True) if is_on]
        assert outcome(**cells) == (applying[0] if applying else ChargeOutcome.RECONCILED), cells


def test_a_break_names_the_charge_and_says_why() -> None:
    good, bad = judged(charge("ch_1"), charge("ch_2", paid="99"))
    assert (good["break_id"], good["evidence"]) == (None, None)
    assert bad["break_id"] == break_id("charge", "stripe", ("charge", "ch_2"))
    assert bad["evidence"] == (
        'USD 100.00 was taken, 0.00 of it as surcharge; qb must show 100.00, and shows 99.00: P1.'
    )  # fmt: skip
    assert bad["difference"] == 1
    (without,) = judged(charge(**NOTHING))
    assert (without["paid"], without["evidence"]) == (
        None,
        "USD 100.00 was taken, and qb has no payment of it; the charge carries no reference of the platform.",
    )
    (named,) = judged(charge(own_reference="K-1", **NOTHING))
    assert named["evidence"] == "USD 100.00 was taken, and qb has no payment of it with reference K-1."


def test_every_outcome_that_asks_for_somebody_has_a_sentence() -> None:
    assert set(SENTENCES) == set(ChargeOutcome) - SETTLED_CHARGES


_CENTS = st.integers(0, 300).map(lambda cents: str(Decimal(cents) / 100))
_CHARGE = st.builds(
    charge,
    st.sampled_from("abc"),
    state=st.sampled_from(["taken", "failed_late", "pending", "none"]),
    money=_CENTS,
    surcharge=_CENTS,
    paid=_CENTS,
    applied=_CENTS,
    refunded=_CENTS,
    disputed=_CENTS,
    failed=_CENTS,
    payments=st.integers(0, 2),
    other_currency=st.integers(0, 1),
    shared=st.integers(0, 1),
    resolver=st.sampled_from(["own", "charge_id"]),
)


@given(st.lists(_CHARGE, max_size=8), st.permutations(range(8)))
def test_each_charge_is_judged_by_itself(charges: list[Row], order: list[int]) -> None:
    together = judged(*charges)
    alone = [judged(one)[0] for one in charges]
    assert together == alone
    places = [place for place in order if place < len(charges)]
    assert judged(*(charges[place] for place in places)) == [together[place] for place in places]
    for row in together:
        assert (row["break_id"] is None) == (row["outcome"] in SETTLED_CHARGES)


@given(_CHARGE, st.decimals(Decimal("0.01"), Decimal(10**13), places=2))
def test_any_size_is_exact(one: Row, more: Decimal) -> None:
    """What ties goes on tying, and what does not goes on differing, when both sides grow."""
    grown = one | {"money": one["money"] + more, "paid": one["paid"] + more}
    assert judged(one)[0]["difference"] == judged(grown)[0]["difference"]
