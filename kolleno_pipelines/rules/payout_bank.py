"""Did a payout arrive at the bank: its line, by trace id, else by amount, day and the provider's text (model 5, 8)?

Finding the lines that may be it does not belong here (storage/payout_bank.py), nor which days of an account are known
(bank_days.py). A line stands for one payout.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

from kolleno_pipelines.rules import payout_bank_sentences as sentences
from kolleno_pipelines.schemas.payout_bank import (
    EARLY,
    BankCandidate,
    BankDays,
    BankLeg,
    BankPayout,
    BankResolver,
)
from kolleno_pipelines.schemas.payout_words import EFFECTS, ExceptionCode, PayoutOutcome

PayoutKey: TypeAlias = tuple[str, str]
_C = ExceptionCode
_ZERO = Decimal(0)
_NO_DAY = date.max
#: A bank may send back what it got for so long before it is said to have kept it.
RETURNED_WITHIN = timedelta(days=10)


@dataclass
class _Bank:
    """What is known of the bank side.

    `accounts`: the currency of each; `taken`: lines that stand for a payout already, and for which; `led_to`: the
    accounts in which lines of payouts to a destination were found.
    """

    accounts: Mapping[tuple[str, str], str | None]
    days: Mapping[tuple[str, str], list[BankDays]]
    window: timedelta
    taken: dict[tuple[str, str], BankPayout] = field(default_factory=dict)
    led_to: dict[tuple[str, str | None], set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))


def bank_legs(
    payouts: Iterable[BankPayout],
    candidates: Iterable[BankCandidate],
    accounts: Mapping[tuple[str, str], str | None],
    days: Iterable[BankDays],
    window: timedelta,
) -> dict[PayoutKey, BankLeg]:
    """Return for every payout what became of it at the bank.

    `accounts`: by connection and id, their currency. `window`: how long after its day of arrival a payout may be
    booked. The same comes out whatever the order of what is given: lines are taken by trace id first, then by the
    payouts in the order of their arrival.
    """
    ordered = sorted(
        payouts, key=lambda one: (one.date_arrival or _NO_DAY, one.created_at, one.connection, one.source_id)
    )
    may_be: dict[PayoutKey, list[BankCandidate]] = defaultdict(list)
    for one in sorted(candidates, key=lambda each: (each.day or _NO_DAY, each.connection, each.source_id)):
        may_be[(one.payout_connection, one.payout_source_id)].append(one)
    bank = _Bank(accounts, _by_account(days), window)
    legs: dict[PayoutKey, BankLeg] = {}
    exact = [payout for payout in ordered if any(_is_exact(payout, one) for one in may_be[_key(payout)])]
    for payout in (*exact, *ordered):
        traced = [one for one in may_be[_key(payout)] if one.has_trace and _line(one) not in bank.taken]
        if _key(payout) not in legs and (leg := _by_trace(payout, traced, bank)):
            legs[_key(payout)] = leg
    for payout in ordered:
        if _key(payout) not in legs and (leg := _by_descriptor(payout, may_be[_key(payout)], bank)):
            legs[_key(payout)] = leg
    for payout in ordered:
        key, lines = _key(payout), may_be[_key(payout)]
        if key not in legs:
            legs[key] = _failed(payout, lines, bank) if payout.is_taken_back else _without_line(payout, lines, bank)
        elif legs[key].resolver is BankResolver.DESCRIPTOR and (back := _went_back(payout, lines, bank)):
            legs[key] = back
    return legs


def _by_account(days: Iterable[BankDays]) -> dict[tuple[str, str], list[BankDays]]:
    found: dict[tuple[str, str], list[BankDays]] = defaultdict(list)
    for one in days:
        found[(one.connection, one.account_source_id)].append(one)
    return found


def _key(payout: BankPayout) -> PayoutKey:
    return payout.connection, payout.source_id


def _line(one: BankCandidate) -> tuple[str, str]:
    return one.connection, one.source_id


def _account(one: BankCandidate) -> tuple[str, str]:
    return one.connection, one.account_source_id


def _take(payout: BankPayout, lines: Sequence[BankCandidate], bank: _Bank) -> None:
    for one in lines:
        bank.taken[_line(one)] = payout
        bank.led_to[(payout.connection, payout.destination_source_id)].add(_account(one))


def _by_trace(payout: BankPayout, traced: Sequence[BankCandidate], bank: _Bank) -> BankLeg | None:
    """Judge the lines that carry the payout's trace id; None where there are none."""
    if not traced:
        return None
    came = [one for one in traced if _has_sign_of(payout, one) and not one.is_return]
    back = [one for one in traced if one not in came and _takes_back(payout, one)]
    if not came and not back:
        return None  # a fee, say, that names the payout
    came = [one for one in came if _is_exact(payout, one)] or came
    _take(payout, [*came, *back], bank)
    if payout.is_taken_back:
        return _taken_back(payout, came, back, bank)
    if back and len(came) <= len(back) and (came or any(one.is_return for one in back)):
        return _wrong(payout, _C.BANK_RETURNED, back[-1], _lacking(payout, came, back))
    first = (came or back)[0]
    currency = _in_currency(payout, first)
    if currency is None:
        return _wrong(payout, _C.BANK_CURRENCY, first, payout.amount)
    if currency != payout.amount:
        if not back and _sums_to(payout, came):
            return BankLeg(PayoutOutcome.RECONCILED, BankResolver.TRACE_ID, first)
        return _wrong(payout, _C.BANK_AMOUNT, first, payout.amount - currency)
    if len(came) - len(back) > 1:
        return _wrong(payout, _C.BANK_DOUBLED, came[1], -payout.amount * (len(came) - len(back) - 1))
    return BankLeg(PayoutOutcome.RECONCILED, BankResolver.TRACE_ID, first)


def _takes_back(payout: BankPayout, one: BankCandidate) -> bool:
    """Whether a line goes the other way as money that is sent back does: the bank says so, or it is of the amount."""
    return one.is_return or _in_currency(payout, one) == -payout.amount


def _is_exact(payout: BankPayout, one: BankCandidate) -> bool:
    """Whether a line carries the payout's trace id and its amount: a text may name a payout in passing."""
    return one.has_trace and not one.is_return and _in_currency(payout, one) == payout.amount


def _sums_to(payout: BankPayout, came: Sequence[BankCandidate]) -> bool:
    """Whether a bank that booked a payout in parts has all of it."""
    amounts = [_in_currency(payout, one) or _ZERO for one in came]
    return _ZERO not in amounts and sum(amounts) == payout.amount


def _has_sign_of(payout: BankPayout, one: BankCandidate) -> bool:
    return (one.amount > 0) == (payout.amount > 0)


def _in_currency(payout: BankPayout, one: BankCandidate) -> Decimal | None:
    """Return what a line is in the payout's currency: its amount, or what was instructed before an exchange."""
    if one.currency_iso == payout.currency_iso:
        return one.amount
    return one.amount_instructed if one.currency_instructed_iso == payout.currency_iso else None


def _taken_back(
    payout: BankPayout, came: Sequence[BankCandidate], back: Sequence[BankCandidate], bank: _Bank
) -> BankLeg:
    """Judge a payout that failed: what came must have gone back, in time."""
    first = (came or back)[0]
    resolver = BankResolver.TRACE_ID if first.has_trace else BankResolver.DESCRIPTOR
    kept = payout.amount - _lacking(payout, came, back)
    if kept == 0 or not came:
        return BankLeg(PayoutOutcome.RECONCILED, resolver, first)
    last = came[-1]
    until = None if last.day is None else last.day + RETURNED_WITHIN
    if until is None or not any(one.last >= until for one in bank.days.get(_account(last), ())):
        return BankLeg(PayoutOutcome.AWAITING_BANK, resolver, last)
    return _wrong(payout, _C.BANK_KEPT, last, -kept)


def _lacking(payout: BankPayout, came: Sequence[BankCandidate], back: Sequence[BankCandidate]) -> Decimal:
    """Return what a payout lacks at the bank; a line of which nobody says what was exchanged counts as all of it."""
    amounts = [_in_currency(payout, one) for one in (*came, *back)]
    known = [amount for amount in amounts if amount is not None]
    if len(known) < len(amounts):
        return payout.amount * (1 - len(came) + len(back))
    return payout.amount - sum(known, _ZERO) if came else payout.amount


def _by_descriptor(payout: BankPayout, lines: Sequence[BankCandidate], bank: _Bank) -> BankLeg | None:
    """Take the first free line of the payout's amount and days that names the provider; None where there is none."""
    came = [] if payout.is_taken_back else [one for one in _free(lines, bank) if _is_alike(payout, one)]
    if not came:
        return None
    _take(payout, came[:1], bank)
    return BankLeg(PayoutOutcome.RECONCILED, BankResolver.DESCRIPTOR, came[0])


def _free(lines: Sequence[BankCandidate], bank: _Bank) -> list[BankCandidate]:
    """Return the lines without a trace id that name the provider and stand for no payout yet."""
    return [one for one in lines if one.names_provider and not one.has_trace and _line(one) not in bank.taken]


def _is_alike(payout: BankPayout, one: BankCandidate) -> bool:
    return one.amount == payout.amount and not one.is_return


def _went_back(payout: BankPayout, lines: Sequence[BankCandidate], bank: _Bank) -> BankLeg | None:
    """Judge a payout that was found by its text: the bank may say that money of its amount went back."""
    back = [one for one in _free(lines, bank) if one.is_return and one.amount == -payout.amount]
    if not back:
        return None
    _take(payout, back[:1], bank)
    return _wrong(payout, _C.BANK_RETURNED, back[0], payout.amount)


def _failed(payout: BankPayout, lines: Sequence[BankCandidate], bank: _Bank) -> BankLeg:
    """Judge a payout that failed and of which no line has a trace id: by its text, else neither side has it."""
    free = _free(lines, bank)
    came = [one for one in free if _is_alike(payout, one)]
    if came:
        back = [one for one in free if one.amount == -payout.amount][: len(came)]
        _take(payout, [*came, *back], bank)
        return _taken_back(payout, came, back, bank)
    outcome = _known(payout, bank)
    return BankLeg(PayoutOutcome.RECONCILED if outcome is None else outcome)


def _without_line(payout: BankPayout, lines: Sequence[BankCandidate], bank: _Bank) -> BankLeg:
    """Say whether a line that is not there is missing, or may still come."""
    outcome = _known(payout, bank)
    if outcome is not None:
        return BankLeg(outcome)
    alike = [one for one in lines if not one.has_trace and _is_alike(payout, one)]
    taken = {_line(one): bank.taken[_line(one)] for one in alike if _line(one) in bank.taken}
    evidence = sentences.no_line(payout, alike, taken, bank.window)
    since = None if payout.date_arrival is None else payout.date_arrival + bank.window
    code = _C.NO_BANK_LINE
    return BankLeg(_outcome(code), code=code, missing=payout.amount, evidence=evidence, since=since)


def _known(payout: BankPayout, bank: _Bank) -> PayoutOutcome | None:
    """Return why nobody can say yet whether a payout is at the bank; None where every line is known that may be it."""
    accounts = _accounts_of(payout, bank)
    if not accounts:
        return PayoutOutcome.NOT_COMPARED
    if payout.date_arrival is None:
        return PayoutOutcome.AWAITING_BANK
    known = [_is_known(bank.days.get(account, ()), payout.date_arrival, bank.window) for account in accounts]
    if False in known:
        return PayoutOutcome.AWAITING_BANK
    return None if all(known) else PayoutOutcome.NOT_COMPARED  # its day is before the statements of an account


def _accounts_of(payout: BankPayout, bank: _Bank) -> list[tuple[str, str]]:
    """Return the accounts that may have it: the one to which its destination is known to lead, else its currency's."""
    learned = bank.led_to.get((payout.connection, payout.destination_source_id), set())
    if payout.destination_source_id is not None and len(learned) == 1:
        return list(learned)
    return [account for account, currency in bank.accounts.items() if currency == payout.currency_iso]


def _is_known(days: Sequence[BankDays], arrival: date, window: timedelta) -> bool | None:
    """Tell whether every line of the days in which a payout may be booked is known; None: the first begins later."""
    earliest = arrival - EARLY
    if days and earliest < min(one.first for one in days):
        return None
    return any(one.first <= earliest and one.last >= arrival + window for one in days)


def _wrong(payout: BankPayout, code: ExceptionCode, line: BankCandidate, missing: Decimal) -> BankLeg:
    resolver = BankResolver.TRACE_ID if line.has_trace else BankResolver.DESCRIPTOR
    return BankLeg(_outcome(code), resolver, line, code, missing, sentences.of_line(payout, code, line), line.day)


def _outcome(code: ExceptionCode) -> PayoutOutcome:
    return EFFECTS[code].outcome
