"""What an operator decides about differences, and which are red, on PostgreSQL."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest

from kolleno_pipelines.pipeline.acceptance import AcceptanceError, accept, reopen
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reports import asks_for_somebody
from kolleno_pipelines.rules.differences import is_red
from kolleno_pipelines.schemas.results import BreakStatus, Cause
from kolleno_pipelines.storage.result_rows import red_totals
from kolleno_pipelines.storage.results import reading, result_transaction
from tests.receivables_rows import BASELINE, Books, Connection, rows
from tests.reconciling import JAN, LATER, TODAY, books_that_tie, breaks, run, shown


@pytest.fixture
def books(database: str) -> Books:
    return books_that_tie(database)


class TestDecisions:
    @pytest.fixture
    def break_id(self, database: str, books: Books) -> str:
        books.invoice("I2", "100", "40", JAN)
        books.move("invoice", "I2", LATER, "60")
        run(database)
        (found,) = breaks(database)
        return found

    def status(self, database: str) -> str:
        ((status,),) = rows(database, "SELECT status FROM reconciliation.differences")
        return str(status)

    def test_an_accepted_break_is_not_red(self, database: str, break_id: str) -> None:
        accept(database, break_id, why="write-off agreed", by="ana", today=TODAY)
        assert run(database)["differences"] == {"open": 0, "accepted": 1, "resolved": 0, "reopened": 0, "red": 0}
        (row,) = shown("differences", database)
        assert (row["status"], row["accepted_by"], row["why"], row["until"]) == (
            "accepted",
            "ana",
            "write-off agreed",
            None,
        )
        assert row["age_days"] == 54

    def test_it_reopens_when_its_amount_changes(self, database: str, break_id: str, books: Books) -> None:
        accept(database, break_id, why="agreed", by="ana", today=TODAY)
        books.balance("I2", "30")
        assert run(database)["differences"]["red"] == 1
        assert self.status(database) == "reopened"
        accept(database, break_id, why="agreed again", by="ana", today=TODAY)
        run(database)
        assert self.status(database) == "accepted"

    def test_it_opens_again_when_the_day_has_passed(self, database: str, break_id: str) -> None:
        accept(database, break_id, why="until month end", by="ana", today=TODAY, until=TODAY)
        run(database)
        assert self.status(database) == "accepted"
        run(database, today=date(2026, 4, 1))
        assert self.status(database) == "open"

    def test_a_break_that_goes_is_resolved_and_one_that_returns_reopened(
        self, database: str, break_id: str, books: Books
    ) -> None:
        accept(database, break_id, why="agreed", by="ana", today=TODAY)
        books.balance("I2", "100")
        books.execute("DELETE FROM receivables.balance_moves")
        run(database)
        assert rows(database, "SELECT status, resolved_on FROM reconciliation.differences") == [("resolved", TODAY)]
        books.balance("I2", "40")
        for _ in range(2):
            run(database)
            assert rows(database, "SELECT status, resolved_on FROM reconciliation.differences") == [("reopened", None)]

    def test_decisions_outlive_the_list(self, database: str, break_id: str, books: Books) -> None:
        accept(database, break_id, why="agreed", by="ana", today=TODAY)
        books.execute("DELETE FROM reconciliation.differences")
        run(database)
        found = rows(database, "SELECT status, accepted_by, accepted_amount FROM reconciliation.differences")
        assert found == [("accepted", "ana", Decimal(60))]

    def test_an_acceptance_can_be_taken_back(self, database: str, break_id: str, books: Books) -> None:
        accept(database, break_id, why="agreed", by="ana", today=TODAY, until=TODAY)
        reopen(database, break_id, why="it was not", by="bo")
        query = "SELECT status, accepted_by, why, until, accepted_amount FROM reconciliation.differences"
        taken_back = [("reopened", None, "it was not", None, None)]
        assert rows(database, query) == taken_back
        run(database)
        assert rows(database, query) == taken_back
        books.execute("DELETE FROM reconciliation.differences")
        run(database)
        assert rows(database, query) == taken_back

    def test_a_decision_and_a_run_wait_for_each_other(self, database: str, break_id: str) -> None:
        """The run holds its tables and has not written the break yet; the decision must not hold it meanwhile."""
        with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as watching:
            with result_transaction(database, ("differences", "difference_decisions")) as run_conn:
                run_conn.execute("SELECT 1")
                deciding = pool.submit(accept, database, break_id, why="agreed", by="ana", today=TODAY)
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'relation'"
                deadline = time.monotonic() + 20
                while watching.execute(waits).fetchone() == (0,):
                    watching.rollback()
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                run_conn.execute("SET LOCAL lock_timeout = '2s'")
                run_conn.execute("UPDATE reconciliation.differences SET resolved_on = NULL")
            deciding.result(timeout=20)
        assert self.status(database) == "accepted"

    def test_what_cannot_be_decided_says_why(self, database: str, break_id: str) -> None:
        with pytest.raises(AcceptanceError, match="no break nothing"):
            accept(database, "nothing", why="x", by="ana", today=TODAY)
        with pytest.raises(AcceptanceError, match="Say why"):
            accept(database, break_id, why=" ", by="ana", today=TODAY)
        with pytest.raises(AcceptanceError, match="has passed"):
            accept(database, break_id, why="x", by="ana", today=TODAY, until=date(2026, 3, 30))
        with pytest.raises(AcceptanceError, match="is open: there is nothing to reopen"):
            reopen(database, break_id, why="x", by="ana")
        assert rows(database, "SELECT count(*) FROM reconciliation.difference_decisions") == [(0,)]


class TestWhatIsRed:
    def test_sql_and_python_agree(self, database: str) -> None:
        for status in BreakStatus:
            for cause in (None, *Cause):
                ((red,),) = rows(database, "SELECT reconciliation.is_red(%s, %s)", status.value, cause)
                assert red is is_red(status, cause)

    def test_balances(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN)
        run(database)
        assert not asks_for_somebody("balances", shown("balances", database), database)
        books.invoice("I3", "100", "40", JAN, first_seen_at=LATER)
        books.live_input(BASELINE - timedelta(days=90))
        run(database)
        listed = shown("balances", database)
        assert {row["source_id"]: row["is_opening"] for row in listed} == {"I2": False, "I3": False}
        assert asks_for_somebody("balances", listed, database)
        for break_id in breaks(database):
            accept(database, break_id, why="agreed", by="ana", today=TODAY)
        assert not asks_for_somebody("balances", listed, database)
        assert not asks_for_somebody("differences", shown("differences", database), database)

    def test_roll_forward(self, database: str, books: Books) -> None:
        books.invoice("I2", "100", "40", JAN)
        books.invoice("I3", "100", "40", JAN)
        books.move("invoice", "I3", LATER, "60")
        run(database)
        red, opening = (shown("roll-forward", database, as_of=day) for day in (LATER.date(), JAN))
        assert asks_for_somebody("roll-forward", red, database)
        assert opening[0]["unexplained_documents"]
        assert not asks_for_somebody("roll-forward", opening, database)
        assert not asks_for_somebody("ageing", shown("ageing", database), database)
        (break_id,) = [key for key, row in breaks(database).items() if row[2] != "opening"]
        accept(database, break_id, why="agreed", by="ana", today=TODAY)
        assert not asks_for_somebody("roll-forward", red, database)

    def test_parked_rows_without_a_currency_are_not_summed(self, database: str, books: Books) -> None:
        books.parked_link("P9", "I1", "60")
        books.parked_link("P8", "I-unknown", "40")
        reconcile_present(database, {"sftp": Connection()}, TODAY)
        with reading(database) as conn:
            sums = {row["currency_iso"]: row["amount"] for row in red_totals(conn, ["sftp"])}
        assert sums == {"USD": 60, None: None}
