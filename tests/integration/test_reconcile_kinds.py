"""What API systems bring, as the fold leaves it: journals, money on account, refunds, merged customers, what waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import reconcile_days
from kolleno_pipelines.storage.fold_derived import derive_journal_balances
from tests.receivables_rows import BASELINE, Books, Connection, rows

JAN = date(2026, 1, 10)
FEB = date(2026, 2, 5)
TODAY = date(2026, 3, 31)
NAMES = ("invoices", "credit_notes", "receipts", "refunds", "journals", "unexplained", "closing")


@pytest.fixture
def books(database: str) -> Books:
    made = Books(database, "api")
    made.customer("C1")
    made.extract("invoices")
    return made


def reconciled(books: Books, **settings: Any) -> dict[str, dict[str, int]]:
    connections = {"api": Connection("api", system="xero", **settings)}
    days = [JAN + timedelta(days=count) for count in range((TODAY - JAN).days + 1)]
    present = reconcile_present(books.url, connections, TODAY)
    reconcile_days(books.url, connections, TODAY, days)
    return {one.result: dict(one.counts) for one in present}


def breaks(books: Books) -> list[tuple[Any, ...]]:
    query = "SELECT kind, left_kind, left_source_id, amount, cause FROM reconciliation.differences"
    return rows(books.url, f"{query} WHERE status <> 'resolved' ORDER BY 1, 2, 3")


def lines(books: Books, day: date, currency: str = "USD") -> dict[str, Decimal]:
    """What the roll-forward of a day says, without its zeros."""
    found = rows(
        books.url,
        f"SELECT {', '.join(NAMES)} FROM reconciliation.roll_forward WHERE day = %s AND currency_iso = %s",
        day,
        currency,
    )
    return {name: amount for name, amount in zip(NAMES, found[0], strict=True) if amount} if found else {}


def ageing(books: Books, day: date) -> dict[str, tuple[int, Decimal]]:
    query = "SELECT bucket, documents, amount FROM reconciliation.ageing WHERE day = %s AND amount <> 0"
    return {row[0]: row[1:] for row in rows(books.url, query, day)}


def test_journals_on_both_sides(books: Books) -> None:
    """A debit of 75 with 50 paid; a credit of 30 of which an invoice took 20: 25 are owed, 10 unapplied."""
    books.journal("D", "75", "25", JAN)
    books.journal("K", "-30", "-10", JAN)
    books.payment("P", "50", "0", FEB)
    books.invoice("I", "20", "0", JAN, date_due=FEB)
    books.allocation(("payment", "P"), "D", "50", to_kind="journal")
    books.allocation(("journal", "K"), "I", "20", date_applied=FEB)
    counts = reconciled(books)
    assert breaks(books) == []
    assert (counts["balances"]["documents"], counts["balances"]["unproven"]) == (4, 2)
    assert lines(books, JAN) == {"invoices": 20, "journals": 45, "closing": 65}
    assert lines(books, FEB) == {"receipts": 50, "closing": 15}
    assert ageing(books, JAN) == {"not_due": (2, 95), "unapplied": (0, -30)}
    assert ageing(books, FEB) == {"1-30": (1, 25), "unapplied": (0, -10)}
    unapplied = rows(books.url, "SELECT kind, source_id, amount, balance FROM reconciliation.unapplied_cash")
    assert unapplied == [("journal", "K", 30, 10)]
    assert rows(books.url, "SELECT journals_balance, net FROM reconciliation.control_totals") == [(15, 15)]


def test_an_overpayment_of_which_a_part_went_back(books: Books) -> None:
    """100 too much: 60 pay an invoice, 30 are paid back, 10 are left; a refund that was deleted takes nothing."""
    books.money("overpayment", "O", "100", "10", JAN)
    books.invoice("I", "60", "0", JAN)
    books.refund("R", "30", FEB)
    books.refund("X", "5", FEB, posting_status="deleted")
    books.allocation(("overpayment", "O"), "I", "60")
    books.allocation(("overpayment", "O"), "R", "30", to_kind="refund")
    books.allocation(("overpayment", "O"), "X", "5", to_kind="refund")
    reconciled(books)
    assert breaks(books) == []
    assert lines(books, JAN) == {"invoices": 60, "receipts": 100, "closing": -40}
    assert lines(books, FEB) == {"refunds": 30, "closing": -10}
    query = "SELECT kind, balance FROM reconciliation.unapplied_cash"
    assert rows(books.url, query) == [("overpayment", 10)]
    assert rows(books.url, "SELECT payments_balance, net FROM reconciliation.control_totals") == [(10, -10)]


def test_a_credit_note_and_a_prepayment_paid_back(books: Books) -> None:
    books.credit_note("N", "40", "0", JAN)
    books.money("prepayment", "V", "25", "0", JAN)
    for kind, source_id, amount in (("credit_note", "N", "40"), ("prepayment", "V", "25")):
        books.refund(f"R{source_id}", amount, FEB)
        books.allocation((kind, source_id), f"R{source_id}", amount, to_kind="refund")
    reconciled(books)
    assert breaks(books) == []
    assert lines(books, FEB) == {"refunds": 65}


def test_a_deposit_taken_with_an_invoice(books: Books) -> None:
    """Of 200, 50 were paid when it was written: a receipt of that day, and no document."""
    books.invoice("I", "200", "150", JAN)
    books.allocation(("invoice_deposit", "I"), "I", "50", date_applied=JAN)
    reconciled(books)
    assert breaks(books) == []
    assert lines(books, JAN) == {"invoices": 200, "receipts": 50, "closing": 150}


@pytest.mark.parametrize("status", ["voided", "deleted"])
def test_the_allocations_of_a_document_that_does_not_count_have_ended(books: Books, status: str) -> None:
    later = BASELINE + timedelta(days=20)
    books.invoice("I", "80", "80", JAN)
    books.journal("D", "20", "20", JAN)
    books.payment("P", "100", "0", JAN, posting_status=status, observed_at=later)
    books.allocation(("payment", "P"), "I", "80")
    books.allocation(("payment", "P"), "D", "20", to_kind="journal")
    with psycopg.connect(books.url) as conn:
        derive_journal_balances(lambda statement, **more: conn.execute(statement, {"connection": "api", **more}))
    assert rows(books.url, "SELECT balance_open FROM receivables.journals") == [(20,)]
    reconciled(books)
    assert breaks(books) == []
    assert lines(books, JAN) == {"invoices": 80, "journals": 20, "closing": 100}
    live = rows(books.url, "SELECT is_live FROM reporting.allocations")
    assert live == [(False,), (False,)]


def test_a_journal_settled_too_far(books: Books) -> None:
    books.journal("D", "75", "-5", JAN)
    books.journal("K", "-30", "2", JAN)
    books.payment("P", "80", "0", JAN)
    books.invoice("I", "32", "0", JAN)
    books.allocation(("payment", "P"), "D", "80", to_kind="journal")
    books.allocation(("journal", "K"), "I", "32")
    reconciled(books)
    assert breaks(books) == [("over_allocated", "journal", "D", 5, None), ("over_allocated", "journal", "K", 2, None)]


def test_currencies_and_customers_that_do_not_go_together_at_journals(books: Books) -> None:
    """Each pair is found once, where it is settled; across currencies nothing is taken off what pays."""
    books.customer("C2")
    books.journal("D", "75", "0", JAN, customer_source_id="C2")
    books.journal("E", "30", "0", JAN, currency_iso="EUR")
    books.payment("P", "75", "0", JAN)
    books.payment("Q", "33", "33", JAN)
    books.allocation(("payment", "P"), "D", "75", to_kind="journal")
    books.allocation(("payment", "Q"), "E", "30", to_kind="journal")
    reconciled(books)
    assert breaks(books) == [
        ("currency_mismatch", "payment", "Q", 30, "fx"),
        ("customer_mismatch", "payment", "P", 75, None),
    ]


class TestMergedCustomers:
    @pytest.fixture
    def merged(self, books: Books) -> Books:
        """A was merged into B, B into C1: what comes late under A and B counts for C1."""
        for customer in ("A", "B"):
            books.customer(customer, balance_stated="0", balance_currency_iso="USD")
        books.merged("A", "B")
        books.merged("B", "C1")
        books.invoice("I", "100", "70", JAN, customer_source_id="A")
        books.payment("P", "30", "0", JAN)
        books.credit_note("N", "12", "12", JAN, customer_source_id="B")
        books.allocation(("payment", "P"), "I", "30")
        return books

    def test_their_documents_count_for_the_one_they_are_now(self, merged: Books) -> None:
        sets = (
            "UPDATE receivables.customers SET balance_stated = %s, balance_currency_iso = 'USD' WHERE source_id = 'C1'"
        )
        merged.execute(sets, 58)
        reconciled(merged, balance_stated=True)
        assert breaks(merged) == []
        query = "SELECT customers, net, stated FROM reconciliation.control_totals"
        assert rows(merged.url, query) == [(1, 58, 58)]
        query = "SELECT DISTINCT customer_source_id FROM reconciliation.{} WHERE customer_source_id IS NOT NULL"
        for table in ("ageing_by_customer", "unapplied_cash"):
            assert rows(merged.url, query.format(table)) == [("C1",)]
        merged.execute(sets, 57)
        reconciled(merged, balance_stated=True)
        assert breaks(merged) == [("control_total", "customer", "C1", 1, None)]
        assert {row[0] for row in rows(merged.url, "SELECT customer_name FROM reporting.open_items")} == {"C1"}

    def test_customers_merged_into_each_other(self, books: Books) -> None:
        for source_id, into in (("Z", "X"), ("X", "Y"), ("Y", "X"), ("S", "S")):
            books.merged(source_id, into)
        found = rows(books.url, "SELECT source_id, customer_source_id FROM receivables.merged_customers ORDER BY 1")
        assert found == [("S", "S"), ("X", "X"), ("Y", "X"), ("Z", "X")]


class TestAccounts:
    def totals(self, books: Books) -> list[tuple[Any, ...]]:
        reconciled(books)
        columns = "account_source_id, currency_iso, computed, stated, difference, reason IS NOT NULL"
        return rows(books.url, f"SELECT {columns} FROM reconciliation.account_totals ORDER BY 1, 2")

    def test_a_document_without_an_account_is_on_the_only_one_of_its_currency(self, books: Books) -> None:
        books.account("A", "65")
        books.account("E", "7", "EUR")
        books.journal("D", "15", "15", JAN)
        books.invoice("I", "50", "50", JAN)
        books.invoice("J", "7", "7", JAN, currency_iso="EUR", receivable_account_source_id="E")
        assert self.totals(books) == [("A", "USD", 65, 65, 0, False), ("E", "EUR", 7, 7, 0, False)]
        assert breaks(books) == []

    def test_what_cannot_be_compared_says_why(self, books: Books) -> None:
        """Two accounts of one currency, a currency without one, an account that nobody knows as one of receivables."""
        books.account("A", "0")
        books.account("B", None)
        books.invoice("I", "50", "50", JAN)
        books.invoice("J", "7", "7", JAN, currency_iso="EUR", receivable_account_source_id="A")
        books.invoice("K", "9", "9", JAN, receivable_account_source_id="Z")
        assert self.totals(books) == [
            ("", "USD", 50, None, None, True),
            ("A", "EUR", 7, None, None, True),
            ("A", "USD", 0, 0, None, True),
            ("B", "USD", 0, None, None, True),
            ("Z", "USD", 9, None, None, True),
        ]
        assert breaks(books) == []

    def test_several_accounts_are_compared_where_every_open_document_names_one(self, books: Books) -> None:
        """An invoice of 100 is on one of two accounts; the payment of 30 that names A says nothing against either."""
        books.account("A", "70")
        books.account("B", "0")
        books.invoice("I", "100", "100", JAN)
        books.payment("P", "30", "30", JAN, receivable_account_source_id="A")
        apart = [("", "USD", 100, None, None, True), ("A", "USD", -30, 70, None, True), ("B", "USD", 0, 0, None, True)]
        assert self.totals(books) == apart
        assert breaks(books) == []
        books.execute("UPDATE receivables.invoices SET receivable_account_source_id = 'A'")
        assert self.totals(books) == [("A", "USD", 70, 70, 0, False), ("B", "USD", 0, 0, 0, False)]

    def test_a_foreign_account_may_be_stated_in_home_currency(self, books: Books) -> None:
        books.insert(
            "receivables.ledger_units",
            connection="api", source_id="1", home_currency_iso="USD", observed_at=BASELINE, origin="1:1",
        )  # fmt: skip
        books.account("E", "44", "EUR")
        books.invoice("J", "40", "40", JAN, currency_iso="EUR", exchange_rate="1.1")
        assert self.totals(books) == [("E", "USD", 44, 44, 0, False)]
        books.execute("UPDATE receivables.accounts SET balance_stated = 40")
        assert self.totals(books) == [("E", "EUR", 40, 40, 0, False)]
        books.execute("UPDATE receivables.accounts SET balance_stated = 45")
        assert self.totals(books) == [("E", "EUR", 40, 45, -5, False)]
        assert breaks(books) == [("account_total", "account", "E", -5, None)]


class TestWaiting:
    def parked(self, books: Books, entity: str, source_id: str, parent: tuple[str, str], **values: Any) -> None:
        extract = books.extract(entity)
        books.insert(f"normalised.{entity}", extract_id=extract, line=3, source_id=source_id, **values)
        books.insert(
            "normalised.payloads",
            extract_id=extract, line=3, connection="api", kind=entity, source_id=source_id, observed_at=BASELINE,
            modified_at=BASELINE - timedelta(days=1), is_deleted=False, digest="",
        )  # fmt: skip
        books.insert(
            "normalised.parked_rows",
            connection="api", extract_id=extract, line=3, entity=entity, source_id=source_id, is_overtaken=False,
            code=f"unknown_{parent[0].removesuffix('s')}", parent_entity=parent[0], parent_id=parent[1],
        )  # fmt: skip

    def test_an_allocation_waits_for_its_payment_and_names_extract_and_line(self, books: Books) -> None:
        books.invoice("I", "60", "0", JAN)
        ends = {"owner_kind": "payment", "owner_source_id": "P", "from_kind": "payment", "from_source_id": "P"}
        ends |= {"to_kind": "invoice", "to_source_id": "I"}
        self.parked(books, "allocations", "P|I", ("payments", "P"), amount="60", **ends)
        reconciled(books)
        assert breaks(books) == [
            ("balance_allocation_mismatch", "invoice", "I", 60, "missing_document"),
            ("unknown_payment", "allocations", "P|I", 60, "parked"),
        ]
        document = {"kind": "payment", "customer_source_id": "C9", "posting_status": "posted", "amount": "60"}
        document |= {"collection_status": "none", "date_issued": JAN, "currency_iso": "USD"}
        self.parked(books, "payments", "P", ("customers", "C9"), **document)
        reconciled(books)
        assert breaks(books) == [
            ("balance_allocation_mismatch", "invoice", "I", 60, "parked"),
            ("unknown_customer", "payments", "P", 60, "parked"),
            ("unknown_payment", "allocations", "P|I", 60, "parked"),
        ]
        query = "SELECT evidence, since FROM reconciliation.differences WHERE left_kind = 'payments'"
        ((evidence, since),) = rows(books.url, query)
        assert evidence == {"extract": "payments, extract 3", "line": 3, "parent_is_parked": False}
        assert since == BASELINE - timedelta(days=1)
        query = "SELECT evidence FROM reconciliation.balances"
        assert rows(books.url, query)[0][0]["waiting"][0]["file"] == "allocations, extract 2"

    def test_a_quarantined_payload_is_a_break_until_a_newer_one_is_read(self, books: Books) -> None:
        extract = books.extract("invoices", BASELINE + timedelta(days=1))
        for line, source_id in ((2, "I9"), (4, None)):
            values = {"extract_id": extract, "line": line, "source_id": source_id, "reason": "TotalAmt: not a number"}
            books.insert("raw.quarantined_payloads", **values)
        reconciled(books)
        nameless = f"line 4 of extract {extract}"
        assert breaks(books) == [
            ("quarantined_payload", "invoices", "I9", None, "parked"),
            ("quarantined_payload", "invoices", nameless, None, "parked"),
        ]
        ((evidence,),) = rows(books.url, "SELECT evidence FROM reconciliation.differences WHERE left_source_id = 'I9'")
        assert evidence == {"extract": f"invoices, extract {extract}", "line": 2, "reason": "TotalAmt: not a number"}
        newer = books.extract("invoices", datetime(2026, 2, 1, tzinfo=UTC))
        books.insert(
            "normalised.payloads",
            extract_id=newer, line=1, connection="api", kind="invoice", source_id="I9", observed_at=BASELINE,
            is_deleted=False, digest="",
        )  # fmt: skip
        reconciled(books)
        assert breaks(books) == [("quarantined_payload", "invoices", nameless, None, "parked")]


def test_history_is_here_unless_the_system_was_read_from_a_day_on(books: Books) -> None:
    books.invoice("I", "100", "40", JAN)
    reconciled(books)
    assert breaks(books) == [("balance_allocation_mismatch", "invoice", "I", 60, "missing_document")]
    reconciled(books, start_date=FEB)
    assert breaks(books) == [("balance_allocation_mismatch", "invoice", "I", 60, "opening")]


def test_a_stored_day_is_computed_again_when_a_journal_or_refund_reaches_it(books: Books) -> None:
    books.credit_note("N", "40", "0", JAN)
    books.refund("R", "40", FEB)
    books.allocation(("credit_note", "N"), "R", "40", to_kind="refund")
    reconciled(books)
    connections = {"api": Connection("api", system="xero")}
    books.journal("D", "75", "75", JAN)
    reconcile_days(books.url, connections, TODAY, [TODAY])
    assert lines(books, JAN) == {"credit_notes": 40, "journals": 75, "closing": 35}
    with psycopg.connect(books.url) as conn:
        conn.execute("UPDATE receivables.refunds_erp SET posting_status = 'deleted', loaded_at = clock_timestamp()")
        conn.execute("UPDATE receivables.credit_notes SET (balance, balance_open) = (40, 40)")
    reconcile_days(books.url, connections, TODAY, [TODAY])
    assert lines(books, FEB) == {"closing": 35}
