"""Money that goes back: refunds, disputes, debits that fail late, each with figures worked out by hand. No HTTP.

Amounts in the text are in major units, in the code in minor ones. A card costs 2.9 % + 0.30, a debit 0.8 % and at most
5.00, a dispute 15.00.
"""

from __future__ import annotations

from datetime import timedelta

from kolleno_pipelines.sandbox.stripe import charging, disputes
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.scenes import AT, Case, PayoutFigures, Row, Scene

DAY = timedelta(days=1)
_HUNDRED = Payment(10_000)
_DEBIT = Payment(100_000, method="us_bank_account")
_HUNDRED_ROW = Row("charge", 10_000, 320, 9_680)
_TWO_HUNDRED_ROW = Row("charge", 20_000, 610, 19_390)
_DEBIT_ROW = Row("charge", 100_000, 500, 99_500)


def negative() -> Case:
    """96.80 is paid out on Wednesday; 100.00 is refunded on Thursday and taken from the bank on Friday."""
    scene = Scene("negative")
    scene.take(AT, _HUNDRED)
    scene.ids["refund"] = charging.refund(scene.account, AT + 3 * DAY, scene.ids["charge"])["id"]
    return scene.case(
        PayoutFigures(9_680, "reconciled", (_HUNDRED_ROW,)),
        PayoutFigures(-10_000, "reconciled", (Row("refund", -10_000, 0, -10_000),)),
        unapplied=("charge",),
    )


def partial_refunds() -> Case:
    """Of 100.00, 30.00 and 20.00 are refunded on Tuesday, before the payout, which is 46.80."""
    scene = Scene("partial")
    scene.take(AT, _HUNDRED)
    for number, amount in enumerate((3_000, 2_000), 1):
        made = charging.refund(scene.account, AT + DAY + timedelta(hours=number), scene.ids["charge"], amount)
        scene.ids[f"refund_{number}"] = made["id"]
    rows = (_HUNDRED_ROW, Row("refund", -3_000, 0, -3_000), Row("refund", -2_000, 0, -2_000))
    return scene.case(PayoutFigures(4_680, "reconciled", rows))


def refund_failed() -> Case:
    """Of 100.00, 40.00 is refunded on Tuesday (payout 56.80) and comes back on Thursday (payout 40.00 on Friday)."""
    scene = Scene("refund-failed")
    scene.take(AT, _HUNDRED)
    scene.ids["refund"] = charging.refund(scene.account, AT + DAY, scene.ids["charge"], 4_000)["id"]
    charging.fail_refund(scene.account, AT + 3 * DAY, scene.ids["refund"])
    return scene.case(
        PayoutFigures(5_680, "reconciled", (_HUNDRED_ROW, Row("refund", -4_000, 0, -4_000))),
        PayoutFigures(4_000, "reconciled", (Row("refund_failure", 4_000, 0, 4_000),)),
    )


def dispute_won() -> Case:
    """100.00 is disputed on Tuesday for 100.00 + 15.00 and won on Thursday: payouts of 175.70 and 115.00.

    Beside it 200.00 less 6.10 is charged: 96.80 + 193.90 - 115.00 = 175.70.
    """
    return _disputed("dispute-won", won=True)


def dispute_won_without_fee() -> Case:
    """As dispute_won, but the fee of 15.00 stays with Stripe: payouts of 175.70 and 100.00."""
    return _disputed("dispute-won-less", won=True, fee_back=False)


def dispute_lost() -> Case:
    """100.00 is disputed for 100.00 + 15.00 and lost on Thursday: one payout of 175.70, the payment is unapplied."""
    return _disputed("dispute-lost", won=False)


def _disputed(name: str, *, won: bool, fee_back: bool = True) -> Case:
    scene = Scene(name)
    scene.take(AT, _HUNDRED)
    scene.take(AT, Payment(20_000), "other")
    scene.ids["dispute"] = disputes.open_dispute(scene.account, AT + DAY, scene.ids["charge"])["id"]
    disputes.close_dispute(scene.account, AT + 3 * DAY, scene.ids["dispute"], won=won, fee_back=fee_back)
    rows = (_HUNDRED_ROW, _TWO_HUNDRED_ROW, Row("dispute", -10_000, 1_500, -11_500))
    first = PayoutFigures(17_570, "reconciled", rows)
    if not won:
        return scene.case(first, unapplied=("charge",))
    back = Row("dispute_reversal", 10_000, -1_500 if fee_back else 0, 11_500 if fee_back else 10_000)
    return scene.case(first, PayoutFigures(back.net, "reconciled", (back,)))


def inquiry() -> Case:
    """An inquiry about 100.00 is opened and closed: no money moves, the payout is 96.80."""
    scene = Scene("inquiry")
    scene.take(AT, _HUNDRED)
    scene.ids["dispute"] = disputes.open_dispute(scene.account, AT + DAY, scene.ids["charge"], inquiry=True)["id"]
    disputes.close_dispute(scene.account, AT + 3 * DAY, scene.ids["dispute"], won=False)
    return scene.case(PayoutFigures(9_680, "reconciled", (_HUNDRED_ROW,)))


def late_failure() -> Case:
    """A debit of 1,000.00 less 5.00 succeeds and is paid out on Friday: 995.00, in the bank on Monday at 9:00.

    At 9:30 it fails, for 4.00 more: on Tuesday 1,004.00 is taken from the bank.
    """
    scene = Scene("late-failure")
    scene.take(AT, _DEBIT)
    charging.fail(scene.account, AT + 7 * DAY, scene.ids["charge"], failure_fee=400)
    return scene.case(
        PayoutFigures(99_500, "reconciled", (_DEBIT_ROW,)),
        PayoutFigures(-100_400, "reconciled", (Row("charge_failure", -100_000, 400, -100_400),)),
        unapplied=("charge",),
    )


def late_failure_as_dispute() -> Case:
    """As late_failure, but the bank's return comes as a dispute for insufficient funds, lost at once: -1,015.00."""
    scene = Scene("late-dispute")
    scene.take(AT, _DEBIT)
    reason = "insufficient_funds"
    made = disputes.open_dispute(scene.account, AT + 7 * DAY, scene.ids["charge"], reason=reason)
    scene.ids["dispute"] = made["id"]
    return scene.case(
        PayoutFigures(99_500, "reconciled", (_DEBIT_ROW,)),
        PayoutFigures(-101_500, "reconciled", (Row("dispute", -100_000, 1_500, -101_500),)),
        unapplied=("charge",),
    )


def failed_while_pending() -> Case:
    """A debit of 1,000.00 less 5.00 fails on Wednesday, before it is certain; a card pays 100.00 on the same Wednesday.

    The payout of Friday is 96.80 + 995.00 - 1,000.00 = 91.80: Stripe keeps the debit's fee.
    """
    scene = Scene("failed-pending")
    scene.take(AT, _DEBIT)
    charging.fail(scene.account, AT + 2 * DAY, scene.ids["charge"])
    scene.take(AT + 2 * DAY, _HUNDRED, "card")
    rows = (_DEBIT_ROW, Row("charge_failure", -100_000, 0, -100_000), _HUNDRED_ROW)
    return scene.case(PayoutFigures(9_180, "reconciled", rows), unapplied=("charge",))


LATE_CASES = (
    *(negative, partial_refunds, refund_failed, dispute_won, dispute_won_without_fee, dispute_lost, inquiry),
    *(late_failure, late_failure_as_dispute, failed_while_pending),
)
