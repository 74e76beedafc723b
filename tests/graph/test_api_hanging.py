"""A Xero connection that also reads the history of invoices, through the graph: each run asks for what is folded."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.assets.partitions import range_tags
from kolleno_pipelines.connections import load_connections
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.xero.filling import filled_from
from kolleno_pipelines.settings import Settings
from tests.xero_deployment import NAME, SECRET_VARIABLE, XeroDeployment, xero_deployment

DAYS = 3
HISTORY = dg.AssetKey(["raw", NAME, "invoice_history"])


def _run(site: XeroDeployment, instance: dg.DagsterInstance, job: str, first: date, last: date) -> dict[str, object]:
    """Run a job for days; returns what the last day of the history's asset says, and what the checks do."""
    definition = build_definitions(site.settings, load_connections(site.file)).resolve_job_def(job)
    result = definition.execute_in_process(instance=instance, tags=range_tags(first, last))
    assert result.success
    materialized = [e for e in result.all_events if e.is_step_materialization and e.asset_key == HISTORY]
    told: dict[str, object] = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    if materialized:
        told["received now"] = materialized[-1].step_materialization_data.materialization.metadata["received now"].value
    return told


def test_a_run_asks_for_what_the_run_before_folded(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ephemeral: dg.DagsterInstance
) -> None:
    monkeypatch.setattr("kolleno_pipelines.connectors.xero.access.LIMITS", AccountLimits(slots=4))
    today = datetime.now(UTC).date()
    first = today - timedelta(days=DAYS)
    company = Company.build(
        3, customers=6, days=DAYS, first_day=first, invoices_per_day=3, history_days=20, expressible=True
    )
    settings = settings.model_copy(update={"first_day": first - timedelta(days=1)})
    with xero_deployment(
        filled_from(company).book, settings, tmp_path / "site", more="    also_read: [invoice_history]\n"
    ) as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)

        def asked() -> int:
            return sum(request.path.endswith("/History") for request in site.vendor.server.requests)

        assert _run(site, ephemeral, f"read_{NAME}", today, today)["received now"] == 0
        assert asked() == 0
        ((invoices,),) = site.rows("SELECT count(*) FROM receivables.invoices")
        told = _run(site, ephemeral, f"read_{NAME}", today, today)
        assert told["received now"] == asked() == invoices > 0
        assert told["no_failed_reading"]
        assert told["none_quarantined"]
        assert _run(site, ephemeral, f"read_{NAME}", first, today)["received now"] == 0
        _run(site, ephemeral, "reprocess", first, today)
        assert asked() == invoices
