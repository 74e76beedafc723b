"""Two rows that explain a gap together: hand-worked pairs, and that whatever is planted is found."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.payout_pairs import pairs
from kolleno_pipelines.schemas.payout_words import ExceptionCode
from kolleno_pipelines.schemas.payouts import Explanation, Gap

AT = datetime(2026, 2, 4, 2, tzinfo=UTC)
D = Decimal
C = ExceptionCode


def gap(amount: str, payout: str = "po_1", number: int = 0) -> Gap:
    return Gap(payout, "USD", D(amount), AT, number)


def row(name: str, amount: str, code: ExceptionCode = C.DROPPED, other: str | None = None, **more: Any) -> Explanation:
    facts = {"payout_source_id": "po_1", "is_missing": D(amount) > 0, "is_known": True, "charge_source_id": None}
    return Explanation(**{**facts, **more}, code=code, source_id=name, amount=D(amount), other_source_id=other)


def lost(name: str, money: str) -> Explanation:
    return row(name, money, is_known=False, is_exact=False)


def named(*found: Explanation) -> list[tuple[str, Decimal]]:
    return sorted((one.source_id, one.amount) for one in found)


def test_one_is_missing_and_one_too_much() -> None:
    found = pairs([gap("9.71")], [row("txn_a", "-9.41", C.DOUBLED), row("txn_b", "19.12"), row("txn_c", "5.00")])
    assert named(*found["po_1"]) == [("txn_a", D("-9.41")), ("txn_b", D("19.12"))]


def test_no_pair_is_no_explanation() -> None:
    assert pairs([gap("9.72")], [row("txn_a", "-9.41"), row("txn_b", "19.12")]) == {}
    assert pairs([gap("38.24")], [row("txn_b", "19.12")]) == {}  # a row is not twice a pair
    assert pairs([gap("38.24")], [row("txn_b", "19.12", C.DOUBLED), row("txn_b", "19.12")]) == {}
    assert pairs([gap("28.53", "po_2")], [row("txn_a", "9.41"), row("txn_b", "19.12")]) == {}  # of another payout


def test_the_likeliest_of_what_a_gap_may_be_comes_first() -> None:
    rows = [row("txn_a", "9.41"), row("txn_b", "19.12"), row("txn_c", "18.12")]
    assert named(*pairs([gap("28.53"), gap("27.53", number=1)], rows)["po_1"])[1][0] == "txn_b"
    assert named(*pairs([gap("28.54"), gap("27.53", number=1)], rows)["po_1"])[1][0] == "txn_c"


def test_other_pairs_are_told_as_rivals() -> None:
    found = pairs([gap("10")], [row("txn_a", "4"), row("txn_b", "6"), row("txn_c", "3"), row("txn_d", "7")])
    assert [(one.source_id, one.rivals) for one in found["po_1"]] == [
        ("txn_a", ("txn_c", "txn_d")),
        ("txn_b", ("txn_c", "txn_d")),
    ]


def test_a_row_of_which_only_its_charge_tells_leaves_a_fee() -> None:
    """Of charges of 20.00 and 30.00 no list has a row; 9.41 is dropped: 28.53 leaves 19.12, a fee of 0.88."""
    rows = [row("txn_a", "9.41"), lost("txn_b", "20.00"), lost("txn_c", "30.00")]
    found = pairs([gap("28.53")], rows)
    assert named(*found["po_1"]) == [("txn_a", D("9.41")), ("txn_b", D("19.12"))]
    assert all(one.is_exact for one in found["po_1"])
    assert pairs([gap("20.00")], rows) == {}  # 10.59 of 20.00 or 30.00 would be a fee of about the half


def test_what_else_would_leave_a_fee_is_told_as_a_rival() -> None:
    """Of 28.53, 9.40 leaves 19.13 of 20.00, the least fee; 9.41 leaves 19.12 of it, 2.00 leaves 26.53 of 30.00."""
    rows = [
        row("txn_a", "9.41"),
        row("txn_d", "9.40"),
        row("txn_e", "2.00"),
        lost("txn_b", "20.00"),
        lost("txn_c", "30.00"),
    ]
    found = pairs([gap("28.53")], rows)["po_1"]
    assert named(*found) == [("txn_b", D("19.13")), ("txn_d", D("9.40"))]
    assert {one.rivals for one in found} == {("txn_a", "txn_c", "txn_e")}


def test_of_two_such_rows_nothing_tells_how_much_is_whose() -> None:
    found = pairs([gap("48.00")], [lost("txn_b", "20.00"), lost("txn_c", "30.00")])
    assert named(*found["po_1"]) == [("txn_b", D("20.00")), ("txn_c", D("30.00"))]
    assert not any(one.is_exact for one in found["po_1"])


def test_what_was_moved_is_told_of_both_payouts() -> None:
    """19.12 was moved to po_2, and 9.41 is in no payout; both rows of 28.53 were moved."""
    moved = row("txn_b", "19.12", C.MOVED, "po_2")
    found = pairs([gap("28.53"), gap("-19.12", "po_2")], [row("txn_a", "9.41"), moved])
    (there,) = found["po_2"]
    assert (there.code, there.source_id, there.amount, there.is_missing, there.other_source_id) == (
        C.MOVED, "txn_b", D("-19.12"), False, "po_1"
    )  # fmt: skip
    both = pairs([gap("28.53"), gap("-28.53", "po_2")], [row("txn_a", "9.41", C.MOVED, "po_2"), moved])
    assert named(*both["po_2"]) == [("txn_a", D("-9.41")), ("txn_b", D("-19.12"))]


def test_a_row_that_two_payouts_may_have_lost_is_told_once_where_it_is() -> None:
    rows = [
        row(name, amount, code, other, payout_source_id=payout)
        for payout in ("po_1", "po_3")
        for name, amount, code, other in (("txn_b", "19.12", C.MOVED, "po_2"), ("txn_a", "9.41", C.DROPPED, None))
    ]
    found = pairs([gap("28.53"), gap("28.53", "po_3"), gap("-19.12", "po_2")], rows)
    assert [one.source_id for one in found["po_2"]] == ["txn_b"]


def test_a_row_that_is_in_no_payout_is_missing_in_one() -> None:
    rows = [
        row(name, amount, payout_source_id=payout)
        for payout in ("po_1", "po_2")
        for name, amount in (("txn_a", "9.41"), ("txn_b", "19.12"), ("txn_c", "9.41"), ("txn_d", "19.12"))
    ]
    found = pairs([gap("28.53"), gap("28.53", "po_2")], rows)
    assert {one.source_id for pair in found.values() for one in pair} == {"txn_a", "txn_b", "txn_c", "txn_d"}
    (taken,) = [one for one in rows if (one.payout_source_id, one.source_id) == ("po_2", "txn_a")]
    assert {one.source_id for one in pairs([gap("28.53")], rows, [taken])["po_1"]} == {"txn_b", "txn_c"}


@given(st.lists(st.integers(-99_999, 99_999).filter(bool), min_size=2, max_size=40), st.data())
def test_what_is_planted_is_found(cents: list[int], data: st.DataObject) -> None:
    rows = [row(f"txn_{number}", str(D(amount) / 100)) for number, amount in enumerate(cents)]
    first, second = data.draw(st.lists(st.sampled_from(rows), min_size=2, max_size=2, unique=True))
    planted = first.amount + second.amount
    chosen = pairs([gap(str(planted))], rows)["po_1"]
    assert sum(one.amount for one in chosen) == planted
    assert len({one.source_id for one in chosen}) == 2
