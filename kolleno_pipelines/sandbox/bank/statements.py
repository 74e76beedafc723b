"""What a bank tells of an account: its lines and statements, as plain data. No XML, no time, no payouts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

OWNER, BANK = "Sandbox Company Ltd", "Sandbox Bank"


class Money(NamedTuple):
    """An amount and its currency."""

    amount: Decimal
    currency: str


class Code(NamedTuple):
    """What kind of line it is: family and sub-family of ISO's bank transaction codes, domain `PMNT`."""

    family: str
    sub_family: str


TRANSFER_IN = Code("RCDT", "ESCT")
TRANSFER_IN_RETURNED = Code("RCDT", "RRTN")
DEBITED = Code("RDDT", "ESDD")
CHARGES = Code("MDOP", "CHRG")


@dataclass(frozen=True)
class Account:
    """A bank account. id: an IBAN, or the bank's own number where `is_iban` is false."""

    id: str
    currency: str
    is_iban: bool = True
    owner: str = OWNER
    servicer: str = BANK


@dataclass(frozen=True)
class Detail:
    """One payment in a line. amount: above 0 what comes in, below 0 what goes out.

    party: who paid, or who was paid. instructed: what was sent, where it came in another currency. payout: the payout
    that it is about; never written.
    """

    amount: Decimal
    party: str = ""
    text: str = ""
    end_to_end_id: str = ""
    transaction_id: str = ""
    instructed: Money | None = None
    return_code: str = ""
    payout: str = ""


@dataclass(frozen=True)
class Line:
    """A movement of an account, of one payment or of several.

    key: a name of ours, of which the bank's references are made; unique in its account. ref: the bank's reference.
    """

    key: str
    day: date
    details: tuple[Detail, ...]
    code: Code = TRANSFER_IN
    value_day: date | None = None
    is_reversal: bool = False
    is_pending: bool = False
    text: str = ""
    ref: str = ""

    @property
    def amount(self) -> Decimal:
        """What the account has more, or below 0 less."""
        return sum((each.amount for each in self.details), Decimal(0))

    def is_about(self, payout_id: str) -> bool:
        """Whether one of its payments is a payout, or its return."""
        return any(each.payout == payout_id for each in self.details)


@dataclass(frozen=True)
class Statement:
    """A day of an account. closing: as the bank states it, whether its lines come to it or not."""

    account: Account
    number: int
    day: date
    opening: Decimal
    closing: Decimal
    lines: tuple[Line, ...]

    @property
    def moved(self) -> Decimal:
        """The sum of its lines, without those that are not booked yet."""
        return sum((each.amount for each in self.lines if not each.is_pending), Decimal(0))


class Kind(StrEnum):
    """A message of ISO 20022 about an account; the value is its number among the camt messages."""

    REPORT = "052"
    STATEMENT = "053"
    NOTIFICATION = "054"


def invented_account(name: str, currency: str, *, is_iban: bool = True) -> Account:
    """Return an account of no bank, the same for the same name.

    Its IBAN has the right check digits: of a German bank code or a British bank that nobody has.
    """
    digits = str(int(hashlib.sha256(f"{name}/{currency}".encode()).hexdigest(), 16))
    if not is_iban:
        return Account(digits[:12], currency, is_iban=False)
    if currency == "GBP":
        return Account(iban("GB", f"XXXX000000{digits[:8]}"), currency)
    return Account(iban("DE", f"00000000{digits[:10]}"), currency)


def iban(country: str, number: str) -> str:
    """Return the IBAN of a domestic number, with its check digits (ISO 13616: modulo 97)."""
    digits = "".join(str(int(each, 36)) for each in f"{number}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{number}"


def reference(account: Account, key: str) -> str:
    """Return a bank's reference of what happens in an account under a key, the same each time."""
    return str(int(hashlib.sha256(f"{account.id}/{key}".encode()).hexdigest(), 16))[:16]
