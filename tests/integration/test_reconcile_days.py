"""Ageing and roll-forward on PostgreSQL: stored by day, restated, in chunks, several runs at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import (
    FutureDayError,
    reconcile_ageing,
    reconcile_days,
    reconcile_roll_forward,
)
from kolleno_pipelines.pipeline.reports import report
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.storage import documents, freshness
from kolleno_pipelines.storage.results import reading
from tests.receivables_rows import Books, Connection, rows

TODAY = date(2026, 3, 31)
FEB = [date(2026, 2, day) for day in range(1, 11)]
CONNECTIONS = {"sftp": Connection()}
LATE = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture
def books(database: str) -> Books:
    """Invoice 100 of 1 December due 10 January, paid on 5 February; 60 of another with 40 open; 5 on account."""
    books = Books(database)
    for customer in ("C1", "C2"):
        books.customer(customer)
    books.invoice("I1", "100", "0", date(2025, 12, 1), date_due=date(2026, 1, 10))
    books.payment("P1", "105", "5", date(2026, 2, 5))
    books.allocation(("payment", "P1"), "I1", "100")
    books.invoice("I2", "60", "40", date(2026, 2, 3), customer_source_id="C2", date_paid=date(2026, 2, 7))
    return books


def test_hand_worked_days(database: str, books: Books) -> None:
    rolled = reconcile_days(database, CONNECTIONS, TODAY, FEB)[1]
    assert rolled.counts == {"days": 10, "unexplained_documents": 1, "days_with_unexplained": 1}
    found = rows(
        database,
        "SELECT day, opening, invoices, receipts, unexplained, closing FROM reporting.roll_forward"
        " WHERE day IN ('2026-02-01', '2026-02-03', '2026-02-05', '2026-02-07') ORDER BY 1",
    )
    assert found == [
        (FEB[0], 100, 0, 0, 0, 100),
        (FEB[2], 100, 60, 0, 0, 160),
        (FEB[4], 160, 0, 105, 0, 55),
        (FEB[6], 55, 0, 0, 20, 35),
    ]
    assert rows(database, "SELECT day, source_id, basis, amount FROM reporting.unexplained") == [
        (FEB[6], "I2", "date_paid", Decimal(20))
    ]
    ageing = report("ageing", database, CONNECTIONS, TODAY, as_of=date(2026, 1, 31))
    assert {row["bucket"]: (row["documents"], row["amount"]) for row in ageing} == {
        "not_due": (0, "0.00"),
        "1-30": (1, "100.00"),
        "31-60": (0, "0.00"),
        "61-90": (0, "0.00"),
        "91+": (0, "0.00"),
        "unapplied": (0, "0.00"),
    }
    assert list(ageing[0]) == ["connection", "currency_iso", "bucket", "documents", "amount"]
    by_customer = report("ageing", database, CONNECTIONS, TODAY, by="customer")
    assert [(row["customer_source_id"], row["bucket"], row["documents"], row["amount"]) for row in by_customer] == [
        ("C1", "unapplied", 0, "-5.00"),
        ("C2", "31-60", 1, "40.00"),
    ]
    (roll,) = report("roll-forward", database, CONNECTIONS, TODAY, as_of=FEB[6])
    assert roll["unexplained_documents"] == [
        {"kind": "invoice", "source_id": "I2", "basis": "date_paid", "amount": "20.00", "currency_iso": "USD"}
    ]


@pytest.mark.usefixtures("books")
def test_today_is_stored_by_customer_and_is_the_control_total(database: str) -> None:
    reconcile_present(database, CONNECTIONS, TODAY)
    reconcile_days(database, CONNECTIONS, TODAY, [TODAY])
    assert rows(database, "SELECT customer_source_id, bucket, amount FROM reporting.ageing_by_customer ORDER BY 1") == [
        ("C1", "unapplied", Decimal(-5)),
        ("C2", "31-60", Decimal(40)),
    ]
    ((net,),) = rows(database, "SELECT net FROM reconciliation.control_totals")
    assert rows(database, "SELECT closing FROM reconciliation.roll_forward") == [(net,)]
    assert rows(database, "SELECT sum(amount) FROM reconciliation.ageing") == [(net,)]
    reconcile_days(database, CONNECTIONS, TODAY + timedelta(days=1), [TODAY])
    assert rows(database, "SELECT DISTINCT day FROM reconciliation.ageing_by_customer") == [(TODAY,)]


def test_a_document_dated_ahead_counts_today(database: str, books: Books) -> None:
    books.invoice("I9", "7", "7", TODAY + timedelta(days=3))
    reconcile_present(database, CONNECTIONS, TODAY)
    days = [TODAY - timedelta(days=1), TODAY]
    reconcile_days(database, CONNECTIONS, TODAY, days)
    assert rows(database, "SELECT closing, dated_ahead FROM reconciliation.roll_forward ORDER BY day") == [
        (35, 0),
        (42, 7),
    ]
    assert rows(database, "SELECT net FROM reconciliation.control_totals") == [(42,)]


def nets(database: str) -> dict[date, Decimal]:
    return dict(rows(database, "SELECT day, sum(amount) FROM reconciliation.ageing GROUP BY 1"))


def stale(database: str, today: date = TODAY) -> list[date]:
    with reading(database) as conn:
        return freshness.stale_days(conn, ["sftp"], today, freshness.BY_DAY)


def test_stored_days_that_a_change_reaches_are_computed_with_the_days_asked_for(database: str, books: Books) -> None:
    reconcile_days(database, CONNECTIONS, TODAY, FEB)
    assert stale(database) == []
    books.invoice("I3", "1", "1", FEB[2])
    assert stale(database) == FEB[2:]
    ageing = reconcile_ageing(database, CONNECTIONS, TODAY, [TODAY])
    assert (ageing.counts["days"], ageing.changes.written > 0) == (1, True)
    found = nets(database)
    assert (found[FEB[0]], found[FEB[1]], found[FEB[2]], found[FEB[9]]) == (100, 100, 161, 36)
    assert rows(database, "SELECT closing FROM reconciliation.roll_forward WHERE day = '2026-02-10'") == [(35,)]
    assert stale(database) == FEB[2:]
    reconcile_roll_forward(database, CONNECTIONS, TODAY, [TODAY])
    assert stale(database) == []
    for one in reconcile_days(database, CONNECTIONS, TODAY, FEB):
        assert (one.changes.written, one.changes.deleted) == (0, 0)


def test_every_trace_of_a_change_counts(database: str, books: Books) -> None:
    """Moves, allocations, what they named and what a document was before, as the fold leaves them."""
    books.invoice("OLD", "5", "5", FEB[1])
    books.payment("P9", "3", "3", FEB[6])
    books.allocation(("payment", "P9"), "OLD", "0")
    audit = {"connection": "sftp", "origin": "1:2"}
    gone = {"from_kind": "payment", "from_source_id": "P9", "to_kind": "invoice", "to_source_id": "OLD"}
    steps: list[tuple[date, str, dict[str, object]]] = [
        (FEB[1], "receivables.balance_moves", {"kind": "invoice", "moved_at": LATE, "settled_delta": 1}),
        (FEB[1], "receivables.allocation_moves", {"source_id": "P9|OLD", "from_kind": "payment", "moved_at": LATE,
                                                  "amount_delta": 1}),
        (FEB[3], "receivables.audit", {"entity": "invoices", "field": "date_issued", "old_value": str(FEB[3])}),
        (FEB[4], "receivables.audit", {"entity": "payments", "field": "withdrawn",
                                       "old_value": json.dumps({"date_issued": str(FEB[4])})}),
        (FEB[1], "receivables.audit", {"entity": "allocations", "field": "withdrawn", "old_value": json.dumps(gone)}),
        (FEB[1], "receivables.audit", {"entity": "allocations", "field": "to_source_id", "old_value": "OLD"}),
        (FEB[1], "receivables.audit", {"entity": "payments", "field": "posting_status", "source_id": "P9"}),
    ]  # fmt: skip
    for day, table, values in steps:
        reconcile_days(database, CONNECTIONS, TODAY, FEB)
        assert stale(database) == []
        books.insert(table, **{"connection": "sftp", "source_id": "OLD"} | (audit if "audit" in table else {}) | values)
        assert stale(database) == [one for one in FEB if one >= day], (table, values)
    reconcile_days(database, CONNECTIONS, TODAY, FEB)
    books.insert("receivables.audit", **audit, source_id="OLD", entity="customers", field="name", old_value="x")
    assert stale(database) == []


def test_a_day_that_lacks_one_of_its_results_is_noticed(database: str, books: Books) -> None:
    books.live_input(datetime(2026, 2, 3, 6, tzinfo=UTC))
    books.execute("UPDATE raw.files SET is_folded = true, folded_at = now()")

    def missing() -> list[date]:
        with reading(database) as conn:
            return freshness.days_without_results(conn, "sftp")

    assert missing() == [FEB[2]]
    reconcile_roll_forward(database, CONNECTIONS, TODAY, [FEB[2]])
    assert missing() == [FEB[2]]
    reconcile_ageing(database, CONNECTIONS, TODAY, [FEB[2]])
    assert missing() == []


def test_yesterday_loses_what_was_dated_ahead(database: str, books: Books) -> None:
    books.invoice("I9", "7", "7", TODAY + timedelta(days=1))
    query = "SELECT day, opening, closing, dated_ahead FROM reconciliation.roll_forward ORDER BY 1"
    reconcile_days(database, CONNECTIONS, TODAY, [TODAY])
    assert rows(database, query) == [(TODAY, 35, 42, 7)]
    tomorrow = TODAY + timedelta(days=1)
    reconcile_days(database, CONNECTIONS, tomorrow, [tomorrow])
    assert rows(database, query) == [(TODAY, 35, 35, 0), (tomorrow, 35, 42, 0)]
    assert nets(database) == {TODAY: 35, tomorrow: 42}
    assert stale(database, tomorrow) == []


def test_what_is_gone_is_taken_out(database: str, books: Books) -> None:
    reconcile_days(database, CONNECTIONS, TODAY, FEB)
    books.execute("UPDATE receivables.invoices SET posting_status = 'voided', balance_open = 0")
    books.execute("UPDATE receivables.payments SET posting_status = 'voided', balance_open = 0")
    reconcile_days(database, CONNECTIONS, TODAY, FEB)
    for table in ("ageing", "roll_forward", "unexplained"):
        assert rows(database, f"SELECT count(*) FROM reconciliation.{table}") == [(0,)]


def test_days_that_another_run_computed_after_the_question_are_left_as_stored(database: str, books: Books) -> None:
    def computed(since: datetime | None, today: date = TODAY) -> int:
        return reconcile_days(database, CONNECTIONS, today, FEB, since=since)[1].counts["days"]

    asked = _now(database)
    reconcile_ageing(database, CONNECTIONS, TODAY, FEB)
    assert computed(asked) == len(FEB), "one of the two results is not there"
    assert computed(asked) == 0
    assert computed(_now(database)) == len(FEB)
    assert computed(asked, TODAY + timedelta(days=1)) == len(FEB), "another day is today"
    assert computed(None) == len(FEB)
    assert computed(asked) == 0
    books.invoice("I3", "7", "7", FEB[2])
    assert computed(asked) == 0
    assert nets(database)[FEB[2]] == 167, "what does not hold any more is computed all the same"


def _now(database: str) -> datetime:
    ((now,),) = rows(database, "SELECT clock_timestamp()")
    assert isinstance(now, datetime)
    return now


def test_a_day_after_today_is_refused(database: str) -> None:
    with pytest.raises(FutureDayError, match="2026-04-01 lies after today"):
        reconcile_days(database, CONNECTIONS, TODAY, [date(2026, 4, 1)])


def test_unexplained_is_red_until_the_difference_is_accepted_or_opening(database: str, books: Books) -> None:
    moved = datetime(2026, 2, 8, 6, tzinfo=UTC)
    books.invoice("I4", "9", "0", FEB[0])
    books.move("invoice", "I4", moved, "9")
    reconcile_present(database, CONNECTIONS, TODAY)
    assert [row["source_id"] for row in reconcile_roll_forward(database, CONNECTIONS, TODAY, FEB).worst] == ["I4"]


def test_chunks_hold_every_document_once(database: str, books: Books) -> None:
    for number in range(25):
        books.invoice(f'X {number},\n"{"é" * number}', "2", "1", FEB[0])
    with reading(database) as conn:
        parts = list(documents.ledger_parts(conn, "sftp", (DocumentKind.INVOICE,), chunk=4))
        (whole,) = documents.ledger_parts(conn, "sftp", (DocumentKind.INVOICE,))
    ids = [source_id for one in parts for source_id in one.documents["source_id"].to_pylist()]
    assert sorted(ids) == sorted(whole.documents["source_id"].to_pylist())
    assert len(ids) == 27
    assert max(one.documents.num_rows for one in parts) == 4
    assert sum(one.allocations.num_rows for one in parts) == whole.allocations.num_rows == 1


@pytest.mark.usefixtures("books")
def test_several_runs_at_once_agree(database: str) -> None:
    def run(number: int) -> None:
        reconcile_present(database, CONNECTIONS, TODAY)
        reconcile_days(database, CONNECTIONS, TODAY, FEB[number:])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run, range(4)))
    assert rows(database, "SELECT count(*), sum(closing) FROM reconciliation.roll_forward") == [(10, 770)]
    assert rows(database, "SELECT count(*) FROM reconciliation.results") == [(24,)]
