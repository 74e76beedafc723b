"""What else moves a company's bank account: customers' transfers, one by one and in batches, bank fees. No payouts.

None of it names a payout, not even a customer's payment of exactly a payout's amount on the same day.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from kolleno_pipelines.sandbox.bank.account import BankAccount, banking_days
from kolleno_pipelines.sandbox.bank.statements import CHARGES, Detail, Line

FEE = Decimal("-12.50")
_PAYERS = (
    *("Cobalt Tools Ltd", "Fjord Freight B.V.", "Granite Print GmbH", "Harbour Foods S.A."),
    *("Juniper Labs Inc.", "Müller & Söhne Timber AG", "Quarry Optics LLC", "Société Saffron"),
)
_BATCH_WEEKDAY = 2
#: Every so many incoming payouts a customer pays the same amount.
_LOOK_ALIKE_EVERY = 5


def add_noise(account: BankAccount, last: date) -> None:
    """Book, until a day, what an ordinary month has: transfers on most days, a batch on Wednesdays, a monthly fee."""
    month = account.opened.month
    for day in banking_days(account.opened, last):
        rng = random.Random(f"{account.account.id}/{day}")
        transfers = [customer_payment(rng) for _ in range(rng.randint(0, 2))]
        account.book(*(Line(f"transfer/{day}/{number}", day, (each,)) for number, each in enumerate(transfers)))
        if day.weekday() == _BATCH_WEEKDAY:
            several = tuple(customer_payment(rng) for _ in range(3))
            account.book(Line(f"batch/{day}", day, several, text="COLLECTIVE CREDIT"))
        if day.month != month:
            month = day.month
            account.book(fee(day))


def fee(day: date) -> Line:
    """Return what the bank takes for a month."""
    return Line(f"fee/{day}", day, (Detail(FEE, text="ACCOUNT FEE"),), CHARGES, text="ACCOUNT FEE")


def customer_payment(rng: random.Random, amount: Decimal | None = None) -> Detail:
    """Return what a customer pays by transfer, with the invoice in its text."""
    paid = Decimal(rng.randint(1_000, 400_000)).scaleb(-2) if amount is None else amount
    text = f"INV-{rng.randint(1, 99_999):06d}"
    return Detail(paid, rng.choice(_PAYERS), text, end_to_end_id=f"E2E{rng.randint(0, 10**9):010d}")


def look_alike(line: Line) -> Line:
    """Return a customer's payment of exactly what a line brought, on the same day."""
    rng = random.Random(f"look-alike/{line.key}")
    return Line(f"look-alike/{line.key}", line.day, (customer_payment(rng, line.amount),))


def add_look_alikes(account: BankAccount, lines: Iterable[Line], last: date) -> None:
    """Book, until a day, a customer's payment like every fifth line that comes in, beginning with the first."""
    incoming = [each for each in lines if each.amount > 0 and each.day <= last]
    account.book(*(look_alike(each) for each in incoming[::_LOOK_ALIKE_EVERY]))
