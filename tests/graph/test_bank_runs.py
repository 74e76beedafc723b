"""A bank's connection through the graph: one run takes files through to the payouts, and the checks say what lacks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.assets.partitions import range_tags
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.sandbox.bank.cases import CASES
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES
from kolleno_pipelines.settings import Settings
from tests.bank_cases import bank_outcomes
from tests.bank_site import BankSite


@pytest.fixture
def site(settings: Settings, tmp_path: Path) -> BankSite:
    folder = tmp_path / "statements"
    folder.mkdir()
    first_day = datetime.now(UTC).date() - timedelta(days=1)
    return BankSite(settings.model_copy(update={"first_day": first_day}), folder, CASES["by_trace"]())


def _run(site: BankSite, instance: dg.DagsterInstance) -> tuple[dict[str, dg.AssetCheckEvaluation], str]:
    """The checks of payouts by their name, and what the asset shows."""
    today = datetime.now(UTC).date()
    definition = build_definitions(site.settings, site.deployment.connections).resolve_job_def("read_bank")
    result = definition.execute_in_process(instance=instance, tags=range_tags(today, today), raise_on_error=False)
    assert result.success
    (shown,) = result.asset_materializations_for_node("payouts")
    return {one.check_name: one for one in result.get_asset_check_evaluations()}, str(shown.metadata)


def test_one_run_takes_files_through_to_the_payouts(site: BankSite, ephemeral: dg.DagsterInstance) -> None:
    lost = next(file for file in site.case.files if f"{ARRIVES:%Y%m%d}" in file.name)
    site.put(*(file for file in site.case.files if file != lost))
    checks, shown = _run(site, ephemeral)
    assert [name for name in ("statements_tie", "payouts_stated") if checks[name].passed] == []
    assert "before which one is missing: 1." in str(checks["statements_tie"].description)
    assert f"the oldest of {ARRIVES}" in str(checks["payouts_stated"].description)
    assert "awaiting_bank" in shown
    site.put(lost._replace(modified=lost.modified + timedelta(days=20)))
    checks, shown = _run(site, ephemeral)
    assert [name for name in ("statements_tie", "payouts_stated") if not checks[name].passed] == []
    assert list(bank_outcomes(site.url, "stripe").values()) == [("reconciled", "trace_id")]
    assert "bank reconciled" in shown
