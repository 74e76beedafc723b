"""Why a payout's leg at the bank is not right, in sentences. What is wrong is not decided here (payout_bank.py)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from kolleno_pipelines.schemas.currencies import amount_text
from kolleno_pipelines.schemas.payout_bank import BankCandidate, BankPayout
from kolleno_pipelines.schemas.payout_words import ExceptionCode

_C = ExceptionCode
_MOST = 5
_LINE_SENTENCES: dict[ExceptionCode, str] = {
    _C.BANK_AMOUNT: "The payout is {payout}, and the bank's line of it is {line}.",
    _C.BANK_CURRENCY: (
        "The payout is {payout}, and the bank's line of it is {line}; it does not say what was exchanged."
    ),
    _C.BANK_DOUBLED: "The bank has the payout of {payout} once more: {line} with the same trace id.",
    _C.BANK_RETURNED: "The bank sent the payout of {payout} back ({line}), and the provider does not say so.",
    _C.BANK_KEPT: "The provider says that the payout of {payout} failed, and the bank still has it: {line}.",
}


def of_line(payout: BankPayout, code: ExceptionCode, line: BankCandidate) -> str:
    """Return what is wrong with the line of a payout."""
    return _LINE_SENTENCES[code].format(payout=_money(payout.currency_iso, payout.amount), line=_told(line))


def no_line(
    payout: BankPayout,
    alike: Sequence[BankCandidate],
    taken: Mapping[tuple[str, str], BankPayout],
    window: timedelta,
) -> str:
    """Return that a payout has no line, and the lines of its amount that do not prove it.

    `taken`: those that stand for another payout.
    """
    money = _money(payout.currency_iso, payout.amount)
    days = f"{window.days} day{'' if window.days == 1 else 's'}"
    words = [
        f"The statements until {days} after {payout.date_arrival}, when {money} was to arrive, have no line of it."
    ]
    for one in alike[:_MOST]:
        other = taken.get((one.connection, one.source_id))
        if other is not None:
            words.append(f"{_told(one)} stands for payout {other.source_id}.")
        else:
            words.append(f"{_told(one)} is of its amount, but names neither its trace id nor the provider.")
    if len(alike) > _MOST:
        words.append(f"{len(alike) - _MOST:,} more lines are of its amount.")
    return " ".join(words)


def _told(line: BankCandidate) -> str:
    return f"{_money(line.currency_iso, line.amount)} of {line.day or 'an unknown day'}, line {line.source_id}"


def _money(currency_iso: str, amount: Decimal) -> str:
    return f"{currency_iso} {amount_text(amount, currency_iso)}"
