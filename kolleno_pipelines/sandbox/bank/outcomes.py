"""What must be found of a payout at the bank: the words, and what they are for an account that is told rightly.

No rules of ours: what a bank was made to book is known here. No files.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple

from kolleno_pipelines.sandbox.bank.payouts_received import lines_of
from kolleno_pipelines.sandbox.stripe.book import Kind, moment_of
from kolleno_pipelines.sandbox.stripe.ledger import Ledger

OUTCOMES = ("reconciled", "awaiting_bank", "not_at_bank", "amount_mismatch", "currency_mismatch", "not_compared")
BY_TRACE, BY_DESCRIPTOR = "trace_id", "descriptor"
WINDOW = timedelta(days=5)


class BankOutcome(NamedTuple):
    """The outcome of a payout's leg at the bank, and by what its line was found; empty where none had to be."""

    outcome: str
    found_by: str = ""


RECONCILED = BankOutcome("reconciled", BY_TRACE)
BY_TEXT = BankOutcome("reconciled", BY_DESCRIPTOR)
#: A payout that never left, or came to nothing before it arrived: neither side has it.
NEVER_SENT = BankOutcome("reconciled")
AWAITING, MISSING = BankOutcome("awaiting_bank"), BankOutcome("not_at_bank")
NOT_COMPARED = BankOutcome("not_compared")


def told_rightly(
    ledger: Ledger, until: datetime, stated: date, *, currencies: Collection[str], left_out: str = ""
) -> dict[str, BankOutcome]:
    """Return the outcome of every payout until a moment, oldest first, by its id.

    stated: the day of the newest statements. currencies: those in which there are accounts. left_out: a payout whose
    lines the statements do not have.
    """
    return {
        payout["id"]: _outcome(ledger, payout["id"], until, stated, is_left_out=payout["id"] == left_out)
        if payout["currency"] in currencies
        else NOT_COMPARED
        for payout in ledger.book.records(Kind.PAYOUTS, until)[::-1]
    }


def _outcome(ledger: Ledger, payout_id: str, until: datetime, stated: date, *, is_left_out: bool) -> BankOutcome:
    payout = ledger.book.get(payout_id, until) or {}
    lines = lines_of(ledger, payout_id, until)
    if not lines:
        return NEVER_SENT if payout["status"] in {"failed", "canceled"} else AWAITING
    if is_left_out:
        is_over = stated >= moment_of(payout["arrival_date"]).date() + WINDOW
        return MISSING if is_over else AWAITING
    return RECONCILED if all(each.day <= stated for each in lines) else AWAITING
