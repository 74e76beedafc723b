"""The scenes of Stripe that the cases at the bank begin with, in accounts of their own. No bank.

Figures are in minor units: a card costs 2.9 % + 0.30, so that 9,680 of 10,000 is paid out.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from kolleno_pipelines.sandbox.stripe import charging, payouts
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Terms
from kolleno_pipelines.sandbox.stripe.scenes import AT, Case, PayoutFigures, Row, Scene

_DAY = timedelta(days=1)
_HUNDRED = Payment(10_000)
_PAID_OUT = PayoutFigures(9_680, "reconciled", (Row("charge", 10_000, 320, 9_680),))


def hundred(name: str, *, at: datetime = AT, trace: str = "supported", descriptor: str = "") -> Case:
    """100.00 is charged; its payout is 96.80, made two days later. descriptor: the payout's own text for the bank."""
    scene = Scene(f"bank-{name}", Terms(trace=trace))
    scene.take(at, _HUNDRED)
    if descriptor:
        moment = scene.account.advance(at + 2 * _DAY)
        (payout_id,) = scene.account.members
        scene.account.change(payout_id, Kind.PAYOUTS, moment, "payout.updated", statement_descriptor=descriptor)
    return scene.case(_PAID_OUT)


def sent_back(name: str, at: datetime) -> Case:
    """The payout of 96.80 fails at a moment, before or after it shows as paid, and is paid out again."""
    scene = Scene(f"bank-{name}")
    scene.take(AT, _HUNDRED)
    scene.account.advance(at)
    (payout_id,) = scene.account.members
    payouts.fail_payout(scene.account, at, payout_id)
    return scene.case(
        PayoutFigures(9_680, "reversed", _PAID_OUT.rows),
        PayoutFigures(9_680, "reconciled", (Row("payout_reversal", 9_680, 0, 9_680),)),
    )


def negative(name: str) -> Case:
    """96.80 is paid out; 100.00 is refunded on Thursday and taken from the bank on Friday, to arrive on Monday."""
    scene = Scene(f"bank-{name}")
    scene.take(AT, _HUNDRED)
    charging.refund(scene.account, AT + 3 * _DAY, scene.ids["charge"])
    taken = PayoutFigures(-10_000, "reconciled", (Row("refund", -10_000, 0, -10_000),))
    return scene.case(_PAID_OUT, taken, unapplied=("charge",))


def by_hand(
    name: str, *, count: int = 1, instant: bool = False, cancelled: bool = False, trace: str = "supported"
) -> Case:
    """Of 485.20, 100.00 is paid out by hand on Thursday at 9:30, once or an hour later again; perhaps taken back."""
    scene = Scene(f"bank-{name}", Terms(automatic=False, trace=trace))
    scene.take(AT, Payment(50_000))
    at = AT + 3 * _DAY
    for number in range(count):
        made = payouts.pay_out(scene.account, at + timedelta(hours=number), 10_000, "usd", instant=instant)
        if cancelled:
            payouts.cancel_payout(scene.account, at + timedelta(hours=number + 1), made["id"])
    outcome = "reversed" if cancelled else "not_itemisable"
    return scene.case(*[PayoutFigures(10_000, outcome)] * count)
