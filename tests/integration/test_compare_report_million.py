"""A report of 1,000,000 rows beside the API's view: time and memory of a process of its own, printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

ROWS, ITEMS = 1_000_000, 100
_FILL = f"""
INSERT INTO receivables.payouts (connection, source_id, status, amount, currency_iso, created_at, date_arrival,
    is_automatic, method, reconciliation_status, balance_transaction_source_id, observed_at, origin)
SELECT 'stripe', 'po_' || g, 'paid', 96.80 * {ITEMS}, 'USD', '2026-01-02', '2026-01-03', true, 'standard', 'completed',
       'own_' || g, '2026-02-01', '1:1' FROM generate_series(0, {ROWS // ITEMS - 1}) g;
INSERT INTO receivables.balance_transactions (connection, source_id, type, reporting_category, status, amount, fee,
    net, currency_iso, created_at, available_on, source_kind, source_object_id, charge_source_id, observed_at, origin)
SELECT 'stripe', 'txn_' || g, 'charge', 'charge', 'available', 100, 3.20, 96.80, 'USD', '2026-01-01', '2026-01-02',
       'charge', 'ch_' || g, 'ch_' || g, '2026-02-01', '1:1' FROM generate_series(0, {ROWS - 1}) g;
INSERT INTO receivables.payout_members (connection, source_id, payout_source_id, balance_transaction_source_id, type,
    reporting_category, amount, fee, net, currency_iso, observed_at, origin)
SELECT 'stripe', 'po_' || g / {ITEMS} || '|txn_' || g, 'po_' || g / {ITEMS}, 'txn_' || g, 'charge', 'charge', 100, 3.20,
       96.80, 'USD', '2026-02-01', '1:1' FROM generate_series(0, {ROWS - 1}) g;
"""
_HEADER = (
    "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created_utc,created,available_on_utc,"
    "currency,gross,fee,net,reporting_category,source_id,description,customer_email,charge_id\n"
)
_RUN = """
import json, resource, sys, time
from pathlib import Path
from kolleno_pipelines.connections import load_connections
from kolleno_pipelines.pipeline.compare_report import comparison
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.schemas.payout_report import Asked
from kolleno_pipelines.settings import Settings
file = Path(sys.argv[2])
settings = Settings(home=file.parent / "home", database_url=sys.argv[1], connections=file.parent / "connections.yaml")
deployment = open_deployment(settings, load_connections(settings.connections))
begun = time.monotonic()
with comparison(deployment, "stripe", file, Asked()) as compared:
    told = [(each.code, each.line) for each in compared.findings()][:9]
    outcomes = {one.outcome for one in compared.payouts}
    result = {"told": told, "codes": compared.codes, "payouts": len(compared.payouts), "outcomes": sorted(outcomes)}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps(result | {"seconds": time.monotonic() - begun, "megabytes": peak}))
"""


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_million_rows(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with psycopg.connect(database) as conn:
        conn.execute(_FILL.encode())
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("ANALYZE")
    (tmp_path / "connections.yaml").write_text(
        "connections:\n  books:\n    system: quickbooks\n    role: ledger\n  stripe:\n    system: stripe\n"
    )
    file = tmp_path / "Itemized_payout_reconciliation_USD_2026-01-01_to_2026-01-31_UTC.csv"
    with file.open("w") as written:
        written.write(_HEADER)
        for g in range(ROWS):
            fee = "3.21" if g == 777_777 else "3.20"
            written.write(
                f"po_{g // ITEMS},2026-01-03 00:00:00,txn_{g},2026-01-01 00:00:00,2026-01-01 00:00:00,"
                f"2026-01-02 00:00:00,usd,100.00,{fee},96.80,charge,ch_{g},Payment {g},payer@example.com,ch_{g}\n"
            )
    done = subprocess.run(
        [sys.executable, "-c", _RUN, database, str(file)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n1,000,000 rows of a report: {said['seconds']:.0f} s, {said['megabytes']} MB")  # noqa: T201
    assert (said["told"], said["codes"]) == ([["differs", 777_779]], {"differs": 1})
    assert (said["payouts"], said["outcomes"]) == (ROWS // ITEMS, ["agrees", "differs"])
    assert said["megabytes"] < 500
