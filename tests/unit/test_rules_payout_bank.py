"""The leg of a payout to the bank: by trace id, by amount and text, awaited, missing, and what else can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolleno_pipelines.rules.payout_bank import bank_legs
from kolleno_pipelines.schemas.payout_bank import BankCandidate, BankDays, BankLeg, BankPayout

D = Decimal
ARRIVAL = date(2026, 2, 5)
WINDOW = timedelta(days=5)
USD = {("bank", "A"): "USD"}


def payout(source_id: str = "po_1", amount: str = "96.80", **more: Any) -> BankPayout:
    facts: dict[str, Any] = {
        "connection": "stripe",
        "source_id": source_id,
        "amount": D(amount),
        "currency_iso": "USD",
        "created_at": datetime(2026, 2, 4, 2, tzinfo=UTC),
        "date_arrival": ARRIVAL,
        "is_taken_back": False,
        "destination_source_id": "ba_1",
    }
    return BankPayout(**facts | more)


def line(
    source_id: str = "L1", amount: str = "96.80", *, of: str = "po_1", by: str = "trace", **more: Any
) -> BankCandidate:
    """A line that may be a payout's: `by` its trace id, the provider's `text`, or its `amount` alone."""
    facts: dict[str, Any] = {
        "payout_connection": "stripe",
        "payout_source_id": of,
        "connection": "bank",
        "source_id": source_id,
        "account_source_id": "A",
        "amount": D(amount),
        "currency_iso": "USD",
        "amount_instructed": None,
        "currency_instructed_iso": None,
        "day": ARRIVAL,
        "is_return": False,
        "has_trace": by == "trace",
        "names_provider": by != "amount",
    }
    return BankCandidate(**facts | more)


def known(first: date = date(2026, 2, 1), last: date = date(2026, 2, 28), account: str = "A") -> BankDays:
    return BankDays("bank", account, first, last)


def legs(
    payouts: Sequence[BankPayout],
    lines: Sequence[BankCandidate] = (),
    days: Sequence[BankDays] | None = None,
    accounts: dict[tuple[str, str], Any] | None = None,
) -> dict[str, BankLeg]:
    found = bank_legs(
        payouts, lines, USD if accounts is None else accounts, [known()] if days is None else days, WINDOW
    )
    return {payout: leg for (_, payout), leg in found.items()}


def told(leg: BankLeg) -> tuple[str, str | None, str | None, str | None, Decimal]:
    """Outcome, resolver, line, code, what is missing."""
    return (
        leg.outcome.value,
        leg.resolver and leg.resolver.value,
        leg.line and leg.line.source_id,
        leg.code and leg.code.value,
        leg.missing,
    )


def only(*lines: BankCandidate, **more: Any) -> tuple[str, str | None, str | None, str | None, Decimal]:
    return told(legs([payout(**more)], lines)["po_1"])


def test_a_line_is_found_by_the_trace_id() -> None:
    assert only(line()) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(line(day=ARRIVAL + timedelta(days=40))) == ("reconciled", "trace_id", "L1", None, D(0)), "however late"


def test_else_by_amount_days_and_the_provider_s_text() -> None:
    assert only(line(by="text")) == ("reconciled", "descriptor", "L1", None, D(0))


def test_amount_and_day_alone_prove_nothing() -> None:
    assert only(line(by="amount")) == ("not_at_bank", None, None, "no_bank_line", D("96.80"))
    leg = legs([payout()], [line(by="amount")])["po_1"]
    assert leg.evidence == (
        "The statements until 5 days after 2026-02-05, when USD 96.80 was to arrive, have no line of it. USD 96.80 of"
        " 2026-02-05, line L1 is of its amount, but names neither its trace id nor the provider."
    )


def test_a_payout_below_zero_is_a_debit() -> None:
    assert only(line(amount="-5.00"), amount="-5.00") == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(line(amount="5.00"), amount="-5.00") == ("amount_mismatch", "trace_id", "L1", "bank_amount", D(-10))


@pytest.mark.parametrize(("amount", "missing"), [("96.79", "0.01"), ("96.81", "-0.01")])
def test_another_amount_is_told_to_the_cent(amount: str, missing: str) -> None:
    assert only(line(amount=amount)) == ("amount_mismatch", "trace_id", "L1", "bank_amount", D(missing))


def test_an_exchange_is_judged_by_what_was_instructed() -> None:
    booked = line(amount="82.10", currency_iso="EUR", amount_instructed=D("96.80"), currency_instructed_iso="USD")
    assert only(booked) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(replace(booked, amount_instructed=D("96.00")))[3] == "bank_amount"
    assert only(line(amount="82.10", currency_iso="EUR")) == (
        "currency_mismatch", "trace_id", "L1", "bank_currency", D("96.80"),
    )  # fmt: skip


def test_a_payout_that_the_bank_has_twice_is_told() -> None:
    assert only(line(), line("L2")) == ("amount_mismatch", "trace_id", "L2", "bank_doubled", D("-96.80"))
    assert only(line(), line("L2"), line("L3"))[3:] == ("bank_doubled", D("-193.60")), "twice too often"


def test_what_names_a_payout_in_passing_is_not_it() -> None:
    """A customer's own transfer may name the trace id; the payout's line is the one of its amount."""
    passing = line("L0", "500.00", day=ARRIVAL - timedelta(days=1))
    assert only(passing, line()) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(passing, line(), line("L2"))[2:4] == ("L2", "bank_doubled")
    assert only(line(), line("L2", "-95.80", is_return=True))[3] == "bank_returned", "less what sending back cost"


def test_two_payouts_of_one_trace_id_have_their_lines_by_amount() -> None:
    lines = [line(name, amount, of=of) for name, amount in (("L1", "5.00"), ("L2", "7.00")) for of in ("po_1", "po_2")]
    found = legs([payout(amount="7.00"), payout("po_2", "5.00")], lines)
    assert [told(found[name])[:3] for name in ("po_1", "po_2")] == [
        ("reconciled", "trace_id", "L2"),
        ("reconciled", "trace_id", "L1"),
    ]
    found = legs([payout(amount="7.00"), payout("po_2", "5.00")], lines[:2])
    assert [found[name].code for name in ("po_1", "po_2")] == ["no_bank_line", None], "the other's line is not its"


def test_a_payout_that_the_bank_booked_in_parts_is_there() -> None:
    parts = [line("L1", "60.00"), line("L2", "36.80")]
    assert only(*parts) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(parts[0], line("L2", "36.79"))[3] == "bank_amount"
    assert only(*parts, line("L3", "-96.80"))[3] == "bank_amount"


def test_money_that_the_bank_sent_back_is_told() -> None:
    back = line("L2", "-96.80", is_return=True)
    assert only(line(), back) == ("not_at_bank", "trace_id", "L2", "bank_returned", D("96.80"))
    assert only(back) == ("not_at_bank", "trace_id", "L2", "bank_returned", D("96.80"))
    assert only(line(), back, line("L3", day=ARRIVAL + timedelta(days=3)))[0] == "reconciled", "sent once more"


def test_a_payout_that_failed_must_not_stay_at_the_bank() -> None:
    back = line("L2", "-96.80", is_return=True, day=ARRIVAL + timedelta(days=1))
    failed = {"is_taken_back": True}
    assert only(line(), back, **failed) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(line(), **failed) == ("not_at_bank", "trace_id", "L1", "bank_kept", D("-96.80"))
    assert only(**failed) == ("reconciled", None, None, None, D(0)), "neither side has it"
    assert legs([payout(**failed)], days=[known(last=ARRIVAL)])["po_1"].outcome.value == "awaiting_bank"
    early = legs([payout(**failed)], [line()], [known(last=ARRIVAL + timedelta(days=9))])["po_1"]
    assert told(early)[0] == "awaiting_bank", "a bank may take ten days to send back"
    tenth = legs([payout(**failed)], [line()], [known(last=ARRIVAL + timedelta(days=10))])["po_1"]
    assert told(tenth)[3] == "bank_kept", "the tenth day is over"


def test_what_came_without_a_trace_id_may_have_gone_back() -> None:
    came, back = line(by="text"), line("L2", "-96.80", by="text", is_return=True, day=ARRIVAL + timedelta(days=1))
    assert only(came, back) == ("not_at_bank", "descriptor", "L2", "bank_returned", D("96.80"))
    assert only(came, replace(back, is_return=False))[0] == "reconciled", "a debit that the bank does not call a return"
    assert only(came, line("L2", by="text", is_return=True))[0] == "reconciled", "a return that came in is another's"
    assert only(line(by="text", is_return=True))[3] == "no_bank_line", "nor is it the payout"
    assert only(came, back, is_taken_back=True) == ("reconciled", "descriptor", "L1", None, D(0))
    assert only(came, is_taken_back=True) == ("not_at_bank", "descriptor", "L1", "bank_kept", D("-96.80"))


def test_a_line_may_come_until_the_window_is_over() -> None:
    for days, outcome in ((4, "awaiting_bank"), (5, "not_at_bank")):
        found = legs([payout()], days=[known(last=ARRIVAL + timedelta(days=days))])
        assert found["po_1"].outcome.value == outcome


def test_what_no_statement_covers_is_not_missing() -> None:
    gap = [known(last=ARRIVAL - timedelta(days=1)), known(first=ARRIVAL + timedelta(days=1))]
    assert legs([payout()], days=gap)["po_1"].outcome.value == "awaiting_bank"
    assert legs([payout()], days=[])["po_1"].outcome.value == "awaiting_bank", "an account without balances"
    before = legs([payout()], days=[known(first=ARRIVAL + timedelta(days=1))])
    assert before["po_1"].outcome.value == "not_compared", "from before the first statement"
    assert legs([payout()], accounts={("bank", "A"): "EUR"})["po_1"].outcome.value == "not_compared"
    assert legs([payout()], accounts={})["po_1"].outcome.value == "not_compared"
    assert legs([payout(date_arrival=None)])["po_1"].outcome.value == "awaiting_bank"


def test_a_line_that_may_have_come_early_is_not_missing_where_nobody_knows_those_days() -> None:
    """The bank may book up to two days before the day of arrival: those days must be known as well."""
    for days, outcome in ((2, "not_at_bank"), (1, "not_compared"), (0, "not_compared")):
        found = legs([payout()], days=[known(first=ARRIVAL - timedelta(days=days))])
        assert found["po_1"].outcome.value == outcome
    gap = [known(last=ARRIVAL - timedelta(days=3)), known(first=ARRIVAL - timedelta(days=1))]
    assert legs([payout()], days=gap)["po_1"].outcome.value == "awaiting_bank"


def test_every_account_of_its_currency_may_have_it_until_one_is_known() -> None:
    accounts = {("bank", "A"): "USD", ("bank", "B"): "USD"}
    days = [known(), known(last=ARRIVAL, account="B")]
    assert legs([payout()], days=days, accounts=accounts)["po_1"].outcome.value == "awaiting_bank"
    earlier = payout("po_0", "1.00")
    found = legs([payout(), earlier], [line("L0", "1.00", of="po_0")], days, accounts)
    assert told(found["po_1"])[3] == "no_bank_line", "its destination leads to account A"
    nameless = [replace(one, destination_source_id=None) for one in (payout(), earlier)]
    found = legs(nameless, [line("L0", "1.00", of="po_0")], days, accounts)
    assert told(found["po_1"])[0] == "awaiting_bank", "two payouts without a destination have none in common"
    third = line("L3", "2.00", of="po_3", account_source_id="B")
    accounts[("bank", "C")], days[1] = "USD", known(account="B")
    found = legs([payout(), earlier, payout("po_3", "2.00")], [line("L0", "1.00", of="po_0"), third], days, accounts)
    assert told(found["po_1"])[0] == "awaiting_bank", "its destination led to two, so that a third may have it"


def test_two_payouts_of_one_amount_have_a_line_each() -> None:
    two = [payout(), payout("po_2")]
    lines = [line(name, by="text", of=of) for name in ("L1", "L2") for of in ("po_1", "po_2")]
    for order in permutations(lines):
        found = legs(two[::-1], order)
        assert [(one.outcome.value, one.line and one.line.source_id) for one in (found["po_1"], found["po_2"])] == [
            ("reconciled", "L1"),
            ("reconciled", "L2"),
        ]


def test_one_line_stands_for_one_payout() -> None:
    lines = [line(by="text", of=of) for of in ("po_1", "po_2")]
    found = legs([payout(), payout("po_2", date_arrival=ARRIVAL + timedelta(days=1))], lines)
    assert told(found["po_1"])[:3] == ("reconciled", "descriptor", "L1")
    assert told(found["po_2"])[3] == "no_bank_line"
    assert "line L1 stands for payout po_1." in found["po_2"].evidence


def test_a_line_whose_trace_id_two_payouts_have_stands_for_the_earlier() -> None:
    found = legs([payout("po_2", date_arrival=ARRIVAL + timedelta(days=1)), payout()], [line(of="po_2"), line()])
    assert told(found["po_1"])[:3] == ("reconciled", "trace_id", "L1")
    assert told(found["po_2"])[3] == "no_bank_line"


def test_a_trace_id_comes_before_an_earlier_payout_s_text() -> None:
    """The only line is the later payout's by its trace id, though the earlier one is of the same amount."""
    lines = [line(of="po_2"), line(by="text", of="po_1")]
    found = legs([payout(), payout("po_2", date_arrival=ARRIVAL + timedelta(days=1))], lines)
    assert (found["po_1"].outcome.value, found["po_2"].outcome.value) == ("not_at_bank", "reconciled")


@given(st.data())
def test_no_line_is_taken_twice_and_order_does_not_matter(data: st.DataObject) -> None:
    amounts = st.sampled_from(["1.00", "2.00", "-1.00"])
    payouts = [
        payout(f"po_{number}", amount, date_arrival=ARRIVAL + timedelta(days=day), connection=connection)
        for number, (amount, day, connection) in enumerate(
            data.draw(
                st.lists(st.tuples(amounts, st.integers(0, 3), st.sampled_from(["stripe", "stripe_eu"])), max_size=5)
            )
        )
    ]
    booked = data.draw(
        st.lists(st.tuples(amounts, st.integers(-2, 5), st.sampled_from(["trace", "text", "amount"])), max_size=6)
    )
    lines = [
        line(
            f"L{number}",
            amount,
            of=one.source_id,
            by=by,
            payout_connection=one.connection,
            day=ARRIVAL + timedelta(days=day),
        )
        for number, (amount, day, by) in enumerate(booked)
        for one in payouts
        if one.amount == D(amount) and (by != "trace" or one == payouts[number % len(payouts)])
    ]
    found = bank_legs(payouts, lines, USD, [known()], WINDOW)
    assert found.keys() == {(one.connection, one.source_id) for one in payouts}
    taken = [leg.line.source_id for leg in found.values() if leg.line is not None]
    assert len(taken) == len(set(taken))
    mixed = data.draw(st.permutations(lines)), data.draw(st.permutations(payouts))
    assert bank_legs(mixed[1], mixed[0], USD, [known()], WINDOW) == found


def test_a_fee_that_names_the_payout_takes_nothing_back() -> None:
    fee = line("L2", "-1.50")
    assert only(line(), fee) == ("reconciled", "trace_id", "L1", None, D(0))
    assert only(fee)[3] == "no_bank_line"


def test_a_part_that_went_back_is_told_to_the_cent() -> None:
    back = line("L2", "-90.00", is_return=True, day=ARRIVAL + timedelta(days=1))
    assert only(line(), back) == ("not_at_bank", "trace_id", "L2", "bank_returned", D("90.00"))
    assert only(line(), back, is_taken_back=True) == ("not_at_bank", "trace_id", "L1", "bank_kept", D("-6.80"))


def test_an_account_that_begins_later_may_have_it() -> None:
    accounts = {("bank", "A"): "USD", ("bank", "B"): "USD"}
    days = [known(), known(first=ARRIVAL + timedelta(days=3), account="B")]
    assert legs([payout()], days=days, accounts=accounts)["po_1"].outcome.value == "not_compared"


def test_it_is_wrong_since_the_last_day_on_which_it_may_be_booked() -> None:
    assert legs([payout()])["po_1"].since == ARRIVAL + WINDOW
    assert legs([payout()], [line(amount="1.00")])["po_1"].since == ARRIVAL


def test_of_many_lines_of_its_amount_some_are_told() -> None:
    many = [line(f"L{number}", by="amount") for number in range(8)]
    assert "line L4 is of its amount" in legs([payout()], many)["po_1"].evidence
    assert legs([payout()], many)["po_1"].evidence.endswith("3 more lines are of its amount.")
