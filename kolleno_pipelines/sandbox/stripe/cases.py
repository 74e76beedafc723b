"""Payouts of every outcome, each in an account of its own, with figures worked out by hand. No company, no HTTP.

Amounts in the text are in major units, in the code in minor ones. A card costs 2.9 % + 0.30.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.stripe import movements, payouts
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.late_cases import LATE_CASES
from kolleno_pipelines.sandbox.stripe.ledger import Terms
from kolleno_pipelines.sandbox.stripe.reading import Tamper
from kolleno_pipelines.sandbox.stripe.scenes import AT, BY_HAND, Case, PayoutFigures, Row, Scene

DAY = timedelta(days=1)
HUNDRED = Payment(10_000)
_HUNDRED_ROW = Row("charge", 10_000, 320, 9_680)


def reconciled() -> Case:
    """100.00 less 3.20, and 1,000.00 = 600.00 + 400.00 of two customers less 29.30: the payout is 1,067.50."""
    scene = Scene("reconciled")
    scene.take(AT, HUNDRED)
    scene.take(AT, Payment(100_000), "shared", pays=(60_000, 40_000))
    return scene.case(
        PayoutFigures(106_750, "reconciled", (_HUNDRED_ROW, Row("charge", 100_000, 2_930, 97_070))),
    )


def reconciled_by_charge_id() -> Case:
    """250.00 less 7.55 was charged elsewhere; the ledger's payment carries the charge's id: the payout is 242.45."""
    scene = Scene("charge-id")
    scene.take(AT, Payment(25_000), by_charge_id=True)
    return scene.case(
        PayoutFigures(24_245, "reconciled_with_fallback", (Row("charge", 25_000, 755, 24_245),)),
    )


def pending() -> Case:
    """100.00 is charged a week later: at 7:00 Stripe does not itemise the payout of 96.80 yet."""
    scene = Scene("pending")
    scene.take(AT + 7 * DAY, HUNDRED)
    return scene.case(PayoutFigures(9_680, "pending"))


def manual() -> Case:
    """500.00 less 14.80 is there; 400.00 of it is paid out by hand: nobody knows what it consists of."""
    scene = Scene("manual", BY_HAND)
    scene.take(AT, Payment(50_000))
    payouts.pay_out(scene.account, AT + 3 * DAY, 40_000, "usd")
    return scene.case(PayoutFigures(40_000, "not_itemisable"))


def instant() -> Case:
    """Of 485.20, 400.00 is paid out at once, for a fee of 6.00 (1.5 %) in a row of its own: 79.20 stay."""
    scene = Scene("instant", BY_HAND)
    scene.take(AT, Payment(50_000))
    payouts.pay_out(scene.account, AT + 3 * DAY, 40_000, "usd", instant=True)
    return scene.case(PayoutFigures(40_000, "not_itemisable"))


def unknown_member() -> Case:
    """Beside 100.00, 80.00 less 2.62 was charged of which the ledger knows nothing: the payout is 174.18."""
    scene = Scene("unknown-member")
    scene.take(AT, HUNDRED)
    scene.take(AT, Payment(8_000), "stranger", pays=())
    return scene.case(
        PayoutFigures(17_418, "blocked_unknown_member", (_HUNDRED_ROW, Row("charge", 8_000, 262, 7_738))),
    )


def unknown_category() -> Case:
    """Beside 100.00 a row of -1.23 has a category that is in no list: the payout is 95.57."""
    scene = Scene("unknown-category")
    scene.take(AT, HUNDRED)
    scene.ids["row"] = movements.unheard_of(scene.account, AT + DAY, -123, "usd")["id"]
    rows = (_HUNDRED_ROW, Row("network_cost", -123, 0, -123))
    return scene.case(PayoutFigures(9_557, "blocked_unknown_category", rows))


def before_cut_over() -> Case:
    """A debit of 300.00 less 2.40 is of Thursday, before the cut-over on Monday: it shares a payout of 394.40."""
    scene = Scene("cut-over")
    scene.take(AT - 4 * DAY, Payment(30_000, method="us_bank_account"), "old", pays=())
    scene.take(AT, HUNDRED)
    rows = (Row("charge", 30_000, 240, 29_760), _HUNDRED_ROW)
    return scene.case(PayoutFigures(39_440, "blocked_before_cutover", rows), cut_over=AT.date())


def amount_mismatch() -> Case:
    """100.00 was charged, the ledger's payment says 99.00: 1.00 too little. The payout is 96.80."""
    scene = Scene("amount")
    scene.take(AT, HUNDRED, pays=(9_900,))
    return scene.case(PayoutFigures(9_680, "amount_mismatch", (_HUNDRED_ROW,)))


def fee_mismatch() -> Case:
    """The API states a fee of 3.21 for 100.00, and a net of 96.80: one cent does not add up."""
    scene = Scene("fee")
    scene.take(AT, HUNDRED)
    row = scene.account.book.latest(scene.row())
    detail = {**row["fee_details"][0], "amount": 321}
    altered = {row["id"]: {"fee": 321, "fee_details": [detail]}}
    tamper = Tamper("fee_mismatch", "a fee is stated one cent too high", row["id"], altered)
    rows = (Row("charge", 10_000, 321, 9_680),)
    return scene.case(PayoutFigures(9_680, "fee_mismatch", rows), tamper=tamper)


def currency_mismatch() -> Case:
    """USD 100.00 was charged, the ledger's payment says EUR 100.00."""
    scene = Scene("currency")
    scene.take(AT, HUNDRED)
    scene.erp[0] = replace(scene.erp[0], currency_iso="EUR")
    return scene.case(PayoutFigures(9_680, "currency_mismatch", (_HUNDRED_ROW,)))


def reversed_after_paid() -> Case:
    """The payout of 96.80 shows as paid on Thursday and fails on Friday; its return is paid out on Monday."""
    scene = Scene("reversed")
    scene.take(AT, HUNDRED)
    scene.account.advance(AT + 4 * DAY)
    scene.ids["payout"] = next(iter(scene.account.members))
    payouts.fail_payout(scene.account, AT + 4 * DAY, scene.ids["payout"], "account_closed")
    return scene.case(
        PayoutFigures(9_680, "reversed", (_HUNDRED_ROW,)),
        PayoutFigures(9_680, "reconciled", (Row("payout_reversal", 9_680, 0, 9_680),)),
    )


def cancelled() -> Case:
    """A payout of 400.00 by hand is taken back after an hour: it never reached the bank."""
    scene = Scene("cancelled", BY_HAND)
    scene.take(AT, Payment(50_000))
    made = payouts.pay_out(scene.account, AT + 3 * DAY, 40_000, "usd")
    payouts.cancel_payout(scene.account, AT + 3 * DAY + timedelta(hours=1), made["id"])
    return scene.case(PayoutFigures(40_000, "reversed"))


def hold_and_release() -> Case:
    """10.61 less 0.61 leaves 10.00; a minimum of 1.00 is held in the payout of 9.00 and released after it."""
    scene = Scene("hold", Terms(minimum={"usd": 100}))
    scene.take(AT, Payment(1_061))
    rows = (Row("charge", 1_061, 61, 1_000), Row("payout_minimum_balance_hold", -100, 0, -100))
    return scene.case(PayoutFigures(900, "reconciled", rows))


def foreign_currency() -> Case:
    """EUR 10.00 becomes USD 12.34 at 1.234, less 0.66: the payout is USD 11.68, the ledger's payment EUR 10.00."""
    scene = Scene("fx", Terms(rates={"eur": Decimal("1.234")}))
    scene.take(AT, Payment(1_000, "eur"))
    return scene.case(PayoutFigures(1_168, "reconciled", (Row("charge", 1_234, 66, 1_168),)))


def surcharge() -> Case:
    """102.75 = 100.00 + 2.75 of surcharge, less 3.28: the payout is 99.47, the ledger's payment 100.00."""
    scene = Scene("surcharge")
    scene.take(AT, Payment(10_275), pays=(10_000,), surcharge="2.75")
    return scene.case(PayoutFigures(9_947, "reconciled", (Row("charge", 10_275, 328, 9_947),)))


def many_invoices() -> Case:
    """100.00 pays 60 invoices: the metadata names not all of them, and the last one cut."""
    scene = Scene("many")
    scene.take(AT, HUNDRED, invoices=60)
    return scene.case(PayoutFigures(9_680, "reconciled", (_HUNDRED_ROW,)))


def other_lines() -> Case:
    """485.20 of a charge, -12.00 bill, -2.40 tax, 50.00 top-up, -100.00 transfer, 0.07 correction, -20.00 reserve.

    The payout is 400.87.
    """
    scene = Scene("other-lines")
    scene.take(AT, Payment(50_000))
    account, then = scene.account, AT + DAY
    movements.bill(account, then, 1_200, "usd")
    movements.tax(account, then, 240, "usd")
    scene.ids["topup"] = movements.top_up(account, then + timedelta(hours=16), 5_000, "usd")["id"]
    scene.ids["transfer"] = movements.transfer(account, then + timedelta(hours=16), 10_000, "usd")["id"]
    movements.adjust(account, then + timedelta(hours=16), 7, "usd")
    movements.reserve(account, then + timedelta(hours=16), 2_000, "usd")
    rows = (
        Row("charge", 50_000, 1_480, 48_520),
        *(Row("fee", -1_200, 0, -1_200), Row("tax", -240, 0, -240), Row("topup", 5_000, 0, 5_000)),
        *(Row("transfer", -10_000, 0, -10_000), Row("other_adjustment", 7, 0, 7)),
        Row("connect_reserved_funds", -2_000, 0, -2_000),
    )
    return scene.case(PayoutFigures(40_087, "reconciled", rows))


_PAYOUT_CASES = (
    *(reconciled, reconciled_by_charge_id, pending, manual, instant, unknown_member, unknown_category),
    *(before_cut_over, amount_mismatch, fee_mismatch, currency_mismatch, reversed_after_paid, cancelled),
    *(hold_and_release, foreign_currency, surcharge, many_invoices, other_lines),
)
CASES: Mapping[str, Callable[[], Case]] = {each.__name__: each for each in (*_PAYOUT_CASES, *LATE_CASES)}


def all_cases() -> dict[str, Case]:
    """Return every case, played to its end."""
    return {name: play() for name, play in CASES.items()}
