"""What of a bank's lines finds a payout: what was said of it before, once for two readers, the provider's own name."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from kolleno_pipelines.sandbox.bank.files import File
from tests.bank_cases import Bank, bank_outcomes, fold_files
from tests.bank_documents import balance, document, entry, transaction
from tests.provider_rows import Account, reconcile

AT = datetime(2026, 2, 20, 6, tzinfo=UTC)
MONTH = ("2026-02-01T00:00:00", "2026-02-19T23:59:59")


def file(name: str, *entries: str, message: str = "camt.053", created: str = "2026-02-20T05:00:00Z") -> File:
    """A statement of three weeks in which nothing else happens."""
    balances = [balance("OPBD", "0.00", "2026-02-01"), balance("CLBD", "96.80", "2026-02-19")]
    said = balances if message == "camt.053" else []
    return File(name, document(entries, said, message=message, created=created, days=MONTH, ref=name), AT)


def judged(url: str, *banks: list[File], trace: str | None = None) -> tuple[str, str]:
    account = Account()
    account.payout("po_1", "96.80", date_arrival=date(2026, 2, 5), trace_id=trace)
    account.fold(url)
    for number, files in enumerate(banks):
        assert fold_files(url, f"bank{number}", "qb", files) == []
    reconcile(url, banks=[Bank(f"bank{number}", "qb") for number in range(len(banks))])
    return bank_outcomes(url, "stripe")["po_1"]


def test_what_a_notification_names_holds_though_the_statement_says_less(database: str) -> None:
    named = entry(details=transaction("payment", trace="TRACE-77"))
    first = file("n", named, message="camt.054", created="2026-02-05T12:00:00Z")
    assert judged(database, [first, file("s", entry())], trace="TRACE77") == ("reconciled", "trace_id")


def test_an_account_that_two_connections_read_has_each_line_once(database: str) -> None:
    said = [file("s", entry(details=transaction("x", trace="TRACE-77")))]
    assert judged(database, said, said, trace="TRACE77") == ("reconciled", "trace_id")


@pytest.mark.parametrize(
    ("text", "payer", "found"),
    [
        ("STRIPE*PAYOUT 7", None, True),
        ("transfer", "Stripe Payments Europe", True),
        ("Pinstripe suits", None, False),
        ("S T R I P E", None, False),
    ],
)
def test_the_provider_s_name_is_a_word(database: str, text: str, payer: str | None, found: bool) -> None:
    outcome = judged(database, [file("s", entry(details=transaction(text, payer=payer)))])
    assert outcome == (("reconciled", "descriptor") if found else ("not_at_bank", ""))
