"""What an operator's pages read from PostgreSQL: rows kept aside until made good, parked rows with their root cause."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline import overview
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.ingest import ingest
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.sandbox.drops import HEADERS
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import overview as store

FIRST = datetime.now(UTC).replace(hour=6, minute=0, second=0, microsecond=0) - timedelta(days=10)
GOOD = {
    TableName.CUSTOMERS: "C1,One,C-1,USD,,,,,,",
    TableName.INVOICES: "I1,C1,INV-1,10.00,10.00,USD,2026-01-01,",
    TableName.PAYMENTS: "P1,C1,PAY-1,4.00,4.00,USD,2026-01-02",
}


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """The drop folder."""
    folder = tmp_path / "drop" / "csv_data_uploads"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def deployment(settings: Settings, drop: Path) -> Deployment:
    """A deployment on the drop folder."""
    return open_deployment(settings, {"sftp": SftpConnection(location=drop.parent.as_uri())})


def _send(drop: Path, day: int, rows: dict[TableName, str], *, fix: str = "", only: TableName | None = None) -> str:
    """Drop a batch of that day; returns the name of its invoices file."""
    moment = FIRST + timedelta(days=day)
    for table in [only] if only else list(TableName):
        path = drop / f"{table.value}_{moment:%Y-%m-%dT%H:%M:%S}{fix}.csv"
        path.write_text("\n".join([",".join(HEADERS[table]), *([rows[table]] if table in rows else [])]) + "\n")
        os.utime(path, (0, 0))
    return f"invoices_{moment:%Y-%m-%dT%H:%M:%S}{fix}.csv"


def _kept(deployment: Deployment) -> list[tuple[str, int]]:
    return [(row.file, row.line) for row in overview.kept_aside(deployment, deployment.sftp)]


def test_a_rejected_row_counts_until_a_later_file_brings_its_record(deployment: Deployment, drop: Path) -> None:
    name = _send(drop, 0, {**GOOD, TableName.INVOICES: "I1,C1,INV-1,ten,10.00,USD,2026-01-01,"})
    ingest(deployment, deployment.sftp)
    (row,) = overview.kept_aside(deployment, deployment.sftp)
    assert (row.file, row.table, row.line, row.codes) == (name, "invoices", 2, ["bad_decimal"])
    assert "amount" in row.reasons[0]
    _send(drop, 1, {TableName.INVOICES: "I2,C1,INV-2,10.00,10.00,USD,2026-01-01,"})
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == [(name, 2)]
    _send(drop, 2, GOOD)
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == []


def test_a_rejected_row_without_an_id_counts_until_a_fix_file_comes(deployment: Deployment, drop: Path) -> None:
    name = _send(drop, 0, {**GOOD, TableName.INVOICES: ",C1,INV-1,10.00,10.00,USD,2026-01-01,"})
    _send(drop, 1, GOOD)
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == [(name, 2)]
    _send(drop, 0, GOOD, fix=".fix1", only=TableName.INVOICES)
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == []


def test_a_fix_file_makes_good_what_it_brings_and_nothing_else(deployment: Deployment, drop: Path) -> None:
    """Ten rows rejected, two of them without an id; the fix brings one record, then one of the nameless ones."""
    named = [f"I{number},C1,INV,ten,1.00,USD,2026-01-01," for number in range(8)]
    nameless = [",C1,INV,10.00,10.00,USD,2026-01-01,"] * 2
    name = _send(drop, 0, {**GOOD, TableName.INVOICES: "\n".join([*named, *nameless])})
    ingest(deployment, deployment.sftp)
    assert len(_kept(deployment)) == 10
    fixed = "I3,C1,INV,10.00,1.00,USD,2026-01-01,"
    _send(drop, 0, {TableName.INVOICES: fixed}, fix=".fix1", only=TableName.INVOICES)
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == [(name, line) for line in (2, 3, 4, 6, 7, 8, 9, 10, 11)]
    _send(
        drop, 0, {TableName.INVOICES: f"{fixed}\nI9,C1,INV,9,9,USD,2026-01-01,"}, fix=".fix2", only=TableName.INVOICES
    )
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == [(name, line) for line in (2, 3, 4, 6, 7, 8, 9, 11)]


def test_a_row_that_a_fix_file_fails_to_correct_counts_once(deployment: Deployment, drop: Path) -> None:
    _send(drop, 0, {**GOOD, TableName.INVOICES: "I1,C1,INV-1,ten,10.00,USD,2026-01-01,"})
    again = "I1,C1,INV-1,eleven,10.00,USD,2026-01-01,\nI2,C1,INV-2,1.00,1.00,USD,2026-01-01,"
    fix = _send(drop, 0, {TableName.INVOICES: again}, fix=".fix1", only=TableName.INVOICES)
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == [(fix, 2)]


def test_a_rejected_link_between_awkward_ids_is_made_good(deployment: Deployment, drop: Path) -> None:
    documents = {
        TableName.INVOICES: "I|1,C1,INV-1,10.00,10.00,USD,2026-01-01,",
        TableName.PAYMENTS: "P\\1,C1,PAY-1,4.00,4.00,USD,2026-01-02",
    }
    _send(drop, 0, {**GOOD, **documents, TableName.PAYMENTS_INVOICES: "P\\1,I|1,x"})
    ingest(deployment, deployment.sftp)
    assert [line for _, line in _kept(deployment)] == [2]
    _send(drop, 1, {**GOOD, TableName.PAYMENTS_INVOICES: "P\\1,I|1,4.00"})
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == []


def test_an_older_row_that_waits_is_overtaken_by_a_newer_one(deployment: Deployment, drop: Path) -> None:
    """I1 first names a customer who never comes, then one who is here: nobody is asked for any more."""
    _send(drop, 0, {**GOOD, TableName.INVOICES: "I1,C9,INV-1,10.00,10.00,USD,2026-01-01,"})
    ingest(deployment, deployment.sftp)
    today = datetime.now(UTC).date()
    reconcile_present(deployment.database_url, deployment.connections, today)
    query = "SELECT kind, status, customer_source_id, currency_iso FROM reconciliation.differences"
    with deployment.session() as session:
        assert session.execute(query).fetchall() == [("unknown_customer", "open", "C9", "USD")]
    _send(drop, 1, GOOD)
    done = ingest(deployment, deployment.sftp)
    assert (done.folded.parked, done.has_findings) == (0, False)
    assert overview.waiting(deployment, deployment.sftp, 10) == ({}, [])
    reconcile_present(deployment.database_url, deployment.connections, today)
    with deployment.session() as session:
        assert session.execute(query).fetchall() == [("unknown_customer", "resolved", "C9", "USD")]
        assert session.execute("SELECT count(*) FROM sftp_csv.parked_rows").fetchone() == (1,)


def test_a_row_that_is_sent_again_waits_since_it_first_did(deployment: Deployment, drop: Path) -> None:
    links = {TableName.PAYMENTS_INVOICES: "P9,I1,4.00"}
    for day in (0, 1):
        _send(drop, day, {**GOOD, **links})
        ingest(deployment, deployment.sftp)
        reconcile_present(deployment.database_url, deployment.connections, datetime.now(UTC).date())
    with deployment.session() as session:
        rows = session.execute(
            "SELECT left_source_id, since, customer_source_id, currency_iso, amount FROM reconciliation.differences"
            " WHERE kind = 'unknown_payment'"
        ).fetchall()
    assert rows == [("P9|I1", FIRST, "C1", "USD", 4)]


def test_a_rejected_link_is_known_by_the_documents_it_joins(deployment: Deployment, drop: Path) -> None:
    _send(drop, 0, {**GOOD, TableName.PAYMENTS_INVOICES: "P1,I1,x"})
    ingest(deployment, deployment.sftp)
    assert [line for _, line in _kept(deployment)] == [2]
    _send(drop, 1, {**GOOD, TableName.PAYMENTS_INVOICES: "P1,I1,4.00"})
    ingest(deployment, deployment.sftp)
    assert _kept(deployment) == []


def test_rejected_rows_past_the_retention_do_not_count(deployment: Deployment, drop: Path) -> None:
    _send(drop, 0, {**GOOD, TableName.INVOICES: "I1,C1,INV-1,ten,10.00,USD,2026-01-01,"})
    _send(drop, 1, GOOD)
    ingest(deployment, deployment.sftp)
    with deployment.transaction() as conn:
        conn.execute("DELETE FROM sftp_csv.invoices")
        conn.execute("UPDATE raw.files SET is_pruned = true")
    assert _kept(deployment) == []


def test_many_rejected_rows_are_cut_and_take_seconds(
    deployment: Deployment, drop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOKED_INTO", 50)
    bad = "\n".join(f"I{number},C1,INV,ten,1.00,USD,2026-01-01," for number in range(500))
    _send(drop, 0, {**GOOD, TableName.INVOICES: bad})
    ingest(deployment, deployment.sftp)
    assert len(_kept(deployment)) == 50


def test_each_table_is_cut_by_itself(deployment: Deployment, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer file full of bad rows does not hide the one bad row of another table."""
    monkeypatch.setattr(store, "LOOKED_INTO", 50)
    _send(drop, 0, {**GOOD, TableName.PAYMENTS: "P1,C1,PAY-1,four,4.00,USD,2026-01-02"})
    bad = "\n".join(f"I{number},C1,INV,ten,1.00,USD,2026-01-01," for number in range(60))
    _send(drop, 1, {TableName.INVOICES: bad})
    ingest(deployment, deployment.sftp)
    kept = overview.kept_aside(deployment, deployment.sftp)
    assert Counter(row.table for row in kept) == {"invoices": 50, "payments": 1}


def test_a_parked_row_names_the_line_where_its_parent_was_rejected(deployment: Deployment, drop: Path) -> None:
    _send(drop, 0, {**GOOD, TableName.CUSTOMERS: "C1,One,C-1,QQQ,,,,,,"})
    ingest(deployment, deployment.sftp)
    counts, rows = overview.waiting(deployment, deployment.sftp, 10)
    assert counts == {"invoices": 1, "payments": 1}
    for row in rows:
        assert (row.parent_table, row.parent_id, row.parent_line) == ("customers", "C1", 2)
        assert row.parent_file is not None
        assert row.parent_file.startswith("customers_")


def test_totals_are_those_of_the_tables(deployment: Deployment, drop: Path) -> None:
    payments = f"{GOOD[TableName.PAYMENTS]}\nP2,C1,PAY-2,6.00,6.00,USD,2026-01-02"
    links = "P1,I1,4.00\nP2,I1,6.00"
    _send(drop, 0, {**GOOD, TableName.PAYMENTS: payments, TableName.PAYMENTS_INVOICES: links})
    ingest(deployment, deployment.sftp)
    with deployment.transaction() as conn:
        conn.execute("UPDATE receivables.payments SET posting_status = 'voided' WHERE source_id = 'P2'")
        live = conn.execute("SELECT source_id, is_live FROM reporting.allocations ORDER BY 1").fetchall()
    assert live == [("P1|I1", True), ("P2|I1", False)]
    totals = {
        (total.entity, total.currency_iso): (total.rows, total.amount, total.balance_open)
        for total in overview.entity_totals(deployment, deployment.sftp)
    }
    assert totals["customers", ""] == (1, None, None)
    assert totals["allocations", "USD"] == (1, 4, None)
    rows, amount, balance = totals["invoices", "USD"]
    assert (rows, str(amount), str(balance)) == (1, "10.000000", "10.000000")
