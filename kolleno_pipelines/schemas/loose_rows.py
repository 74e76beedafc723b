"""Rows of a provider's balance that no compared payout holds, as their rules take and give them. No rule, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


class DoubledRow(NamedTuple):
    """A row that says what another of the balance, `other_source_id`, says; `net` is too much in the balance."""

    source_id: str
    other_source_id: str
    charge_source_id: str | None
    currency_iso: str
    net: Decimal
    since: datetime


class MissingRow(NamedTuple):
    """A row that an object of the provider names and that no list has.

    `money` is what it comes to; where it is not exact, less a fee that nobody knows, in the object's currency.
    """

    source_id: str
    object_source_id: str
    charge_source_id: str | None
    currency_iso: str
    money: Decimal
    is_exact: bool
    since: datetime


@dataclass(frozen=True)
class BalanceException:
    """What is wrong with a row of the balance that no compared payout holds: a row of the result `balance_exceptions`.

    `amount` is what is to be added to it, or to the balance, for it to be right: below 0 where it is too much.
    """

    break_id: str
    connection: str
    balance_transaction_source_id: str
    code: str
    charge_source_id: str | None
    currency_iso: str
    amount: Decimal
    evidence: str
    since: datetime
