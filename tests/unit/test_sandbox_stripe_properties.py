"""Random histories of a sandbox Stripe account: the laws of money hold at every moment of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from kolleno_pipelines.sandbox.stripe import charging, disputes, movements, payouts
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment, RefusedError
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from tests.stripe_book import AT, FX, check_laws, ledger, payouts_of, rows

Step = tuple[str, int, int, int]
_HOURS = st.integers(0, 60)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *("card", "debit", "euros", "fail", "refund", "part", "fail_refund", "dispute", "inquiry", "close"),
                *("by_hand", "instant", "fail_payout", "cancel", "bill", "adjust", "top_up", "reserve", "wait"),
            )
        ),
        st.integers(1, 300_000),
        st.integers(0, 1_000),
        _HOURS,
    ),
    max_size=30,
)
_TERMS = st.sampled_from((FX, Terms(rates=FX.rates, minimum={"usd": 10_000}), Terms(rates=FX.rates, automatic=False)))


def _some(account: Ledger, kind: Kind, choice: int) -> str:
    found = account.book.records(kind, account.now)
    return str(found[choice % len(found)]["id"]) if found else ""


def _act(account: Ledger, at: datetime, verb: str, amount: int, choice: int) -> None:
    """Do one thing, if there is something to do it with."""
    charge, payout = _some(account, Kind.CHARGES, choice), _some(account, Kind.PAYOUTS, choice)
    refund, dispute = _some(account, Kind.REFUNDS, choice), _some(account, Kind.DISPUTES, choice)
    plain: dict[str, Callable[[], object]] = {
        "card": lambda: charging.charge(account, at, Payment(amount)),
        "debit": lambda: charging.charge(account, at, Payment(amount, method="us_bank_account")),
        "euros": lambda: charging.charge(account, at, Payment(amount, "eur")),
        "by_hand": lambda: payouts.pay_out(account, at, amount, "usd"),
        "instant": lambda: payouts.pay_out(account, at, amount, "usd", instant=True),
        "bill": lambda: movements.bill(account, at, amount, "usd"),
        "adjust": lambda: movements.adjust(account, at, amount - 150_000, "usd"),
        "top_up": lambda: movements.top_up(account, at, amount, "usd"),
        "reserve": lambda: movements.reserve(account, at, amount, "usd"),
        "wait": lambda: account.advance(at),
    }
    on_objects: dict[str, tuple[str, Callable[[], object]]] = {
        "fail": (charge, lambda: charging.fail(account, at, charge, failure_fee=400)),
        "refund": (charge, lambda: charging.refund(account, at, charge)),
        "part": (charge, lambda: charging.refund(account, at, charge, amount)),
        "fail_refund": (refund, lambda: charging.fail_refund(account, at, refund)),
        "dispute": (charge, lambda: disputes.open_dispute(account, at, charge)),
        "inquiry": (charge, lambda: disputes.open_dispute(account, at, charge, inquiry=True)),
        "close": (dispute, lambda: disputes.close_dispute(account, at, dispute, won=choice % 2 == 0)),
        "fail_payout": (payout, lambda: payouts.fail_payout(account, at, payout)),
        "cancel": (payout, lambda: payouts.cancel_payout(account, at, payout)),
    }
    if verb in plain:
        plain[verb]()
    elif on_objects[verb][0]:
        on_objects[verb][1]()


@settings(max_examples=120, deadline=None)
@given(terms=_TERMS, steps=_STEPS)
def test_the_laws_of_money_hold_at_every_moment(terms: Terms, steps: list[Step]) -> None:
    account, at = ledger(terms), AT
    moments = [at]
    for verb, amount, choice, hours in steps:
        at += timedelta(hours=hours)
        account.advance(at)
        try:
            _act(account, at, verb, amount, choice)
        except RefusedError:
            account.advance(at)
        check_laws(account, at)
        moments.append(at)
    account.advance(at + timedelta(days=10))
    for moment in (*moments, account.now):
        check_laws(account, moment)
    if terms.automatic and not terms.minimum:
        paid = {each for members in account.members.values() for each in members}
        own = {each["balance_transaction"] for each in payouts_of(account) if each["automatic"]}
        left = [each for each in rows(account) if each["id"] not in paid | own]
        assert sum(each["net"] for each in left) == 0, "ten quiet days later everything is paid out"


@settings(max_examples=40, deadline=None)
@given(amount=st.integers(1, 10_000_000), parts=st.lists(st.integers(1, 1_000_000), max_size=6))
def test_refunds_in_parts_give_back_what_came_in(amount: int, parts: list[int]) -> None:
    account = ledger(FX)
    charge = charging.charge(account, AT, Payment(amount, "eur"))
    for part in parts:
        left = amount - account.book.latest(charge["id"])["amount_refunded"]
        if 0 < part < left:
            charging.refund(account, AT, charge["id"], part)
    charging.refund(account, AT, charge["id"])
    gross = [each["amount"] for each in rows(account)]
    assert sum(gross) == 0
    assert account.book.latest(charge["id"])["refunded"] is True
