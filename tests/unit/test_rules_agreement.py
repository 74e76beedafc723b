"""What a mirror says against the ledger: hand-worked cases, and what holds whatever the two say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.agreement import Agreement, agree
from kolleno_pipelines.schemas.agreement import (
    Side,
    SideCustomer,
    SideDocument,
    traits_of,
)
from kolleno_pipelines.schemas.ledger_parts import DocumentKind

SEEN = datetime(2026, 1, 1, tzinfo=UTC)
READ = datetime(2026, 3, 1, tzinfo=UTC)
DAY = date(2026, 1, 10)
CUSTOMERS = ("acme", "bolt")


def document(source_id: str, amount: str, balance: str | None = None, **more: Any) -> SideDocument:
    facts = {
        "kind": "invoice",
        "source_id": source_id,
        "ref": f"R{source_id}",
        "customer": "acme",
        "currency_iso": "USD",
        "date_issued": DAY,
        "is_posted": True,
        "amount": Decimal(amount),
        "balance": Decimal(balance or amount),
        "observed_at": SEEN,
    }
    return SideDocument(**facts | more)


def side(name: str, documents: Iterable[SideDocument], system: str = "quickbooks", **customers: str | None) -> Side:
    """`customers`: parents by name."""
    listed = list(documents)
    owed: dict[tuple[str, str], Decimal] = {}
    for one in listed:
        key = (one.customer, one.currency_iso)
        owed[key] = owed.get(key, Decimal(0)) + one.balance * DocumentKind(one.kind).sign * one.is_posted
    people = [SideCustomer(f"{name} {one}", one, None, SEEN) for one in CUSTOMERS if one not in customers]
    people += [
        SideCustomer(f"{name} {one}", one, f"{name} {up}" if up else None, SEEN) for one, up in customers.items()
    ]
    return Side(name, traits_of(system), people, listed, owed, READ)


def compared(
    mine: Iterable[SideDocument], theirs: Iterable[SideDocument], system: str = "sftp", tolerance: str = "0"
) -> Agreement:
    return agree(side("qb", mine), side("csv", theirs, system), {"USD": Decimal(tolerance)})


def told(found: Agreement) -> list[tuple[str, str, str, str | None]]:
    return sorted((one.differs, one.source_id, one.mirror_source_id, one.cause) for one in found.breaks)


def test_one_payment_there_is_several_here() -> None:
    """100 as one payment, and as 60 and 40 of the same number and day, of which one lies on account."""
    mine = [document("1", "100", "40", kind="payment", ref="BNK 1")]
    theirs = [document(name, amount, balance, kind="payment", ref="BNK 1") for name, amount, balance in
              (("x", "60", "0"), ("y", "40", "40"))]  # fmt: skip
    assert told(compared(mine, theirs, "xero")) == []


def test_payments_of_one_reference_are_compared_customer_by_customer() -> None:
    """600 of one customer and 400 of another, by one number: 500 and 500 sum to the same, and are not the same."""
    parts = (("1", "600", "acme"), ("2", "400", "bolt"))
    mine = [document(name, amount, "0", kind="payment", ref="K 1", customer=whose) for name, amount, whose in parts]
    same = [SideDocument(**{**one.__dict__, "source_id": f"x{one.source_id}"}) for one in mine]
    assert told(compared(mine, same)) == []
    halves = [SideDocument(**{**one.__dict__, "amount": Decimal(500)}) for one in same]
    assert told(compared(mine, halves)) == [("amount", "1", "x1", None), ("amount", "2", "x2", None)]
    one_payer = [SideDocument(**{**one.__dict__, "customer": "acme"}) for one in same]
    assert told(compared(mine, one_payer)) == [("customer", "1+2", "x1+x2", None)]


def test_what_differs_is_named_in_one_break() -> None:
    base = document("1", "100", "40")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"balance": Decimal(39)}, "balance"),
        ({"amount": Decimal(90), "balance": Decimal(30)}, "amount, balance"),
        ({"date_issued": date(2026, 1, 11)}, "date"),
        ({"currency_iso": "EUR"}, "currency"),
        ({"customer": "bolt"}, "customer"),
    ]
    for changed, differs in cases:
        other = SideDocument(**{**base.__dict__, "source_id": "x", **changed})
        assert told(compared([base], [other])) == [(differs, "1", "x", None)]


def test_missing_and_why() -> None:
    later = datetime(2026, 3, 2, tzinfo=UTC)
    mine = [document("1", "10"), document("2", "20", observed_at=later), document("3", "30")]
    theirs = [document("z", "30", "0", ref="R3", is_posted=False), document("w", "7")]
    assert told(compared(mine, theirs)) == [
        ("not_in_ledger", "", "w", "missing_document"),
        ("not_in_mirror", "1", "", "missing_document"),
        ("not_in_mirror", "2", "", "stale_extract"),
        ("not_in_mirror", "3", "z", "void"),
    ]


def test_gaps_are_no_breaks() -> None:
    mine = [document("J", "-12.5", kind="journal"), document("P", "0", kind="payment", ref=None)]
    found = compared(mine, [])
    assert found.breaks == []
    assert [(one.gap, one.items, one.balance) for one in found.gaps] == [
        ("no_journals", 1, Decimal("-12.5")), ("zero_payment", 1, 0)
    ]  # fmt: skip
    assert [(row.difference, row.expected) for row in found.rows] == [(Decimal("-12.5"), Decimal("-12.5"))]
    both = agree(side("qb", mine), side("ns", [], "netsuite"), {})
    assert [one.differs for one in both.breaks] == ["not_in_mirror"]


def test_a_customer_who_owes_nothing_is_told_of_where_a_gap_is_expected() -> None:
    """A journal of 1 that the mirror cannot have, and a payment of 1 that it should: both come to 0 in the ledger."""
    mine = [document("P", "1", "1", kind="payment"), document("J", "1", "1", kind="journal")]
    found = compared(mine, [])
    assert [(row.balance, row.difference, row.expected) for row in found.rows] == [(0, 0, Decimal(1))]
    assert [one.balance for one in found.breaks] == [Decimal(-1)]


def test_parents_are_compared_where_both_have_them() -> None:
    mine = side("qb", [], bolt="acme")
    assert [one.differs for one in agree(mine, side("csv", [], "sftp"), {}).breaks] == ["parent"]
    assert agree(mine, side("csv", [], "sftp", bolt="acme"), {}).breaks == []
    flat = agree(mine, side("xero", [], "xero"), {})
    assert (flat.breaks, [(one.gap, one.items) for one in flat.gaps]) == ([], [("no_groups", 1)])


def test_tolerance_and_rounding() -> None:
    mine, theirs = [document("1", "10", "5")], [document("1", "10", "4.99")]
    assert told(compared(mine, theirs)) == [("balance", "1", "1", "rounding")]
    assert told(compared(mine, theirs, tolerance="0.01")) == []


_DOCUMENTS = st.lists(
    st.builds(
        document,
        st.sampled_from("12345"),
        st.integers(0, 30).map(str),
        st.integers(0, 30).map(str),
        kind=st.sampled_from(["invoice", "payment", "credit_note", "journal"]),
        ref=st.sampled_from([None, "A", "B", "C"]),
        customer=st.sampled_from(CUSTOMERS),
        currency_iso=st.sampled_from(["USD", "EUR"]),
        date_issued=st.sampled_from([DAY, date(2026, 1, 11)]),
        is_posted=st.booleans(),
    ),
    max_size=6,
)


@given(_DOCUMENTS, st.permutations(range(6)))
def test_a_ledger_agrees_with_itself_in_any_order(documents: list[SideDocument], order: list[int]) -> None:
    other = [documents[place] for place in order if place < len(documents)]
    found = compared(documents, other, "netsuite")
    assert (found.breaks, found.gaps) == ([], [])
    assert {row.difference for row in found.rows} <= {0}


@given(_DOCUMENTS, _DOCUMENTS, st.permutations(range(6)))
def test_order_does_not_matter_and_nothing_is_lost(
    mine: list[SideDocument], theirs: list[SideDocument], order: list[int]
) -> None:
    """What is owed otherwise in a currency is what the breaks and gaps come to, where no break crosses currencies."""
    found = compared(mine, theirs)
    again = compared([mine[place] for place in order if place < len(mine)], theirs)
    assert [one.break_id for one in found.breaks] == [one.break_id for one in again.breaks]
    assert (found.rows, found.gaps) == (again.rows, again.gaps)
    if any("currency" in one.differs for one in found.breaks):
        return
    for currency in ("USD", "EUR"):
        apart = sum((row.difference - row.expected for row in found.rows if row.currency_iso == currency), Decimal(0))
        broken = [one for one in found.breaks if one.currency_iso == currency]
        assert apart == sum(((one.balance or 0) - (one.mirror_balance or 0) for one in broken), Decimal(0))
