"""Computes the results that have a day, ageing and roll-forward, for any days. What the figures mean is in rules/."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg

from kolleno_pipelines.pipeline.reconcile import ledger_of
from kolleno_pipelines.pipeline.reconciled import Connections, ReconciledConnection
from kolleno_pipelines.pipeline.result_summary import WORST, ResultSummary, merge_stages
from kolleno_pipelines.rules.ageing import Ageing, AgeingByCustomer, Buckets
from kolleno_pipelines.rules.effective_days import movements
from kolleno_pipelines.rules.proof import prove
from kolleno_pipelines.rules.roll_forward import RollForward
from kolleno_pipelines.schemas.results import AgeingRow, RollForwardRow
from kolleno_pipelines.storage import failpoints, freshness, result_rows
from kolleno_pipelines.storage.results import Stage, note_computed, result_transaction

AGEING, ROLL_FORWARD = "ageing", "roll_forward"
_TABLES = {AGEING: ("ageing", "ageing_by_customer"), ROLL_FORWARD: ("roll_forward", "unexplained")}


class FutureDayError(ValueError):
    """A day after today was asked for; the text says so."""


def reconcile_ageing(database_url: str, connections: Connections, today: date, days: Iterable[date]) -> ResultSummary:
    """Compute what was open on each of the days, by bucket; for today also by customer. Raises FutureDayError."""
    return reconcile_days(database_url, connections, today, days, results=(AGEING,))[0]


def reconcile_roll_forward(
    database_url: str, connections: Connections, today: date, days: Iterable[date]
) -> ResultSummary:
    """Compute opening, movements and closing of each of the days. Raises FutureDayError."""
    return reconcile_days(database_url, connections, today, days, results=(ROLL_FORWARD,))[0]


def reconcile_days(
    database_url: str,
    connections: Connections,
    today: date,
    days: Iterable[date],
    results: Collection[str] = (AGEING, ROLL_FORWARD),
    since: datetime | None = None,
) -> list[ResultSummary]:
    """Compute results by day in one reading of the ledger and store them for all days in one transaction.

    Stored days that do not hold any more are computed with them, so that each closing stays the next day's opening.
    since: days that another run computed after that moment are left as stored; the summaries tell of the others.
    Raises FutureDayError; ArithmeticError, a defect, should a closing not be the ageing of its day.
    """
    days = past_days(days, today)
    with result_transaction(database_url, [table for name in results for table in _TABLES[name]]) as conn:
        known = freshness.computed_days(conn, list(results), list(connections), today, since)
        asked = [day for day in days if day not in known]
        stale = freshness.stale_days(conn, list(connections), today, list(results))
        wanted = sorted({*asked, *stale})
        books = [
            read_book(conn, one, wanted, today, by_customer=AGEING in results and today in wanted)
            for one in connections.values()
            if wanted
        ]
        ageing = [row for book in books for row in book.ageing.rows(wanted)]
        rolled = [row for book in books for row in book.roll_forward.rows(wanted, today)]
        prove(ageing, rolled)
        run, summaries = _Run(conn, connections, books, wanted, asked, today), []
        if AGEING in results:
            summaries.append(_store_ageing(run, ageing))
        if ROLL_FORWARD in results:
            summaries.append(_store_roll_forward(run, rolled))
        freshness.note_holding(conn, list(connections), list(results))
        for name in results:
            failpoints.reach(f"reconcile_{name}")
    return summaries


def past_days(days: Iterable[date], today: date) -> list[date]:
    """Return the days in order, each once. Raises FutureDayError for one after today."""
    wanted = sorted(set(days))
    if wanted and wanted[-1] > today:
        raise FutureDayError(f"{wanted[-1]} lies after today ({today}): there is no state of that day yet.")
    return wanted


@dataclass(frozen=True)
class Book:
    """Ageing and roll-forward of one connection."""

    ageing: Ageing
    by_customer: AgeingByCustomer | None
    roll_forward: RollForward


@dataclass(frozen=True)
class _Run:
    """One computation: its transaction, its books, the days computed and those of them that were asked for."""

    conn: psycopg.Connection[Any]
    connections: Connections
    books: Sequence[Book]
    days: Sequence[date]
    asked: Sequence[date]
    today: date

    @property
    def names(self) -> list[str]:
        return list(self.connections)

    @property
    def last(self) -> date | None:
        """The day that its summary shows."""
        return self.asked[-1] if self.asked else None


def read_book(
    conn: psycopg.Connection[Any], connection: ReconciledConnection, days: list[date], today: date, *, by_customer: bool
) -> Book:
    """Read a connection's ledger once; `by_customer` adds the ageing of the last day by customer."""
    buckets = Buckets(tuple(connection.ageing_buckets))
    first, last = days[0], days[-1]
    book = Book(
        Ageing(connection.name, first, last, buckets),
        AgeingByCustomer(connection.name, last, buckets) if by_customer else None,
        RollForward(connection.name, first, last),
    )
    for part in ledger_of(conn, connection):
        moved = movements(part, today)
        book.ageing.add(moved)
        book.roll_forward.add(moved)
        if book.by_customer is not None:
            book.by_customer.add(moved)
    return book


def _store_ageing(run: _Run, rows: Sequence[AgeingRow]) -> ResultSummary:
    conn, has_today = run.conn, run.today in run.days
    staged, by_customer = Stage(conn, "ageing"), Stage(conn, "ageing_by_customer")
    staged.add_rows(rows)
    changes = merge_stages(run.connections, staged, days=run.days)
    if has_today:
        for book in run.books:
            by_customer.add_rows(book.by_customer.rows() if book.by_customer else [])
        changes += merge_stages(run.connections, by_customer)
    note_computed(conn, AGEING, run.names, run.today, run.days)
    overdue = result_rows.most_overdue(conn, run.names, limit=WORST) if has_today else []
    last = [row for row in rows if row.day == run.last]
    names = ("day", "connection", "currency_iso", "bucket", "documents", "amount")
    totals = [{name: getattr(row, name) for name in names} for row in last]
    counts = {"days": len(run.asked), "documents": sum(row.documents for row in last)}
    return ResultSummary(AGEING, sum(row.day in run.asked for row in rows), changes, counts, totals, overdue)


def _store_roll_forward(run: _Run, rows: Sequence[RollForwardRow]) -> ResultSummary:
    staged, unexplained = Stage(run.conn, "roll_forward"), Stage(run.conn, "unexplained")
    staged.add_rows(rows)
    listed = 0
    for book in run.books:
        unexplained.add_table(book.roll_forward.listed(run.days))
        listed += book.roll_forward.listed(run.asked).num_rows
    changes = merge_stages(run.connections, staged, unexplained, days=run.days)
    note_computed(run.conn, ROLL_FORWARD, run.names, run.today, run.days)
    red = result_rows.red_unexplained(run.conn, run.names, run.asked, limit=WORST)
    mine = [row for row in rows if row.day in run.asked]
    counts = {
        "days": len(run.asked),
        "unexplained_documents": listed,
        "days_with_unexplained": len({row.day for row in mine if row.unexplained}),
    }
    last = [row.__dict__ for row in mine if row.day == run.last]
    return ResultSummary(ROLL_FORWARD, len(mine), changes, counts, last, red)
