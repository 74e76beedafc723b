"""Every result over 1,000,000 documents: time and memory of a process of its own, printed for docs/performance.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

INVOICES = 667_000
_FILL = """
INSERT INTO receivables.customers (connection, source_id, name, currency_iso, group_source_id, observed_at, origin)
SELECT 'sftp', 'C' || g, 'Customer ' || g, 'USD', 'C' || g, '2025-01-01', '1:1' FROM generate_series(0, 49999) g;
INSERT INTO receivables.invoices (connection, source_id, kind, ref, customer_connection, customer_source_id,
    posting_status, collection_status, amount, balance, balance_open, balance_source, currency_iso, date_issued,
    date_due, first_seen_at, observed_at, origin)
SELECT 'sftp', 'I' || g, 'invoice', 'R' || g, 'sftp', 'C' || g % 50000, 'posted', 'none', 100.25 + g % 1000, b.balance,
       b.balance, 'stated', (ARRAY['USD', 'EUR', 'GBP'])[1 + g % 3], date '2025-04-01' + g % 365,
       date '2025-04-01' + g % 365 + 30, '2025-04-01', '2025-04-01', '1:1'
FROM generate_series(1, {invoices}) g,
     LATERAL (SELECT CASE WHEN g % 4 < 2 THEN 0 WHEN g % 4 = 2 THEN 50.25 ELSE 100.25 + g % 1000 END AS balance) b;
INSERT INTO receivables.payments (connection, source_id, kind, ref, customer_connection, customer_source_id,
    posting_status, collection_status, amount, balance, balance_open, balance_source, currency_iso, date_issued,
    date_paid, first_seen_at, observed_at, origin)
SELECT 'sftp', 'P' || g, 'payment', 'R' || g, 'sftp', 'C' || g % 50000, 'posted', 'none',
       i.amount - i.balance + 5, 5, 5, 'stated', i.currency_iso, i.date_issued + 20, i.date_issued + 20,
       '2025-04-01', '2025-04-01', '1:1'
FROM generate_series(1, {invoices}) g JOIN receivables.invoices i ON i.source_id = 'I' || g WHERE g % 4 IN (0, 2);
INSERT INTO receivables.allocations (connection, source_id, owner_kind, owner_source_id, from_kind, from_source_id,
    to_kind, to_source_id, amount, first_seen_at, observed_at, origin)
SELECT 'sftp', 'P' || g || '|I' || g, 'payment', 'P' || g, 'payment', 'P' || g, 'invoice', 'I' || g, p.amount - 5,
       '2025-04-01', '2025-04-01', '1:1'
FROM generate_series(1, {invoices}) g JOIN receivables.payments p ON p.source_id = 'P' || g WHERE g % 4 IN (0, 2);
INSERT INTO receivables.balance_moves
SELECT 'sftp', 'invoice', 'I' || g, timestamptz '2025-05-01' + g % 300 * interval '1 day', 100.25 + g % 1000
FROM generate_series(1, {invoices}) g WHERE g % 40 = 1;
"""
_RUN = """
import json, resource, sys, time
from datetime import date, timedelta
from tests.receivables_rows import Connection
from kolleno_pipelines.pipeline import reconcile, reconcile_days
url, today, connections = sys.argv[1], date(2026, 3, 31), {"sftp": Connection()}
year = [today - timedelta(days=number) for number in range(365)]
steps = {
    "balances": lambda: reconcile.reconcile_balances(url, connections, today),
    "control_totals": lambda: reconcile.reconcile_control_totals(url, connections, today),
    "unapplied_cash": lambda: reconcile.reconcile_unapplied_cash(url, connections, today),
    "differences": lambda: reconcile.reconcile_differences(url, connections, today),
    "ageing and roll-forward of today": lambda: reconcile_days.reconcile_days(url, connections, today, [today]),
    "ageing and roll-forward of 365 days": lambda: reconcile_days.reconcile_days(url, connections, today, year),
}
for name, step in steps.items():
    begun, cpu = time.monotonic(), time.process_time()
    step()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"name": name, "seconds": round(time.monotonic() - begun, 1),
                      "cpu": round(time.process_time() - cpu, 1), "peak_mb": peak}))
"""


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_million_documents(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(database, autocommit=True) as conn:
        for statement in _FILL.format(invoices=INVOICES).split(";\n"):
            if statement.strip():
                conn.execute(statement)
        conn.execute("VACUUM ANALYZE")
        documents = sum(
            row[0]
            for table in ("invoices", "payments")
            for row in conn.execute(f"SELECT count(*) FROM receivables.{table}").fetchall()
        )
    assert documents >= 1_000_000
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _RUN, database],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = [json.loads(line) for line in done.stdout.splitlines()]
    with capsys.disabled():
        for one in measured:
            print(one)  # noqa: T201
    assert len(measured) == 6
    assert max(one["peak_mb"] for one in measured) <= 1024
    assert max(one["seconds"] for one in measured) <= 120
