"""The present results on PostgreSQL: what they hold and what a second run changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.pipeline.acceptance import accept, reopen
from kolleno_pipelines.pipeline.reconcile import (
    reconcile_balances,
    reconcile_control_totals,
    reconcile_differences,
    reconcile_present,
    reconcile_unapplied_cash,
)
from kolleno_pipelines.pipeline.reports import ReportError, asks_for_somebody, report
from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.storage.result_rows import red_rows
from kolleno_pipelines.storage.results import Changes, reading
from tests.receivables_rows import BASELINE, Books, Connection, rows
from tests.reconciling import JAN, LATER, TODAY, books_that_tie, breaks, run, shown


@pytest.fixture
def books(database: str) -> Books:
    return books_that_tie(database)


def test_a_ledger_that_ties(database: str, books: Books) -> None:
    counts = run(database)
    assert counts["balances"] == {
        "documents": 3, "tied": 3, "unproven": 0, "differing": 0, "opening": 0, "findings": 0
    }  # fmt: skip
    assert counts["differences"] == {"open": 0, "accepted": 0, "resolved": 0, "reopened": 0, "red": 0}
    assert shown("control-totals", database) == [
        {
            "connection": "sftp",
            "currency_iso": "USD",
            "customers": 2,
            "invoices_open": 1,
            "invoices_balance": "40.00",
            "credit_notes_balance": "5.00",
            "payments_balance": "20.00",
            "journals_balance": "0.00",
            "net": "15.00",
            "stated": None,
            "difference": None,
            "breaks": [],
            "accounts": [],
        }
    ]
    assert [
        (row["source_id"], row["balance"], row["age_days"], row["bucket"]) for row in shown("unapplied-cash", database)
    ] == [
        ("P1", "20.00", 80, "61-90"),
        ("N1", "5.00", 80, "61-90"),
    ]


@pytest.mark.parametrize("compute", [reconcile_balances, reconcile_control_totals, reconcile_unapplied_cash])
def test_what_was_computed_after_the_question_is_taken_over(
    database: str, books: Books, compute: Callable[..., ResultSummary]
) -> None:
    books.invoice("I2", "10", "3", JAN)
    connections, moment = {"sftp": Connection()}, "SELECT clock_timestamp()"
    ((asked,),) = rows(database, moment)
    computed = compute(database, connections, TODAY, asked)
    assert not computed.is_taken_over, "nothing was computed since"
    assert computed.changes.written
    known = compute(database, connections, TODAY, asked)
    assert known == replace(computed, changes=Changes(), is_taken_over=True)
    assert not compute(database, connections, TODAY, rows(database, moment)[0][0]).is_taken_over
    assert not compute(database, connections, TODAY + timedelta(days=1), asked).is_taken_over
    assert not compute(database, connections | {"other": Connection("other")}, TODAY, asked).is_taken_over
    assert not compute(database, connections, TODAY).is_taken_over


def test_a_second_run_changes_nothing_but_the_time(database: str, books: Books) -> None:
    books.invoice("I2", "10", "3", JAN)
    query = """SELECT 'b', ctid::text FROM reconciliation.balances UNION ALL SELECT 's', ctid::text
        FROM reconciliation.balance_summary UNION ALL SELECT 'd', ctid::text FROM reconciliation.differences
        UNION ALL SELECT 'c', ctid::text FROM reconciliation.control_totals UNION ALL SELECT 'u', ctid::text
        FROM reconciliation.unapplied_cash ORDER BY 1, 2"""
    run(database)
    before, times = rows(database, query), rows(database, "SELECT computed_at FROM reconciliation.results")
    for one in reconcile_present(database, {"sftp": Connection()}, TODAY):
        assert (one.changes.written, one.changes.deleted) == (0, 0), one.result
    assert rows(database, query) == before
    assert rows(database, "SELECT computed_at FROM reconciliation.results") > times


class TestCauses:
    def only_break(self, database: str) -> tuple[object, ...]:
        run(database)
        (found,) = breaks(database).values()
        return found

    def test_opening_differences_are_listed_and_not_red(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN)
        assert run(database)["differences"]["red"] == 0
        assert list(breaks(database).values()) == [("balance_allocation_mismatch", "open", "opening", Decimal(60))]
        (row,) = shown("balances", database)
        assert (row["source_id"], row["difference"], row["is_opening"]) == ("I2", "60.00", True)

    def test_a_change_after_first_sight_is_red(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN, observed_at=LATER)
        books.move("invoice", "I2", LATER, "60")
        assert run(database)["differences"]["red"] == 1
        ((since, evidence),) = rows(database, "SELECT since, evidence FROM reconciliation.differences")
        assert since == LATER
        assert evidence["arose"] == [{"input": "2026-02-05 06:00:00+00:00", "amount": "60"}]
        assert evidence["allocated"] == "0.000000"
        assert self.only_break(database)[2] == "missing_document"

    def test_an_allocation_without_its_balance(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "100", JAN)
        books.payment("P2", "60", "60", JAN)
        books.allocation(("payment", "P2"), "I2", "60", observed_at=LATER)
        run(database)
        assert sorted(row[2:] for row in breaks(database).values()) == [("stale_extract", Decimal(-60))] * 2

    def test_a_cent(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "100.01", JAN)
        assert self.only_break(database)[2:] == ("rounding", Decimal("-0.01"))

    def test_a_voided_payment_whose_invoice_still_says_paid(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN)
        books.payment("P2", "60", "0", JAN, posting_status="voided", observed_at=LATER)
        books.allocation(("payment", "P2"), "I2", "60")
        assert self.only_break(database)[2:] == ("void", Decimal(60))

    def test_a_payment_that_never_came(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN)
        books.parked_link("P9", "I2", "60")
        run(database)
        found = {row[0]: row[1:] for row in breaks(database).values()}
        assert found == {
            "balance_allocation_mismatch": ("open", "missing_document", Decimal(60)),
            "unknown_payment": ("open", "parked", Decimal(60)),
        }
        query = "SELECT evidence FROM reconciliation.balances"
        (waiting,) = rows(database, query)[0][0]["waiting"]
        assert (waiting["file"], waiting["line"], waiting["parent_id"]) == (
            "payments_invoices_2026-01-02T06:00:05.csv", 2, "P9"
        )  # fmt: skip

    def test_allocated_twice(self, database: str, books: Books) -> None:
        books.invoice("I2", "60", "0", JAN)
        for payment in ("P2", "P3"):
            books.payment(payment, "60", "0", JAN)
            books.allocation(("payment", payment), "I2", "60")
        run(database)
        assert sorted(row[0] + ":" + str(row[2]) for row in breaks(database).values()) == [
            "balance_allocation_mismatch:duplicate",
            "over_allocated:duplicate",
        ]

    def test_currencies_and_customers_that_do_not_go_together(self, database: str, books: Books) -> None:
        books.invoice("I2", "60", "0", JAN, customer_source_id="C2")
        books.payment("P2", "55", "55", JAN, currency_iso="EUR")
        books.allocation(("payment", "P2"), "I2", "60")
        run(database)
        found = rows(
            database, "SELECT kind, left_source_id, right_source_id, cause FROM reconciliation.differences ORDER BY 1"
        )
        assert found == [("currency_mismatch", "P2", "I2", "fx"), ("customer_mismatch", "P2", "I2", None)]

    def test_a_parent_may_pay_its_child(self, database: str, books: Books) -> None:
        books.customer("C3", parent_source_id="C1", group_source_id="C1")
        books.invoice("I2", "60", "40", JAN, customer_source_id="C3")
        books.payment("P2", "20", "0", JAN)
        books.allocation(("payment", "P2"), "I2", "20")
        run(database)
        assert breaks(database) == {}

    def test_closed_with_a_balance(self, database: str, books: Books) -> None:
        books.invoice("I2", "60", "60", JAN, status_stated="Paid")
        assert self.only_break(database)[:1] + self.only_break(database)[2:] == (
            "closed_with_balance", "stale_extract", Decimal(60)
        )  # fmt: skip

    def test_customers_that_are_each_others_parents(self, database: str, books: Books) -> None:
        books.customer("C3", parent_source_id="C4")
        books.customer("C4", parent_source_id="C3")
        books.customer("C5", parent_source_id="C4")
        run(database)
        ((left, right, evidence),) = rows(
            database, "SELECT left_source_id, right_source_id, evidence FROM reconciliation.differences"
        )
        assert (left, right, evidence) == ("C3", "C4", {"customers": ["C3", "C4"]})

    def test_a_difference_within_tolerance_ties(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "100.01", JAN)
        counts = run(database, tolerance={"USD": Decimal("0.01")})
        assert (counts["balances"]["differing"], counts["differences"]["open"]) == (0, 0)

    def test_a_derived_balance_proves_nothing(self, database: str, books: Books) -> None:
        books.payment("P2", "10", "10", JAN, balance_source="derived")
        assert run(database)["balances"]["unproven"] == 1

    def test_documents_that_are_not_posted_do_not_count(self, database: str, books: Books) -> None:
        for status in ("voided", "draft", "deleted", "pending_approval"):
            books.invoice(f"I-{status}", "100", "40", JAN, posting_status=status)
        assert run(database)["balances"]["documents"] == 3
        assert shown("control-totals", database)[0]["invoices_balance"] == "40.00"


class TestControlTotals:
    def test_stated_balances(self, database: str, books: Books) -> None:
        books.execute(
            "UPDATE receivables.customers SET balance_stated = 20, balance_currency_iso = 'USD' WHERE source_id = 'C1'"
        )
        books.execute("UPDATE receivables.customers SET balance_stated = -4 WHERE source_id = 'C2'")
        connections = {"sftp": Connection(balance_stated=True)}
        reconcile_present(database, connections, TODAY)
        (row,) = shown("control-totals", database)
        assert (row["net"], row["stated"], row["difference"]) == ("15.00", "16.00", "-1.00")
        assert row["breaks"] == [
            {"customer_source_id": "C2", "computed": "-5.00", "stated": "-4.00", "difference": "-1.00"}
        ]
        assert [row[:1] for row in breaks(database).values()] == [("control_total",)]

    def test_a_difference_keeps_its_age_until_its_amount_changes(self, database: str, books: Books) -> None:
        connections = {"sftp": Connection(balance_stated=True)}

        def state(balance: int, at: datetime) -> datetime:
            books.execute(
                "UPDATE receivables.customers SET balance_stated = %s, balance_currency_iso = 'USD', observed_at = %s"
                " WHERE source_id = 'C1'",
                balance,
                at,
            )
            reconcile_present(database, connections, TODAY)
            ((since,),) = rows(database, "SELECT since FROM reconciliation.differences WHERE kind = 'control_total'")
            assert isinstance(since, datetime)
            return since

        assert state(19, BASELINE) == BASELINE
        assert state(19, LATER) == BASELINE  # only its address changed
        assert state(18, LATER) == LATER
        books.invoice("I7", "5", "5", JAN, first_seen_at=LATER + timedelta(days=3))
        assert state(18, LATER) == LATER + timedelta(days=3)

    def test_an_accepted_difference_is_not_red(self, database: str, books: Books) -> None:
        books.execute(
            "UPDATE receivables.customers SET balance_stated = 1, balance_currency_iso = 'USD' WHERE source_id = 'C1'"
        )
        connections = {"sftp": Connection(balance_stated=True)}
        reconcile_present(database, connections, TODAY)
        assert self.red(database) == ["C1"]
        (break_id,) = breaks(database)
        accept(database, break_id, why="agreed", by="ana", today=TODAY)
        assert self.red(database) == []
        (row,) = shown("control-totals", database)
        assert row["breaks"]
        assert not asks_for_somebody("control-totals", [row], database)
        reopen(database, break_id, why="it was not", by="bo")
        assert self.red(database) == ["C1"]
        assert asks_for_somebody("control-totals", [row], database)
        books.execute("DELETE FROM reconciliation.differences")
        assert self.red(database) == ["C1"]

    def red(self, database: str) -> list[str]:
        with reading(database) as conn:
            return [row["customer_source_id"] for row in red_rows(conn, "control_total_breaks", ["sftp"])]

    def test_a_stated_balance_without_currency(self, database: str, books: Books) -> None:
        """All of the customer's documents are closed: they still say in which currency it owes nothing."""
        books.customer("C5", currency_iso=None, balance_stated=50)
        books.invoice("I5", "9", "0", JAN, customer_source_id="C5", currency_iso="EUR")
        books.customer("C6", currency_iso=None, balance_stated=7)
        books.invoice("I6", "9", "0", JAN, customer_source_id="C6", currency_iso="EUR")
        books.invoice("I7", "9", "0", JAN, customer_source_id="C6", currency_iso="USD")
        books.invoice("I8", "9", "0", JAN, customer_source_id="C5", currency_iso="GBP", posting_status="voided")
        connections = {"sftp": Connection(balance_stated=True)}
        reconcile_present(database, connections, TODAY)
        euros = next(row for row in shown("control-totals", database) if row["currency_iso"] == "EUR")
        assert euros["breaks"] == [
            {"customer_source_id": "C5", "computed": "0.00", "stated": "50.00", "difference": "-50.00"}
        ]
        assert rows(database, "SELECT customer_source_id, currencies, stated FROM reporting.not_comparable") == [
            ("C6", "EUR, USD", 7)
        ]

    def test_without_the_setting_the_column_is_not_compared(self, database: str, books: Books) -> None:
        books.execute("UPDATE receivables.customers SET balance_stated = 1, balance_currency_iso = 'USD'")
        run(database)
        assert shown("control-totals", database)[0]["stated"] is None

    @pytest.mark.usefixtures("books")
    def test_mirrors_are_left_out_unless_asked_for(self, database: str) -> None:
        connections = {"sftp": Connection(role="mirror")}
        reconcile_present(database, connections, TODAY)
        assert report("control-totals", database, connections, TODAY) == []
        assert len(report("control-totals", database, connections, TODAY, include_mirrors=True)) == 1

    @pytest.mark.usefixtures("books")
    def test_connections_are_never_summed(self, database: str) -> None:
        other = Books(database, "other")
        other.customer("C1")
        other.invoice("I1", "7", "7", JAN)
        connections = {name: Connection(name=name) for name in ("sftp", "other")}
        reconcile_present(database, connections, TODAY)
        nets = {row["connection"]: row["net"] for row in report("control-totals", database, connections, TODAY)}
        assert nets == {"sftp": "15.00", "other": "7.00"}
        reconcile_present(database, {"other": connections["other"]}, TODAY)
        assert {row[0] for row in rows(database, "SELECT connection FROM reconciliation.control_totals")} == set(nets)


def test_ids_do_not_depend_on_the_amount_or_the_run(database: str, books: Books) -> None:
    books.invoice("I2", "100", "40", JAN)
    run(database)
    first = set(breaks(database))
    books.balance("I2", "41")
    reconcile_present(database, {"sftp": Connection()}, TODAY)
    assert set(breaks(database)) == first
    assert reconcile_differences(database, {"sftp": Connection()}, TODAY).changes.written == 0


def test_reports_refuse_what_they_do_not_have(database: str) -> None:
    with pytest.raises(ReportError, match="--as-of does not go with balances"):
        shown("balances", database, as_of=TODAY)
    with pytest.raises(ReportError, match="no report nonsense"):
        shown("nonsense", database)
    with pytest.raises(ReportError, match="--by goes with ageing only"):
        shown("roll-forward", database, by="customer")
    with pytest.raises(ReportError, match="lies after today"):
        shown("ageing", database, as_of=date(2026, 4, 1))


def test_a_deleted_document_shows_as_closed_and_no_age_is_below_0(database: str, books: Books) -> None:
    books.invoice("I2", "100", "100", JAN, posting_status="deleted", settlement="open")
    query = "SELECT settlement, balance_open FROM reporting.documents WHERE source_id = 'I2'"
    assert rows(database, query) == [("closed", 0)]
    books.invoice("I3", "100", "40", JAN, first_seen_at=datetime.now(UTC) + timedelta(hours=14))
    run(database)
    assert rows(database, "SELECT age_days FROM reporting.differences") == [(0,)]


def test_a_document_without_an_open_balance_shows_no_collection_status(database: str, books: Books) -> None:
    books.invoice("I2", "10", "0", JAN, collection_status="disputed")
    books.invoice("I3", "10", "4", JAN, collection_status="disputed")
    found = rows(
        database,
        "SELECT source_id, collection_status FROM reporting.documents WHERE source_id IN ('I2', 'I3') ORDER BY 1",
    )
    assert found == [("I2", "none"), ("I3", "disputed")]
    assert rows(database, "SELECT collection_status FROM receivables.invoices WHERE source_id = 'I2'") == [
        ("disputed",)
    ]


def test_every_view_can_be_read_and_says_what_it_is(database: str, books: Books) -> None:
    run(database)
    views = rows(
        database,
        "SELECT c.relname, obj_description(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'reporting' AND c.relkind = 'v'",
    )
    assert len(views) >= 14
    for name, comment in views:
        assert comment, name
        rows(database, f"SELECT * FROM reporting.{name}")
