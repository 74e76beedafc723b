"""What must become of each payout of an account, by the account itself, and what is special about it. No rules.

It speaks of an account whose charges all have their payments in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import major
from kolleno_pipelines.sandbox.stripe.payouts import members_of
from kolleno_pipelines.sandbox.stripe.taken import Taken

_SPECIAL_ROWS = {
    "refund": "a refund",
    "refund_failure": "a refund that failed",
    "dispute": "a dispute",
    "dispute_reversal": "a dispute that was won",
    "charge_failure": "a debit that failed",
    "payout_minimum_balance_hold": "a minimum that is held back",
    "payout_minimum_balance_release": "a minimum that is free again",
    "fee": "a fee of its own",
    "payout": "a payout by hand before it",
    "payout_reversal": "a payout that came back",
}


@dataclass(frozen=True)
class PayoutAnswer:
    """One payout: its outcome, its amount in major units, what it consists of, in words."""

    source_id: str
    outcome: str
    currency_iso: str
    amount: Decimal
    kinds: frozenset[str]


def payout_answers(ledger: Ledger, taken: Iterable[Taken], now: datetime) -> list[PayoutAnswer]:
    """Return every payout as it stands at a moment, newest first."""
    charges = {each.charge_id: each for each in taken}
    return [_answer(ledger, charges, payout, now) for payout in ledger.book.records(Kind.PAYOUTS, now)]


def _answer(ledger: Ledger, charges: dict[str, Taken], payout: Json, now: datetime) -> PayoutAnswer:
    rows = [] if _state(payout) else members_of(ledger, payout["id"], now)[1:]
    contained = [charges[each["source"]] for each in rows if each["source"] in charges and _is_charge(each)]
    is_fallback = any(each.is_elsewhere for each in contained)
    outcome = _state(payout) or ("reconciled_with_fallback" if is_fallback else "reconciled")
    currency = payout["currency"]
    amount = major(payout["amount"], currency)
    return PayoutAnswer(payout["id"], outcome, currency.upper(), amount, frozenset(_kinds(payout, rows, contained)))


def _state(payout: Json) -> str:
    """What is said of a payout whatever it consists of; nothing where that is to be looked at."""
    if payout["status"] in {"failed", "canceled"}:
        return "reversed"
    if not payout["automatic"]:
        return "not_itemisable"
    return "" if payout["reconciliation_status"] == "completed" else "pending"


def _is_charge(row: Json) -> bool:
    return bool(row["reporting_category"] == "charge")


def _kinds(payout: Json, rows: Iterable[Json], contained: Iterable[Taken]) -> Iterator[str]:
    if not payout["automatic"]:
        yield "paid out at once" if payout["method"] == "instant" else "paid out by hand"
    if payout["status"] == "failed":
        yield "sent back by the bank"
    if payout["amount"] < 0:
        yield "taken from the bank"
    for each in contained:
        if len(each.parts) > 1:
            yield "a charge of two payments"
        if each.surcharge:
            yield "a surcharge"
        if each.is_elsewhere:
            yield "a charge taken elsewhere"
    for row in rows:
        if row["reporting_category"] in _SPECIAL_ROWS:
            yield _SPECIAL_ROWS[row["reporting_category"]]
        if row["exchange_rate"] is not None:
            yield "another currency"
