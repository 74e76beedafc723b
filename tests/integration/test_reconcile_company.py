"""Files of the sandbox company through ingest to every report, held against the sandbox's own answers and tampers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kolleno_pipelines.pipeline.delivery import deliver as deliver_now
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_days import reconcile_days
from kolleno_pipelines.pipeline.reports import report
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.tampers import Tamper, tampers
from kolleno_pipelines.settings import Settings

Deliver = Callable[[Iterable[drops.Drop], date], Deployment]
COMPANY = Company.build(5, customers=20, days=8, invoices_per_day=8)
TAMPERS = {tamper.name: tamper for tamper in tampers(COMPANY)}


@pytest.fixture
def deliver(settings: Settings, tmp_path: Path) -> Deliver:
    folder = tmp_path / "drop" / "csv_data_uploads"
    settings.connections.write_text(f"connections:\n  sftp:\n    system: sftp\n    location: file://{folder.parent}\n")

    def delivered(files: Iterable[drops.Drop], today: date) -> Deployment:
        drops.write(folder, files)
        deployment = open_deployment(settings)
        ingest(deployment, deployment.sftp, clock=lambda: datetime.combine(today, time(23), UTC))
        reconcile_present(deployment.database_url, deployment.connections, today)
        return deployment

    return delivered


def rows(deployment: Deployment, name: str, today: date, **options: Any) -> list[dict[str, Any]]:
    return report(name, deployment.database_url, deployment.connections, today, **options)


def test_every_report_says_what_the_company_knows(deliver: Deliver) -> None:
    answers, today = Answers.of(COMPANY), COMPANY.last_day
    deployment = deliver(drops.arrivals(COMPANY), today)

    totals = {row["currency_iso"]: row for row in rows(deployment, "control-totals", today)}
    assert totals.keys() == {line.currency_iso for line in answers.control_totals()}
    for line in answers.control_totals():
        row = totals[line.currency_iso]
        for name in ("customers", "invoices_open"):
            assert row[name] == getattr(line, name)
        for name in ("invoices_balance", "credit_notes_balance", "payments_balance", "net"):
            assert Decimal(row[name]) == getattr(line, name)

    for day in (today, today - timedelta(days=9), today - timedelta(days=40)):
        found = {
            (row["currency_iso"], row["bucket"], row["customer_source_id"]): (row["documents"], Decimal(row["amount"]))
            for row in rows(deployment, "ageing", today, as_of=day, by="customer")
        }
        assert found == {
            (line.currency_iso, line.bucket, line.customer): (line.documents, line.amount)
            for line in answers.ageing(day, by_customer=True)
        }

    found_cash: dict[tuple[str, str, str], Decimal] = {}
    for row in rows(deployment, "unapplied-cash", today):
        key = (row["customer_source_id"], row["currency_iso"], row["kind"])
        found_cash[key] = found_cash.get(key, Decimal(0)) + Decimal(row["balance"])
    expected_cash = {
        (one.customer, one.currency_iso, kind): amount
        for one in answers.unapplied_cash()
        for kind, amount in (("payment", one.payments), ("credit_note", one.credit_notes))
    }
    assert found_cash == {key: amount for key, amount in expected_cash.items() if amount}

    assert {
        (row["left_kind"], row["left_source_id"], Decimal(row["amount"]), row["cause"] == "opening")
        for row in rows(deployment, "differences", today)
    } == {(one.kind, one.source_id, one.difference, one.opening) for one in answers.differences()}


def test_every_day_is_stored_and_proves_itself(deliver: Deliver) -> None:
    answers, today = Answers.of(COMPANY), COMPANY.last_day
    deployment = deliver(drops.arrivals(COMPANY), today)
    first = COMPANY.plan.first_day - timedelta(days=30)
    days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    reconcile_days(deployment.database_url, deployment.connections, today, days)
    with deployment.session() as conn:
        stored = {
            (row[0], row[1]): row[2:]
            for row in conn.execute(
                "SELECT day, currency_iso, opening, invoices, credit_notes, receipts, unexplained, closing"
                " FROM reporting.roll_forward"
            )
        }
        nets = {
            (row[0], row[1]): row[2]
            for row in conn.execute("SELECT day, currency_iso, sum(amount) FROM reporting.ageing GROUP BY 1, 2")
        }
        listed = conn.execute(
            "SELECT day, currency_iso, sum(amount) FROM reporting.unexplained GROUP BY 1, 2"
        ).fetchall()
    for line in answers.roll_forward(first, today):
        figures = (line.opening, line.invoices, line.credit_notes, line.receipts, line.unexplained, line.closing)
        assert stored.get((line.day, line.currency_iso), (0,) * 6) == figures
    assert {key: row[-1] for key, row in stored.items()} == {key: nets.get(key, 0) for key in stored}
    assert all(stored[day, currency][4] == amount for day, currency, amount in listed)
    assert all(
        (day, currency) in {(row[0], row[1]) for row in listed} for (day, currency), row in stored.items() if row[4]
    )


def test_stored_days_stay_right_as_batches_arrive(settings: Settings, tmp_path: Path) -> None:
    """Each batch is ingested on the day it arrives; what was stored before is never computed again by hand."""
    company = Company.build(9, customers=20, days=14, invoices_per_day=6, dated_ahead=True)
    folder = tmp_path / "drop" / "csv_data_uploads"
    settings.connections.write_text(f"connections:\n  sftp:\n    system: sftp\n    location: file://{folder.parent}\n")
    deployment = open_deployment(settings)
    numbers = {batch.number: batch for batch in company.arrivals()}
    for drop in drops.arrivals(company):
        drops.write(folder, [drop])
        now = datetime.combine(numbers[drop.number].arrives_on, time(23), UTC)
        deliver_now(deployment, deployment.sftp, clock=lambda now=now: now)
    answers, first = Answers.of(company), company.plan.first_day
    with deployment.session() as conn:
        stored = {
            (row[0], row[1]): row[2:]
            for row in conn.execute(
                "SELECT day, currency_iso, opening, invoices, credit_notes, receipts, unexplained, closing"
                " FROM reporting.roll_forward"
            )
        }
        buckets = {
            (row[0], row[1], row[2]): (row[3], row[4])
            for row in conn.execute("SELECT day, currency_iso, bucket, documents, amount FROM reporting.ageing")
        }
        days = {row[0] for row in conn.execute("SELECT DISTINCT day FROM reporting.results WHERE day IS NOT NULL")}
    assert days == {first + timedelta(days=number) for number in range(14)}
    for line in answers.roll_forward(first, company.last_day):
        figures = (line.opening, line.invoices, line.credit_notes, line.receipts, line.unexplained, line.closing)
        assert stored.get((line.day, line.currency_iso), (0,) * 6) == figures
    assert {key: figures for key, figures in buckets.items() if any(figures)} == {
        (day, line.currency_iso, line.bucket): (line.documents, line.amount)
        for day in days
        for line in answers.ageing(day)
        if line.documents or line.amount
    }


@pytest.mark.parametrize("name", sorted(TAMPERS))
def test_a_tamper_makes_exactly_its_breaks(deliver: Deliver, name: str) -> None:
    tamper: Tamper = TAMPERS[name]
    before = {("balance_allocation_mismatch", one.kind, one.source_id) for one in Answers.of(COMPANY).differences()}
    deployment = deliver(tamper.drops, COMPANY.last_day)
    found = {
        (row["kind"], row["left_kind"], row["left_source_id"]): row
        for row in rows(deployment, "differences", COMPANY.last_day)
    }
    new = {key: row for key, row in found.items() if key not in before}
    expected = {(one.code.value, one.kind, one.source_id): one for one in tamper.breaks}
    parked = {(one.code.value, one.table.value, one.key) for one in tamper.parked}
    assert new.keys() == expected.keys() | parked
    for key, one in expected.items():
        assert (new[key]["right_kind"], new[key]["right_source_id"]) == (one.other_kind, one.other_id)
        assert one.difference is None or Decimal(new[key]["amount"]) == one.difference
        assert new[key]["status"] == "open"
        assert (new[key]["cause"] == "opening") is one.opening
    if name.startswith("hide"):
        assert {new[key]["cause"] for key in expected} == {"missing_document"}
