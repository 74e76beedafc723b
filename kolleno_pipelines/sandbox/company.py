"""The synthetic company: from a seed to the list of its events and batches. No CSV text, no answers.

`Company.build(seed, ...)` is deterministic in its arguments, in every process and on every platform.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from kolleno_pipelines.sandbox.books import Books, Touched
from kolleno_pipelines.sandbox.desk import Desk, OpenBatch
from kolleno_pipelines.sandbox.events import Batch, Event
from kolleno_pipelines.sandbox.mishaps import correct_words, grow, happen
from kolleno_pipelines.sandbox.trading import add_contact, credit, issue_invoice, open_customer, trade
from kolleno_pipelines.sandbox.unexplained import open_history, write_off
from kolleno_pipelines.schemas.sftp_tables import TableName

MORNING, EVENING = time(6, 0), time(20, 0)
_AHEAD = 3
DEFAULT_FIRST_DAY = date(2026, 1, 1)

# Level-3 and extra columns (`segment`, `sales_rep`) that a batch's files may have; the baseline has the first choice.
_COLUMN_CHOICES: dict[TableName, tuple[tuple[str, ...], ...]] = {
    TableName.CUSTOMERS: (("credit_limit_amount", "parent_id", "segment"), (), ("segment",), ("credit_limit_amount",)),
    TableName.CONTACTS: (("mobile", "position", "is_primary", "is_active"), (), ("is_primary",), ("mobile",)),
    TableName.INVOICES: (
        ("status", "date_paid", "po_number", "description"),
        (),
        ("status",),
        ("date_paid", "amount_net", "amount_tax"),
        ("sales_rep", "description", "status", "date_paid"),
    ),
    TableName.CREDIT_NOTES: (("status", "description"), (), ("status",), ("description",)),
    TableName.PAYMENTS: (("method",), (), ("method", "status")),
    TableName.PAYMENTS_INVOICES: (("date_applied",), (), ("date_applied",)),
    TableName.CREDIT_NOTES_INVOICES: (("date_applied",), ()),
}


@dataclass(frozen=True)
class Plan:
    """What to build. `days` counts the baseline's day; a late batch comes every sixth day when `late_batches`.

    With `dated_ahead` each day also issues an invoice that is dated some days later. With `expressible` only things
    happen that QuickBooks, Xero and the files can all state: no unexplained parts of balances, no blank balances, no
    disputes, no document in another currency than its customer's or without a due date, no allocation to another
    customer's invoice, no currency of three decimals.
    """

    seed: int = 1
    customers: int = 40
    days: int = 14
    first_day: date = DEFAULT_FIRST_DAY
    invoices_per_day: int = 8
    history_days: int = 120
    old_documents: int = 24
    late_batches: bool = True
    mishaps: bool = True
    dated_ahead: bool = False
    expressible: bool = False

    def __post_init__(self) -> None:
        if min(self.customers, self.days) < 1 or min(self.invoices_per_day, self.history_days, self.old_documents) < 0:
            message = "A company needs at least one customer and one day; counts are not negative."
            raise ValueError(message)

    @property
    def last_day(self) -> date:
        """Day of the last batch: the company's today."""
        return self.first_day + timedelta(days=self.days - 1)


@dataclass(frozen=True)
class Company:
    """A built company: its plan, its batches by version, its events by batch."""

    plan: Plan
    batches: tuple[Batch, ...]
    events: tuple[Event, ...]
    _starts: tuple[int, ...] = field(repr=False)

    @classmethod
    def build(
        cls,
        seed: int = 1,
        *,
        customers: int = 40,
        days: int = 14,
        first_day: date = DEFAULT_FIRST_DAY,
        invoices_per_day: int = 8,
        history_days: int = 120,
        old_documents: int = 24,
        late_batches: bool = True,
        mishaps: bool = True,
        dated_ahead: bool = False,
        expressible: bool = False,
    ) -> Company:
        """Simulate the company; the same arguments give the same events everywhere."""
        plan = Plan(
            seed,
            customers,
            days,
            first_day,
            invoices_per_day,
            history_days,
            old_documents,
            late_batches,
            mishaps,
            dated_ahead,
            expressible,
        )
        return _Simulation(plan).run()

    @property
    def last_day(self) -> date:
        """The company's today: no batch is later, and without `dated_ahead` no document and no allocation."""
        return self.plan.last_day

    @property
    def version_days(self) -> dict[int, date]:
        """Day of each batch's name time, by batch number."""
        return {batch.number: batch.version_day for batch in self.batches}

    def events_of(self, batch: Batch) -> tuple[Event, ...]:
        """Return the events that one batch tells."""
        ends = (*self._starts[1:], len(self.events))
        return self.events[self._starts[batch.number] : ends[batch.number]]

    def books(self) -> Books:
        """Return the books after all events."""
        books, touched = Books(self.version_days), Touched()
        for event in self.events:
            books.apply(event, touched)
        return books

    def arrivals(self) -> Iterator[Batch]:
        """Yield the batches in the order in which their files arrive; late ones come after newer names."""
        return iter(sorted(self.batches, key=lambda batch: (batch.arrives_on, batch.name_time.time(), batch.number)))


class _Simulation:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rng = random.Random(plan.seed)
        self.days: dict[int, date] = {}
        self.desk = Desk(self.rng, Books(self.days), expressible=plan.expressible)
        self.batches: list[Batch] = []
        self.starts: list[int] = []

    def run(self) -> Company:
        """Simulate all batches."""
        plan = self.plan
        self._baseline()
        for number in range(1, plan.days):
            today = plan.first_day + timedelta(days=number)
            self._morning(today)
            if plan.late_batches and number % 6 == 3 and today < plan.last_day:
                self._evening(today)
        return Company(plan, tuple(self.batches), tuple(self.desk.events), tuple(self.starts))

    def _open(self, name_time: datetime, arrives_on: date) -> OpenBatch:
        number = len(self.batches)
        columns = {
            table: list(choices[0] if number == 0 else self.rng.choice(choices))
            for table, choices in _COLUMN_CHOICES.items()
        }
        self.days[number] = name_time.date()
        self.starts.append(len(self.desk.events))
        return OpenBatch(number, name_time, arrives_on, columns)

    def _baseline(self) -> None:
        plan, desk = self.plan, self.desk
        batch = self._open(datetime.combine(plan.first_day, MORNING, UTC), plan.first_day)
        for _ in range(plan.customers):
            customer = open_customer(desk, batch)
            for _ in range(self.rng.choice((0, 1, 1, 2))):
                add_contact(desk, batch, customer)
        for days_before in range(plan.history_days, -1, -1):
            trade(desk, batch, plan.first_day - timedelta(days=days_before), plan.invoices_per_day)
        if not plan.expressible:
            # Told last, so that some of them are still partly open when the increments begin.
            open_history(desk, batch, plan.first_day, plan.old_documents)
        self.batches.append(batch.close())

    def _morning(self, today: date) -> None:
        plan, desk = self.plan, self.desk
        batch = self._open(datetime.combine(today, MORNING, UTC), today)
        trade(desk, batch, today, plan.invoices_per_day)
        if plan.dated_ahead:
            issue_invoice(desk, batch, today + timedelta(days=_AHEAD))
        if plan.mishaps:
            happen(desk, batch, today, plan.invoices_per_day)
        self.batches.append(batch.close())

    def _evening(self, today: date) -> None:
        """A batch named for this evening that arrives days later, when newer ones already spoke of its records."""
        plan, desk = self.plan, self.desk
        arrives_on = min(today + timedelta(days=self.rng.randint(2, 4)), plan.last_day)
        batch = self._open(datetime.combine(today, EVENING, UTC), arrives_on)
        grow(desk, batch, today)
        issue_invoice(desk, batch, today)
        credit(desk, batch, today)
        if plan.mishaps:
            correct_words(desk, batch, today)
            if not plan.expressible:
                write_off(desk, batch, today)
        self.batches.append(batch.close())
