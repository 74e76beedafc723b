"""The whole way of one source: drops of the sandbox company through ingest, held against the sandbox's own answers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.fold import fold
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.reprocess import reprocess
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.settings import Settings


@pytest.fixture
def drop_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "drop" / "csv_data_uploads"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def deployment(settings: Settings, drop_folder: Path) -> Deployment:
    settings.connections.write_text(
        f"connections:\n  sftp:\n    system: sftp\n    role: ledger\n    location: file://{drop_folder.parent}\n"
    )
    return open_deployment(settings)


def state(deployment: Deployment) -> dict[str, dict[str, tuple[object, ...]]]:
    """Documents as stored: id -> (customer, amount, open balance, statuses, dates)."""
    with deployment.session() as conn:
        return {
            kind: {
                row[0]: row[1:]
                for row in conn.execute(
                    "SELECT source_id, customer_source_id, amount, balance_open, posting_status, settlement,"
                    f" collection_status, date_issued, date_due FROM receivables.{kind}s"
                )
            }
            for kind in ("invoice", "credit_note", "payment")
        }


def digest(deployment: Deployment) -> dict[str, list[tuple[object, ...]]]:
    """Every converged column of every receivables table."""
    out = {}
    with deployment.session() as conn:
        for (table,) in conn.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'receivables'"
            " AND table_name <> 'audit'"
        ).fetchall():
            rows = conn.execute(
                f"SELECT to_jsonb(t) - 'origin' - 'loaded_at' FROM receivables.{table} t ORDER BY 1"
            ).fetchall()
            out[table] = rows
    return out


@pytest.mark.parametrize("seed", [1, 7])
def test_the_company_arrives_as_its_books_say(deployment: Deployment, drop_folder: Path, seed: int) -> None:
    company = Company.build(seed)
    for drop in drops.arrivals(company):
        drops.write(drop_folder, [drop])
    result = ingest(deployment, deployment.sftp)
    assert not result.loaded.failed
    assert result.folded.parked == 0
    answers = Answers.of(company)
    stored = state(deployment)
    for kind, records in stored.items():
        expected = answers.records(kind)
        assert records.keys() == expected.keys()
        for source_id, row in records.items():
            want = expected[source_id]
            stated = (want.customer, want.amount, want.balance_open, want.posting_status)
            statuses = (want.settlement, want.collection_status, want.date_issued, want.date_due)
            assert row == (*stated, *statuses), (kind, source_id)


def test_bit_by_bit_equals_at_once_and_again_changes_nothing(
    deployment: Deployment, drop_folder: Path, tmp_path: Path, postgres_url: str
) -> None:
    company = Company.build(3)
    for drop in drops.arrivals(company):
        drops.write(drop_folder, [drop])
        ingest(deployment, deployment.sftp)
    bit_by_bit = digest(deployment)
    again = ingest(deployment, deployment.sftp)
    assert not again.taken.file_ids
    assert again.folded.is_empty
    first = reprocess(deployment, deployment.sftp, date(2025, 1, 1), date(2026, 6, 30))
    assert first.changed == 0, first.changes
    assert len(first.files) >= 7 * len(list(drops.arrivals(company)))
    assert digest(deployment) == bit_by_bit


def test_a_blank_balance_is_derived_from_allocations_of_its_own_currency(
    deployment: Deployment, drop_folder: Path
) -> None:
    """An allocation's amount is in the invoice's currency: 90 EUR for a yen invoice takes no 9,000 off."""
    rows: dict[TableName, list[dict[str, str]]] = {
        TableName.CUSTOMERS: [{"id": "C1", "name": "One"}],
        TableName.INVOICES: [
            {"id": source_id, "customer_id": "C1", "ref": "R", "amount": amount, "balance": "0",
             "currency_iso": currency, "date_issued": "2026-01-02"}
            for source_id, amount, currency in (("I1", "9000", "JPY"), ("I2", "30", "EUR"))
        ],
        TableName.PAYMENTS: [
            {"id": "P1", "customer_id": "C1", "amount": "90", "balance": "", "currency_iso": "EUR",
             "date_paid": "2026-01-03"}
        ],
        TableName.PAYMENTS_INVOICES: [
            {"payment_id": "P1", "invoice_id": source_id, "amount": amount}
            for source_id, amount in (("I1", "9000"), ("I2", "30"))
        ],
    }  # fmt: skip
    for table in TableName:
        content = drops.csv_bytes(drops.HEADERS[table], rows.get(table, []))
        (drop_folder / drops.file_name(table, datetime(2026, 1, 3, 6, tzinfo=UTC))).write_bytes(content)
    ingest(deployment, deployment.sftp)
    with deployment.session() as conn:
        query = "SELECT balance, balance_open, balance_source, settlement FROM receivables.payments"
        assert conn.execute(query).fetchall() == [(60, 60, "derived", "partially_paid")]


def test_pruned_rows_are_read_from_the_archive_when_a_fold_needs_them(
    deployment: Deployment, drop_folder: Path, settings: Settings
) -> None:
    company = Company.build(5)
    arriving = list(drops.arrivals(company))
    for drop in arriving:
        drops.write(drop_folder, [drop])
    ingest(deployment, deployment.sftp)
    kept = digest(deployment)
    short = deployment.sftp.model_copy(update={"retention_days": 1})
    far = max(drop.name_time for drop in arriving) + timedelta(days=30)
    fold(deployment, short, clock=lambda: far)
    with deployment.session() as conn:
        assert conn.execute("SELECT count(*) FROM sftp_csv.invoices").fetchone() == (0,)
        conn.execute("DELETE FROM receivables.allocations")
    reprocessed = reprocess(deployment, short, company.last_day, company.last_day, clock=lambda: far)
    assert reprocessed.changes["allocations"].new > 0
    reprocess(deployment, short, date(2025, 1, 1), far.date(), clock=lambda: far)
    assert digest(deployment) == kept
