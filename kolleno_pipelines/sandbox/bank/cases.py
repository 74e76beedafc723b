"""Payouts of every outcome at the bank, in accounts of their own, with figures worked out by hand. No odd messages.

Amounts in the text are in major units. A card costs 2.9 % + 0.30: of 100.00, 96.80 is paid out. In the scenes of Stripe
it arrives on Thursday, 5 February, and may be booked until Tuesday, the 10th.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.bank import changes
from kolleno_pipelines.sandbox.bank.message_cases import MESSAGE_CASES
from kolleno_pipelines.sandbox.bank.noise import look_alike
from kolleno_pipelines.sandbox.bank.outcomes import (
    BY_TEXT,
    BY_TRACE,
    MISSING,
    NEVER_SENT,
    NOT_COMPARED,
    RECONCILED,
    BankOutcome,
)
from kolleno_pipelines.sandbox.bank.payouts_received import Carries, lines_of
from kolleno_pipelines.sandbox.bank.plays import by_hand, hundred, negative, sent_back
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES, UNTIL, BankCase, Stage
from kolleno_pipelines.sandbox.bank.statements import Money
from kolleno_pipelines.sandbox.stripe.scenes import AT

DAY = timedelta(days=1)
_AMOUNT = BankOutcome("amount_mismatch", BY_TRACE)
_CURRENCY = BankOutcome("currency_mismatch", BY_TRACE)
#: Found by the trace id, and wrong all the same: it went back, or did not.
_NOT_THERE = BankOutcome("not_at_bank", BY_TRACE)


def by_trace() -> BankCase:
    """96.80 is booked on its day of arrival, with the trace id as its EndToEndId."""
    return Stage("by-trace").played(hundred("by-trace"), RECONCILED)


def by_transaction_id() -> BankCase:
    """96.80 is booked on its day of arrival, with the trace id as its TxId."""
    stage = Stage("by-transaction-id", carries=Carries.TRANSACTION_ID)
    return stage.played(hundred("by-transaction-id"), RECONCILED)


def by_descriptor() -> BankCase:
    """Stripe does not know the trace id yet: 96.80 with the text STRIPE PAYOUT and no reference."""
    return Stage("by-descriptor").played(hundred("by-descriptor", trace="pending"), BY_TEXT)


def by_own_descriptor() -> BankCase:
    """As by_descriptor, but the payout states a descriptor of its own, and the line has that text alone."""
    case = hundred("own-descriptor", trace="unsupported", descriptor="SANDBOX SHOP 0205")
    return Stage("own-descriptor").played(case, BY_TEXT)


def reference_lost() -> BankCase:
    """Stripe knows the trace id, the bank tells none: found by amount, day and text."""
    stage = Stage("reference-lost", carries=Carries.NOTHING)
    return stage.played(hundred("reference-lost"), BY_TEXT)


def late() -> BankCase:
    """96.80 arrives on Monday, 9 February, by Stripe's word, and is booked on Thursday: three days late."""
    late_by_three = {0: changes.booked_on(date(2026, 2, 12))}
    return Stage("late").played(hundred("late", at=AT + 2 * DAY), RECONCILED, changes=late_by_three)


def on_the_last_day() -> BankCase:
    """Without a trace id, 96.80 is booked on the fifth day after its arrival: it counts."""
    case = hundred("last-day", trace="pending")
    return Stage("last-day").played(case, BY_TEXT, changes={0: changes.booked_on(ARRIVES + 5 * DAY)})


def a_day_too_late() -> BankCase:
    """Without a trace id, 96.80 is booked on the sixth day after its arrival: it may be of another payout."""
    case = hundred("too-late", trace="pending")
    return Stage("too-late").played(case, MISSING, changes={0: changes.booked_on(ARRIVES + 6 * DAY)})


def missing() -> BankCase:
    """96.80 is never booked."""
    return Stage("missing").played(hundred("missing"), MISSING, changes={0: changes.lost})


def one_cent_less() -> BankCase:
    """96.79 is booked in place of 96.80."""
    case = hundred("cent")
    return Stage("cent").played(case, _AMOUNT, changes={0: changes.other_by(-changes.CENT)})


def doubled() -> BankCase:
    """96.80 is booked twice with one trace id: 193.60."""
    return Stage("doubled").played(hundred("doubled"), _AMOUNT, changes={0: changes.doubled})


def returned_quietly() -> BankCase:
    """96.80 comes on Thursday and goes back on Friday; Stripe still says paid."""
    back = {0: changes.sent_back(AT + 4 * DAY)}
    return Stage("returned").played(hundred("returned"), _NOT_THERE, changes=back)


def failed_and_returned() -> BankCase:
    """96.80 comes on Thursday and goes back on Friday, as Stripe says; it is paid out again and comes on Tuesday."""
    return Stage("failed-returned").played(sent_back("failed-returned", AT + 4 * DAY), RECONCILED, RECONCILED)


def failed_and_kept() -> BankCase:
    """Stripe says that 96.80 failed on Friday, and pays it out again; the bank has both, 193.60."""
    case = sent_back("failed-kept", AT + 4 * DAY)
    return Stage("failed-kept").played(case, _NOT_THERE, RECONCILED, changes={0: changes.kept})


def failed_on_its_way() -> BankCase:
    """96.80 fails on Wednesday, before it arrives: no line of it; paid out again it comes on Friday."""
    return Stage("failed-early").played(sent_back("failed-early", AT + 2 * DAY), NEVER_SENT, RECONCILED)


def cancelled() -> BankCase:
    """100.00 by hand is taken back after an hour: no line of it."""
    return Stage("cancelled").played(by_hand("cancelled", cancelled=True), NEVER_SENT)


def taken_from_the_bank() -> BankCase:
    """96.80 comes on Thursday; 100.00 is refunded, and taken from the account on Monday, 9 February."""
    return Stage("negative").played(negative("negative"), RECONCILED, RECONCILED)


def paid_by_hand() -> BankCase:
    """100.00 by hand is booked on Friday as any other."""
    return Stage("by-hand").played(by_hand("by-hand"), RECONCILED)


def paid_at_once() -> BankCase:
    """100.00 is paid out on Thursday at 9:30 and booked on the same day."""
    return Stage("at-once").played(by_hand("at-once", instant=True), RECONCILED)


def two_alike() -> BankCase:
    """Two payouts of 100.00 by hand arrive on Friday, without trace ids: two lines of 100.00."""
    return Stage("alike").played(by_hand("alike", count=2, trace="pending"), BY_TEXT, BY_TEXT)


def two_alike_with_one_line() -> BankCase:
    """As two_alike with one line of 100.00: it is of the earlier payout, the later one is missing."""
    case = by_hand("alike-one", count=2, trace="pending")
    return Stage("alike-one").played(case, BY_TEXT, MISSING, changes={1: changes.lost})


def exchanged() -> BankCase:
    """USD 96.80 is booked on an account in euros: EUR 88.00 at 1.10, and the line says that USD 96.80 was sent."""
    told = {0: changes.exchanged(Decimal("88.00"), Money(Decimal("96.80"), "USD"))}
    return Stage("exchanged", currency="EUR").played(hundred("exchanged"), RECONCILED, changes=told)


def exchanged_untold() -> BankCase:
    """As exchanged, but the line does not say what was sent."""
    told = {0: changes.exchanged(Decimal("88.00"))}
    return Stage("exchanged-untold", currency="EUR").played(hundred("exchanged-untold"), _CURRENCY, changes=told)


def look_alike_only() -> BankCase:
    """96.80 is never booked; a customer pays 96.80 for an invoice on the same day, which must not count."""
    case = hundred("look-alike", trace="pending")
    (line,) = lines_of(case.ledger, next(iter(case.payouts)), UNTIL)
    played = {0: changes.lost}
    return Stage("look-alike").played(case, MISSING, changes=played, others=[look_alike(line)])


def no_account() -> BankCase:
    """The only account of which statements come is in euros, and has nothing of 96.80 in dollars."""
    case = hundred("no-account")
    return Stage("no-account", currency="EUR").played(case, NOT_COMPARED, changes={0: changes.lost})


_PAYOUT_CASES: tuple[Callable[[], BankCase], ...] = (
    *(by_trace, by_transaction_id, by_descriptor, by_own_descriptor, reference_lost),
    *(late, on_the_last_day, a_day_too_late, missing, one_cent_less, doubled, returned_quietly),
    *(failed_and_returned, failed_and_kept, failed_on_its_way, cancelled, taken_from_the_bank),
    *(paid_by_hand, paid_at_once, two_alike, two_alike_with_one_line),
    *(exchanged, exchanged_untold, look_alike_only, no_account),
)
CASES: Mapping[str, Callable[[], BankCase]] = {each.__name__: each for each in (*_PAYOUT_CASES, *MESSAGE_CASES)}


def all_cases() -> dict[str, BankCase]:
    """Return every case, played to its end."""
    return {name: play() for name, play in CASES.items()}
