"""What a company does with its balance at Stripe beside the daily payouts, and what happens to it there. No charges.

Two payouts that nobody can take apart (by hand, at once), one that the bank sends back, and a refund that takes more
than there is and then fails. The books of the company have none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from kolleno_pipelines.sandbox.stripe import charging, payouts
from kolleno_pipelines.sandbox.stripe.book import Kind
from kolleno_pipelines.sandbox.stripe.filling import TERMS
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.taken import Taken

#: Payouts in pounds leave 50.00 in the account.
HELD = replace(TERMS, minimum={"gbp": 5_000})
_DAY = timedelta(days=1)
#: Working days before the last one on which each is tried first; what cannot be done then is tried a day later.
_BY_HAND, _AT_ONCE, _SENT_BACK, _REFUNDED = 11, 9, 7, 8
#: At night, after what is available became so, before the day's charges, and before the daily payouts take it.
#: Each has its own moment, so that one sees what the other left.
_NIGHT, _LATER_AT_NIGHT, _AFTER_PAYOUTS = time(0, 30), time(0, 45), time(12)
#: Nobody pays out less than 100.00 by hand.
_WORTH_IT = 10_000
_REFUND_FAILS_AFTER = 3 * _DAY

Try = Callable[[datetime], bool]


def plan(ledger: Ledger, taken: Iterable[Taken], last_day: date) -> None:
    """Put it all into the account's agenda, in the last weeks before a day; the account must not have come there."""
    _try(ledger, _before(last_day, _BY_HAND, _NIGHT), partial(_pay_out, ledger, instant=False))
    _try(ledger, _before(last_day, _AT_ONCE, _LATER_AT_NIGHT), partial(_pay_out, ledger, instant=True))
    _try(ledger, _before(last_day, _SENT_BACK, _AFTER_PAYOUTS), partial(_send_back, ledger, "eur"))
    refunded_at = _before(last_day, _REFUNDED, _AFTER_PAYOUTS)
    largest = _largest(taken, "gbp", refunded_at - 3 * _DAY)
    if largest is not None:
        ledger.later(refunded_at, partial(_refund_in_vain, ledger, largest.charge_id))


def _before(last_day: date, working_days: int, hour: time) -> datetime:
    """The moment on the working day that is so many before a day."""
    day = last_day
    while working_days:
        day -= _DAY
        working_days -= day.weekday() < 5
    return datetime.combine(day, hour, UTC)


def _try(ledger: Ledger, at: datetime, attempt: Try) -> None:
    """Let something be tried at a moment, and a working day later when it could not be done."""

    def job(now: datetime) -> None:
        if not attempt(now):
            again = now + _DAY
            while again.weekday() >= 5:
                again += _DAY
            ledger.later(again, job)

    ledger.later(at, job)


def _pay_out(ledger: Ledger, at: datetime, *, instant: bool) -> bool:
    """Pay out three fifths of the dollars that are there, if it is worth it."""
    amount = ledger.balance(at)["usd"].available * 3 // 5
    if amount < _WORTH_IT:
        return False
    payouts.pay_out(ledger, at, amount, "usd", instant=instant)
    return True


def _send_back(ledger: Ledger, currency: str, at: datetime) -> bool:
    """Let the bank send back the newest payout that it had paid, if it was one of some amount."""
    for payout in ledger.book.records(Kind.PAYOUTS, at):
        if payout["currency"] == currency and payout["status"] == "paid" and payout["amount"] > 0:
            payouts.fail_payout(ledger, at, payout["id"])
            return True
    return False


def _largest(taken: Iterable[Taken], currency: str, before: datetime) -> Taken | None:
    """The largest charge by card to which nothing else happens."""
    found = [
        each
        for each in taken
        if (each.currency, each.method) == (currency, "card")
        and each.at < before
        and not each.is_disputed
        and not any(part.voided_at for part in each.parts)
    ]
    return max(found, key=lambda each: (each.amount, each.key), default=None)


def _refund_in_vain(ledger: Ledger, charge_id: str, at: datetime) -> None:
    """Give a charge back; days later its money returns, since the card was closed."""
    made = charging.refund(ledger, at, charge_id)
    ledger.later(at + _REFUND_FAILS_AFTER, lambda now: _come_back(ledger, made["id"], now))


def _come_back(ledger: Ledger, refund_id: str, at: datetime) -> None:
    charging.fail_refund(ledger, at, refund_id)
