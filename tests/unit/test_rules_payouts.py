"""Payouts: precedence over all combinations, what explains a sum, the sentences, the lines of categories."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, combinations, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.payouts import (
    exceptions_of_items,
    exceptions_of_payouts,
    gaps_of,
    leg_outcome,
    payout_outcome,
    payout_row,
    state_of,
)
from kolleno_pipelines.schemas.balance_categories import CATEGORY_OF_TYPE, LINE_OF_CATEGORY, LINE_OF_TYPE, line_of
from kolleno_pipelines.schemas.payout_words import EFFECTS, ITEM_CODES, ExceptionCode, Leg, PayoutOutcome
from kolleno_pipelines.schemas.payouts import Explanation, PayoutFacts, SuspectItem

AT = datetime(2026, 2, 4, 2, tzinfo=UTC)
STATES = (PayoutOutcome.REVERSED, PayoutOutcome.NOT_ITEMISABLE, PayoutOutcome.PENDING)
NO_FLAGS = (0,) * len(ITEM_CODES)
D = Decimal


def payout(amount: str = "96.80", items_net: str | None = None, **more: Any) -> PayoutFacts:
    facts: dict[str, Any] = {
        "source_id": "po_1",
        "status": "paid",
        "amount": D(amount),
        "currency_iso": "USD",
        "created_at": AT,
        "date_arrival": date(2026, 2, 5),
        "observed_at": AT,
        "is_reversed": False,
        "is_itemisable": True,
        "is_complete": True,
        "own_row_source_id": "txn_po_1",
        "own_row_net": -D(amount),
        "items": 1,
        "items_net": D(items_net or amount),
        "set_off": D(0),
        "doubled": D(0),
        "suspected": D(0),
        "items_before_cutover": 0,
        "first_before_cutover": None,
        "fallbacks": 0,
        "flags": NO_FLAGS,
    }
    return PayoutFacts(**facts | more)


def item(*codes: ExceptionCode, **more: Any) -> SuspectItem:
    facts: dict[str, Any] = {
        "payout_source_id": "po_1",
        "occurrence": 1,
        "source_id": "txn_1",
        "type": "charge",
        "category": "charge",
        "currency_iso": "USD",
        "payout_currency_iso": "USD",
        "amount": D("100.00"),
        "fee": D("3.20"),
        "net": D("96.80"),
        "balance_amount": D("100.00"),
        "balance_fee": D("3.20"),
        "balance_net": D("96.80"),
        "details_fee": D("3.20"),
        "charge_source_id": "ch_1",
        "source_object_id": "ch_1",
        "source_amount": D("100.00"),
        "charge_expected": D("100.00"),
        "charge_currency_iso": "USD",
        "charge_paid": D("100.00"),
        "other_payouts": None,
        "since": AT,
        "flags": tuple(code in codes for code in ITEM_CODES),
    }
    return SuspectItem(**facts | more)


def flags(*codes: ExceptionCode) -> tuple[int, ...]:
    return tuple(int(code in codes) for code in ITEM_CODES)


def _subsets(codes: list[ExceptionCode], size: int) -> Any:
    return chain.from_iterable(combinations(codes, number) for number in range(size + 1))


def test_precedence_over_all_combinations() -> None:
    """Whatever is true of state and legs at once: the outcome is the first in the list of any of them."""
    of_leg = {
        leg: [PayoutOutcome.RECONCILED, *{effect.outcome for effect in EFFECTS.values() if effect.leg is leg}]
        for leg in Leg
    }
    of_leg[Leg.LEDGER].append(PayoutOutcome.RECONCILED_WITH_FALLBACK)
    order = list(PayoutOutcome)
    for state, items, ledger in product((None, *STATES), of_leg[Leg.ITEMS], of_leg[Leg.LEDGER]):
        applying = {state} if state else {items, ledger}
        wanted = next(one for one in order if one in applying)
        assert payout_outcome(state, items, ledger) is wanted


def test_a_leg_is_the_first_of_its_exceptions() -> None:
    order = list(PayoutOutcome)
    for leg in Leg:
        codes = [code for code, effect in EFFECTS.items() if effect.leg is leg]
        others = [code for code in EFFECTS if code not in codes]
        for chosen in _subsets(codes, 3):
            applying = {EFFECTS[code].outcome for code in chosen} or {PayoutOutcome.RECONCILED}
            wanted = next(one for one in order if one in applying)
            assert leg_outcome(leg, chosen) is wanted
            assert leg_outcome(leg, [*others, *chosen]) is wanted  # the other leg's exceptions are not its own
    assert leg_outcome(Leg.LEDGER, [], has_fallback=True) is PayoutOutcome.RECONCILED_WITH_FALLBACK
    assert leg_outcome(Leg.ITEMS, [], has_fallback=True) is PayoutOutcome.RECONCILED


def test_states_come_in_their_order() -> None:
    for is_reversed, is_itemisable, is_complete in product((False, True), repeat=3):
        facts = payout(is_reversed=is_reversed, is_itemisable=is_itemisable, is_complete=is_complete)
        conditions = (is_reversed, not is_itemisable, not is_complete)
        wanted = next((one for one, holds in zip(STATES, conditions, strict=True) if holds), None)
        assert state_of(facts) is wanted
        row = payout_row("stripe", "qb", facts)
        assert row.outcome == (wanted or PayoutOutcome.RECONCILED)
        assert (row.difference is None) == (wanted is not None)


def test_what_is_not_compared_has_no_exceptions() -> None:
    for state in ({"is_reversed": True}, {"is_itemisable": False}, {"is_complete": False}):
        facts = payout(items_net="1", flags=flags(ExceptionCode.ALTERED), own_row_net=D(5), **state)
        assert list(exceptions_of_payouts("stripe", [facts])) == []
        assert payout_row("stripe", "qb", facts).exceptions == 0


def test_minimum_balance() -> None:
    """10.00 less a hold of 1.00 is a payout of 9.00, whose hold and release are lines that are known."""
    assert payout_row("stripe", "qb", payout("9.00", str(D("10.00") - D("1.00")))).outcome == "reconciled"
    assert line_of("payout_minimum_balance_hold", None) == "holds"
    assert line_of("payout_minimum_balance_release", "other_adjustment") == "releases"


def test_a_sum_is_explained_by_what_is_wrong_with_its_items() -> None:
    assert gaps(payout()) == []
    assert gaps(payout("96.80", "193.60", set_off=D("-96.80"), doubled=D("-96.80"))) == []  # one row twice
    assert gaps(payout("96.80", "95.80", suspected=D("1.00"))) == []  # a row says 1.00 less than its charge
    row = payout_row(
        "stripe", "qb", payout("96.80", "96.79", suspected=D("0.01"), flags=flags(ExceptionCode.FEE_DETAILS))
    )
    assert (row.outcome, row.exceptions) == ("amount_mismatch", 1)  # explained, yet its net is another
    assert gaps(payout("96.80", "95.80", set_off=D("0.50"))) == [D("0.50"), D("1.00")]
    assert gaps(payout(set_off=D("1"))) == []  # the payout's own list ties
    assert gaps(payout("96.81", "96.80", own_row_net=D("-96.80"))) == []  # the payout's own row says why


def gaps(facts: PayoutFacts) -> list[Decimal]:
    return [gap.amount for gap in gaps_of([facts])]


def test_what_is_known_may_be_a_part_of_a_gap_or_not() -> None:
    """19.12 is missing, beside a row that says 1.00 too much, or a charge that does while its row is right."""
    assert gaps(payout("125.33", "107.21", suspected=D("-1.00"))) == [D("19.12"), D("18.12")]
    assert gaps(payout("125.33", "106.21", suspected=D("0.01"))) == [D("19.11"), D("19.12")]


def test_a_row_that_is_doubled_hides_no_other_that_is_missing() -> None:
    """96.80 is in it twice, and another 96.80 not at all: it ties, and both are wrong."""
    facts = payout("193.60", "193.60", set_off=D("-96.80"), doubled=D("-96.80"), flags=flags(ExceptionCode.DOUBLED))
    assert gaps(facts) == [D("96.80")]
    assert list(exceptions_of_payouts("stripe", [facts])) == []  # nothing of it is told unless a row is found
    lost = Explanation("po_1", ExceptionCode.DROPPED, "txn_9", D("96.80"), True, True, None, "ch_9")
    (one,) = exceptions_of_payouts("stripe", [facts], {"po_1": [lost]})
    assert (one.code, one.balance_transaction_source_id, one.amount) == ("dropped", "txn_9", D("96.80"))
    assert payout_row("stripe", "qb", facts, [lost]).exceptions == 2


_LOST = "row txn_9 of charge ch_9 is neither in it nor in the balance's list."


def test_what_no_row_explains_is_said_so() -> None:
    (one,) = exceptions_of_payouts("stripe", [payout("100", "90")])
    assert (one.code, one.balance_transaction_source_id, one.amount) == ("sum_differs", "", 10)
    assert one.evidence == "The payout is USD 100.00, its items come to 90.00; no row explains the difference."


@pytest.mark.parametrize(
    ("code", "is_missing", "is_known", "other", "wanted"),
    [
        (ExceptionCode.DROPPED, True, True, None, "row txn_9 over 10.00 is in no payout."),
        (ExceptionCode.SOURCE_DIFFERS, True, True, "dp_1", "row txn_9 says 10.00 less than dp_1, which made it."),
        (ExceptionCode.SOURCE_DIFFERS, False, True, "dp_1", "row txn_9 says 10.00 more than dp_1, which made it."),
        (ExceptionCode.DROPPED, True, False, None, _LOST),
        (ExceptionCode.MOVED, True, True, "po_2", "row txn_9 over 10.00 is missing here and too much in po_2."),
        (ExceptionCode.MOVED, False, True, "po_2", "row txn_9 over 10.00 is too much here and missing in po_2."),
        (ExceptionCode.DOUBLED, False, True, "txn_1", "row txn_9 over 10.00 is row txn_1 once more."),
    ],
)  # fmt: skip
def test_a_gap_names_the_row(
    code: ExceptionCode, is_missing: bool, is_known: bool, other: str | None, wanted: str
) -> None:
    facts = payout("100", "90" if is_missing else "110")
    named = Explanation("po_1", code, "txn_9", D(10 if is_missing else -10), is_missing, is_known, other, "ch_9",
                        ("txn_8",))  # fmt: skip
    (one,) = exceptions_of_payouts("stripe", [facts], {"po_1": [named]})
    assert (one.code, one.balance_transaction_source_id) == (code, "txn_9")
    assert one.evidence.endswith(f"{wanted} It may be one of these instead: txn_8.")
    row = payout_row("stripe", "qb", facts, [named])
    assert (row.outcome, row.exceptions) == ("amount_mismatch", 1)


def test_two_rows_that_explain_a_gap_together_are_told_each_with_its_part() -> None:
    facts = payout("100", "71.47")
    lost = Explanation("po_1", ExceptionCode.DROPPED, "txn_8", D("20"), True, False, None, "ch_8", is_exact=False)
    dropped = Explanation("po_1", ExceptionCode.DROPPED, "txn_9", D("9.41"), True, True, None, "ch_9")
    told = list(exceptions_of_payouts("stripe", [facts], {"po_1": [lost, dropped]}))
    assert [one.amount for one in told] == [20, D("9.41")]
    assert told[0].evidence.endswith("in the balance's list. That is at most 20.00 of 28.53.")
    assert told[1].evidence.endswith("row txn_9 over 9.41 is in no payout. That is 9.41 of 28.53.")
    assert payout_row("stripe", "qb", facts, [lost, dropped]).exceptions == 2


def test_a_row_in_two_payouts_is_told_once() -> None:
    facts = payout("96.80", "193.60", flags=flags(ExceptionCode.IN_TWO_PAYOUTS))
    named = Explanation("po_1", ExceptionCode.IN_TWO_PAYOUTS, "txn_1", D("-96.80"), False, True, None, None)
    assert list(exceptions_of_payouts("stripe", [facts], {"po_1": [named]})) == []
    (one,) = exceptions_of_items("stripe", "qb", [item(ExceptionCode.IN_TWO_PAYOUTS, other_payouts="po_2")])
    assert one.evidence == "The row is in po_2 as well."
    assert payout_row("stripe", "qb", facts, [named]).exceptions == 1


def test_before_the_cut_over_is_one_exception_and_no_break() -> None:
    facts = payout(items_before_cutover=70, first_before_cutover="ch_0")
    (one,) = exceptions_of_payouts("stripe", [facts])
    assert (one.code, one.charge_source_id, one.is_break) == ("before_cutover", "ch_0", False)
    assert payout_row("stripe", "qb", facts).outcome == "blocked_before_cutover"


def test_the_payouts_own_row() -> None:
    (one,) = exceptions_of_payouts("stripe", [payout(own_row_net=D("-96.00"))])
    assert (one.code, one.balance_transaction_source_id, one.amount) == ("own_row", "txn_po_1", D("0.80"))
    (one,) = exceptions_of_payouts("stripe", [payout(own_row_net=None)])
    assert (one.code, one.balance_transaction_source_id, one.amount) == ("not_in_balance", "txn_po_1", D("-96.80"))
    assert one.evidence == "The payout is USD 96.80, its own row is not in the balance's list."
    assert payout_row("stripe", "qb", payout(own_row_net=None)).outcome == "blocked_unknown_member"
    assert list(exceptions_of_payouts("stripe", [payout(own_row_net=None, own_row_source_id=None)])) == []


@pytest.mark.parametrize(
    ("code", "cells", "amount", "evidence"),
    [
        (
            ExceptionCode.FEE_DETAILS,
            {"fee": D("3.21"), "net": D("96.79")},
            "0.01",
            "The fee is 3.21, what it is made of comes to 3.20 in USD.",
        ),
        (
            ExceptionCode.ALTERED,
            {"net": D("96.79"), "fee": D("3.21")},
            "0.01",
            "The payout's list says 100.00 less 3.21 is 96.79, the balance's own list says 100.00 less 3.20 is 96.80.",
        ),
        (
            ExceptionCode.FEE_DIFFERS,
            {"fee": D("3.21")},
            "-0.01",
            "100.00 less 96.80 leaves a fee of 3.20, and the row says 3.21.",
        ),
        (ExceptionCode.NET_DIFFERS, {"net": D("96.70")}, "0.10", "100.00 less 3.20 is 96.80, and the row says 96.70."),
        (
            ExceptionCode.PAYMENTS_SUM,
            {"charge_paid": D("99"), "amount": D("102.75"), "charge_expected": D("100")},
            "1",
            "qb must show USD 100.00 of charge ch_1, and its payments come to 99.00.",
        ),
        (ExceptionCode.NO_PAYMENT, {}, "96.80", "qb has no payment of charge ch_1."),
        (
            ExceptionCode.UNKNOWN_CATEGORY,
            {"type": "network_cost", "category": "network_cost"},
            "96.80",
            "Nobody knows what a row of type network_cost and category network_cost is.",
        ),
        (ExceptionCode.SOURCE_DIFFERS, {"amount": D("99")}, "1", "The row says 99.00, what made it says 100.00."),
    ],
)
def test_sentences(code: ExceptionCode, cells: dict[str, Any], amount: str, evidence: str) -> None:
    (one,) = exceptions_of_items("stripe", "qb", [item(code, **cells)])
    assert (one.code, one.amount, one.evidence) == (code, D(amount), evidence)
    assert (one.leg, one.outcome) == EFFECTS[code]


def test_what_the_ledger_lacks_of_a_charge_is_in_its_currency() -> None:
    """EUR 10.00 of which the ledger has 9.50, in a payout of USD."""
    cells = {"charge_currency_iso": "EUR", "charge_expected": D("10.00"), "charge_paid": D("9.50")}
    codes = (ExceptionCode.PAYMENTS_SUM, ExceptionCode.NO_PAYMENT, ExceptionCode.DOUBLED)
    found = exceptions_of_items("stripe", "qb", [item(*codes, **cells)])
    assert {one.code: (one.currency_iso, one.amount) for one in found} == {
        "payments_sum": ("EUR", D("0.50")),
        "no_payment": ("USD", D("96.80")),
        "doubled": ("USD", D("-96.80")),
    }


def test_every_flag_of_an_item_is_told_with_an_id_of_its_own() -> None:
    found = list(exceptions_of_items("stripe", "qb", [item(*ITEM_CODES), item(*ITEM_CODES, occurrence=2)]))
    assert [one.code for one in found] == [*ITEM_CODES, *ITEM_CODES]
    assert len({one.break_id for one in found}) == len(found)
    assert not any("{" in one.evidence for one in found)


def test_every_category_and_type_has_a_line() -> None:
    assert len(LINE_OF_CATEGORY) == 26 + 2
    assert set(CATEGORY_OF_TYPE.values()) <= set(LINE_OF_CATEGORY)
    assert set(LINE_OF_TYPE) <= set(CATEGORY_OF_TYPE)
    assert all(line_of(kind, None) is not None for kind in CATEGORY_OF_TYPE)
    assert line_of("refund", "partial_capture_reversal") == "refunds"
    assert line_of("adjustment", "dispute") == "disputes"
    assert line_of("network_cost", None) is None
    assert line_of("charge", "network_cost") is None


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_a_difference_is_exact_and_never_let_pass(amount: int, items: int) -> None:
    facts = payout(str(D(amount) / 100), str(D(items) / 100))
    row = payout_row("stripe", "qb", facts)
    assert row.difference == D(amount - items) / 100
    assert (row.outcome == "reconciled") == (amount == items)
