"""Answers worked out by hand: a handful of events and the figures that must come of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from kolleno_pipelines.sandbox.answer_lines import AgeingLine, Difference
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.books import Books, Touched
from kolleno_pipelines.sandbox.events import (
    AllocationStated,
    BalanceMoved,
    DocumentIssued,
    DocumentKind,
    DocumentVoided,
    Event,
)

TODAY = date(2026, 3, 1)
DAYS = {0: date(2026, 1, 1), 1: date(2026, 2, 10), 2: date(2026, 2, 20)}


def _answers(events: Iterable[Event]) -> Answers:
    books = Books(DAYS)
    for event in events:
        books.apply(event, Touched())
    return Answers(books, TODAY)


def _document(
    kind: DocumentKind, source_id: str, amount: int, issued: date, due: date | None = None, **more: object
) -> DocumentIssued:
    settled, paid = more.get("settled", 0), more.get("paid")
    return DocumentIssued(
        batch=0,
        kind=kind,
        source_id=source_id,
        customer="c",
        ref=source_id,
        amount=Decimal(amount),
        currency="EUR",
        date_issued=issued,
        date_due=due,
        settled_before=Decimal(str(settled)),
        date_paid=paid if isinstance(paid, date) else None,
    )


def _line(bucket: str, documents: int, amount: int) -> AgeingLine:
    return AgeingLine("EUR", bucket, documents, Decimal(amount))


def test_an_invoice_paid_on_5_february_was_21_days_late_on_31_january() -> None:
    invoice = _document("invoice", "i", 100, date(2025, 12, 10), date(2026, 1, 10), settled=100, paid=date(2026, 2, 5))
    answers = _answers([invoice])
    assert answers.ageing(date(2026, 1, 10)) == [_line("not_due", 1, 100)]
    assert answers.ageing(date(2026, 1, 31)) == [_line("1-30", 1, 100)]
    assert answers.ageing(date(2026, 2, 4)) == [_line("1-30", 1, 100)]
    assert answers.ageing(date(2026, 2, 5)) == answers.ageing() == []
    assert answers.opening_differences() == [Difference("invoice", "i", "EUR", Decimal(100), opening=True)]


def test_money_before_its_invoice_is_on_account_until_then() -> None:
    answers = _answers(
        [
            _document("payment", "p", 100, date(2026, 1, 5)),
            _document("invoice", "i", 100, date(2026, 1, 20), date(2026, 2, 19)),
            AllocationStated(0, "payment", "p", "i", Decimal(100), date(2026, 1, 5)),
        ]
    )
    assert answers.ageing(date(2026, 1, 4)) == []
    assert answers.ageing(date(2026, 1, 10)) == [_line("unapplied", 0, -100)]
    assert answers.ageing(date(2026, 1, 20)) == []
    lines = answers.roll_forward(date(2026, 1, 4), date(2026, 1, 20))
    assert [line.closing for line in lines] == [0] + [-100] * 15 + [0]


def test_history_that_is_missing_counts_from_the_day_of_issue_even_when_the_rest_is_paid_later() -> None:
    answers = _answers(
        [
            _document("invoice", "i", 100, date(2025, 11, 1), settled=60),
            _document("payment", "p", 40, date(2026, 2, 10)),
            AllocationStated(1, "payment", "p", "i", Decimal(40), None),
        ]
    )
    assert answers.ageing(date(2025, 11, 1)) == [_line("not_due", 1, 40)]
    assert answers.ageing(date(2026, 2, 9)) == [_line("91+", 1, 40)]
    assert answers.ageing(date(2026, 2, 10)) == []
    (issue,) = answers.roll_forward(date(2025, 11, 1), date(2025, 11, 1))
    assert (issue.invoices, issue.unexplained, issue.closing) == (100, 60, 40)
    assert [each.difference for each in answers.differences()] == [60]


def test_a_write_off_counts_from_its_batch_and_a_credit_note_refund_raises_the_net() -> None:
    answers = _answers(
        [
            _document("invoice", "i", 100, date(2026, 1, 1), date(2026, 1, 31)),
            _document("credit_note", "n", 30, date(2026, 1, 2)),
            BalanceMoved(1, "invoice", "i", Decimal(100), None),
            BalanceMoved(2, "credit_note", "n", Decimal(30), None),
        ]
    )
    assert answers.ageing(date(2026, 2, 9)) == [_line("1-30", 1, 100), _line("unapplied", 0, -30)]
    assert answers.ageing(date(2026, 2, 19)) == [_line("unapplied", 0, -30)]
    assert answers.ageing() == []
    moved = {line.day: line.unexplained for line in answers.roll_forward(date(2026, 2, 1), TODAY) if line.unexplained}
    assert moved == {date(2026, 2, 10): 100, date(2026, 2, 20): -30}
    assert answers.opening_differences() == []
    assert len(answers.differences()) == 2


def test_a_balance_that_moves_again_is_no_opening_difference_and_takes_back_the_newest_part() -> None:
    old = _document("invoice", "i", 100, date(2025, 12, 1), settled=60)
    down, back = BalanceMoved(1, "invoice", "i", Decimal(20), None), BalanceMoved(2, "invoice", "i", Decimal(-30), None)
    for events, difference, opening in (([], 60, True), ([down], 80, False), ([down, back], 50, False)):
        (found,) = _answers([old, *events]).differences()
        assert (found.difference, found.opening) == (difference, opening)
    moved = _answers([old, down, back]).roll_forward(date(2025, 12, 1), TODAY)
    assert {line.day: line.unexplained for line in moved if line.unexplained} == {date(2025, 12, 1): 50}
    undone = BalanceMoved(2, "invoice", "i", Decimal(-20), None)
    assert [each.opening for each in _answers([old, down, undone]).differences()] == [True]


def test_a_voided_document_never_counted_and_its_money_is_on_account() -> None:
    answers = _answers(
        [
            _document("invoice", "i", 100, date(2026, 1, 1)),
            _document("payment", "p", 100, date(2026, 1, 8)),
            AllocationStated(0, "payment", "p", "i", Decimal(100), None),
            DocumentVoided(1, "invoice", "i", Decimal(100), sends_ends=False),
        ]
    )
    assert answers.ageing(date(2026, 1, 3)) == []
    assert answers.ageing(date(2026, 1, 8)) == answers.ageing() == [_line("unapplied", 0, -100)]
    (total,) = answers.control_totals()
    assert (total.customers, total.invoices_open, total.net) == (1, 0, -100)
    record = answers.records("invoice")["i"]
    assert (record.balance, record.balance_open, record.posting_status) == (100, 0, "voided")
    assert [each.payments for each in answers.unapplied_cash()] == [100]


def test_an_allocation_counts_from_the_latest_of_its_day_and_both_documents() -> None:
    answers = _answers(
        [
            _document("invoice", "i", 50, date(2026, 1, 1), date(2026, 1, 1)),
            _document("credit_note", "n", 20, date(2026, 1, 5)),
            AllocationStated(0, "credit_note", "n", "i", Decimal(20), date(2026, 1, 9)),
        ]
    )
    assert answers.ageing(date(2026, 1, 8)) == [_line("1-30", 1, 50), _line("unapplied", 0, -20)]
    assert answers.ageing(date(2026, 1, 9)) == [_line("1-30", 1, 30)]


def test_a_corrected_link_restates_the_whole_pair_and_zero_ends_it() -> None:
    base: list[Event] = [
        _document("invoice", "i", 50, date(2026, 1, 1), date(2026, 1, 1)),
        _document("payment", "p", 50, date(2026, 1, 2)),
        AllocationStated(0, "payment", "p", "i", Decimal(20), None),
        AllocationStated(1, "payment", "p", "i", Decimal(35), None),
    ]
    assert _answers(base).records("invoice")["i"].balance == 15
    ended = _answers([*base, AllocationStated(2, "payment", "p", "i", Decimal(0), None)])
    assert ended.records("invoice")["i"].balance == 50
    assert ended.ageing(date(2026, 1, 2)) == [_line("1-30", 1, 50), _line("unapplied", 0, -50)]
