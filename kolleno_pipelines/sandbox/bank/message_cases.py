"""What banks do with messages: forms, batches, gaps, notifications, repetitions, and what must be found. No mistakes.

In all of them one payout of 96.80 arrives on Thursday, 5 February; statements reach Tuesday, the 17th, if not less.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.bank import changes
from kolleno_pipelines.sandbox.bank.files import Messages, message_of
from kolleno_pipelines.sandbox.bank.outcomes import AWAITING, BY_TEXT, RECONCILED, BankOutcome
from kolleno_pipelines.sandbox.bank.plays import hundred
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES, UNTIL, BankCase, Stage
from kolleno_pipelines.sandbox.bank.statements import Detail, Kind
from kolleno_pipelines.sandbox.bank.writing import NEW, OLD, PLAIN, Form

_DAY = timedelta(days=1)
_CUSTOMERS = (
    Detail(Decimal("120.00"), "Cobalt Tools Ltd", "INV-000017", end_to_end_id="E2E-BATCH-1"),
    Detail(Decimal("45.50"), "Fjord Freight B.V.", "INV-000018", end_to_end_id="E2E-BATCH-2"),
)


def _played(
    name: str,
    outcome: BankOutcome,
    edit: Callable[[Messages], Messages] = lambda told: told,
    *,
    form: Form = PLAIN,
    until: datetime = UNTIL,
    is_iban: bool = True,
) -> BankCase:
    stage = Stage(name, form=form, until=until, is_iban=is_iban)
    return stage.played(hundred(name), outcome, edit=edit)


def in_version_02() -> BankCase:
    """A statement of version 02: a payment's amount is in its details alone, the status is plain text."""
    return _played("version-02", RECONCILED, form=Form(OLD))


def with_prefix_and_latin_1() -> BankCase:
    """Elements are written `ns2:Ntry`, in ISO-8859-1."""
    return _played("prefixed", RECONCILED, form=Form(NEW, "ns2", "ISO-8859-1"))


def booked_with_times() -> BankCase:
    """The day of booking is told with its time, 10:30."""
    return _played("times", RECONCILED, form=Form(has_times=True))


def without_entry_references() -> BankCase:
    """Lines have the bank's own reference alone (`AcctSvcrRef`)."""
    return _played("no-refs", RECONCILED, form=Form(has_entry_refs=False))


def without_details() -> BankCase:
    """Lines have no payments in them, and so no trace id: found by amount, day and the line's own text."""
    return _played("no-details", BY_TEXT, form=Form(has_details=False))


def by_account_number() -> BankCase:
    """The account has no IBAN but a number of the bank."""
    return _played("number", RECONCILED, is_iban=False)


def in_a_batch() -> BankCase:
    """The line is of 262.30: customers pay 120.00 and 45.50 in it beside the payout."""
    return _in_a_batch("batch", PLAIN)


def in_a_batch_of_version_02() -> BankCase:
    """As in_a_batch, in version 02."""
    return _in_a_batch("batch-02", Form(OLD))


def _in_a_batch(name: str, form: Form) -> BankCase:
    batch = {0: changes.within_batch(*_CUSTOMERS)}
    return Stage(name, form=form).played(hundred(name), RECONCILED, changes=batch)


def statement_lost() -> BankCase:
    """The statement of Thursday never comes: what Wednesday closes with is not what Friday opens with."""
    return _played("gap", AWAITING, lambda told: tuple(each for each in told if each.statements[0].day != ARRIVES))


def statements_end_early() -> BankCase:
    """96.80 is not booked; statements reach Monday, 9 February, and the window lasts a day longer."""
    until = datetime(2026, 2, 10, 7, tzinfo=UTC)
    stage = Stage("early-end", until=until)
    return stage.played(hundred("early-end"), AWAITING, changes={0: changes.lost})


def on_its_way() -> BankCase:
    """It is Wednesday noon: the payout is made and not there yet; statements reach Tuesday."""
    return _played("on-its-way", AWAITING, until=datetime(2026, 2, 4, 12, tzinfo=UTC))


def notified_first() -> BankCase:
    """A camt.054 of Thursday noon has the line, and the statement of the evening has it again: one line."""

    def edit(told: Messages) -> Messages:
        return tuple(
            one for each in told for one in (message_of(each.statements[0], each.form, Kind.NOTIFICATION), each)
        )

    return _played("notified", RECONCILED, edit)


def notified_only() -> BankCase:
    """The bank sends camt.054 alone, which have no balances; the line is there."""

    def edit(told: Messages) -> Messages:
        return tuple(message_of(each.statements[0], each.form, Kind.NOTIFICATION) for each in told)

    return _played("notified-only", RECONCILED, edit)


def reported_as_pending() -> BankCase:
    """It is Thursday, 15:00: a camt.052 of noon has the line as pending, the newest statement is Wednesday's."""
    until = datetime(2026, 2, 5, 15, tzinfo=UTC)
    case = hundred("report")
    stage = Stage("report", until=until)
    booked = stage.received(case, {}).statements(ARRIVES)[-1]
    lines = tuple(replace(each, is_pending=True) for each in booked.lines)
    report = message_of(replace(booked, lines=lines, closing=booked.opening), PLAIN, Kind.REPORT)
    return stage.played(case, AWAITING, edit=lambda told: (*told, report))


def sent_twice() -> BankCase:
    """Thursday's file comes again on Friday under another name, byte for byte: nothing new."""

    def edit(told: Messages) -> Messages:
        (day,) = (each for each in told if each.statements[0].day == ARRIVES)
        return (*told, replace(day, name=day.name.replace(".xml", "_copy.xml"), put_after=_DAY))

    return _played("twice", RECONCILED, edit)


def two_accounts_in_one_file() -> BankCase:
    """Each file has the account's statement and that of another account, in euros, on which nothing happens."""
    other = Stage("one-file", currency="EUR").account()

    def edit(told: Messages) -> Messages:
        quiet = other.statements(told[-1].statements[0].day)
        return tuple(
            replace(each, statements=(*each.statements, beside)) for each, beside in zip(told, quiet, strict=True)
        )

    return _played("one-file", RECONCILED, edit)


MESSAGE_CASES: tuple[Callable[[], BankCase], ...] = (
    *(in_version_02, with_prefix_and_latin_1, booked_with_times, without_entry_references, without_details),
    *(by_account_number, in_a_batch, in_a_batch_of_version_02),
    *(statement_lost, statements_end_early, on_its_way, notified_first, notified_only, reported_as_pending),
    *(sent_twice, two_accounts_in_one_file),
)
