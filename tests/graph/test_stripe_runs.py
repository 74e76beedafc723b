"""A connection to Stripe through the graph: payouts are whole after one run, and no event of Dagster says its key."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.assets.partitions import range_tags
from kolleno_pipelines.connections import load_connections
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.result_facts import overdue_payouts
from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARIES, CANARY
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment

_PAYOUTS = "SELECT source_id FROM reconciliation.payouts ORDER BY 1"
_COLUMNS = """SELECT attname FROM pg_attribute
WHERE attrelid = 'receivables.balance_transactions'::regclass AND attnum > 0 ORDER BY attnum"""
AT = datetime.now(UTC).replace(microsecond=0) - timedelta(days=12)


@pytest.fixture
def read(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeDeployment]:
    ledger = open_account("graph", AT - timedelta(days=1))
    for day in range(3):
        charging.charge(ledger, AT + timedelta(days=day), Payment(1_000))
    settings = settings.model_copy(update={"first_day": datetime.now(UTC).date() - timedelta(days=1)})
    with SandboxStripe(ledger, limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        yield StripeDeployment(vendor, settings, tmp_path / "site")


def _run(read: StripeDeployment, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    today = datetime.now(UTC).date()
    definition = build_definitions(read.settings, load_connections(read.file)).resolve_job_def(f"read_{NAME}")
    return definition.execute_in_process(instance=instance, tags=range_tags(today, today), raise_on_error=False)


def _told(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> str:
    return "\n".join(repr(entry) for entry in instance.all_logs(result.run_id))


def test_payouts_are_whole_after_the_first_run(read: StripeDeployment, ephemeral: dg.DagsterInstance) -> None:
    assert _run(read, ephemeral).success
    outcomes = read.rows("SELECT items_outcome, count(*) FROM reporting.payouts GROUP BY 1")
    assert {outcome for outcome, _ in outcomes} == {"reconciled"}, "none is pending until the next poll"
    # A row of the balance comes a second time under another id: it is in no payout, and the balance is too high by it.
    columns = ", ".join(name for (name,) in read.rows(_COLUMNS) if name not in {"source_id", "loaded_at"})
    ((twin,),) = read.rows(
        f"INSERT INTO receivables.balance_transactions (source_id, {columns}) SELECT 'txn_twin', {columns}"
        " FROM receivables.balance_transactions WHERE type IN ('charge', 'payment') LIMIT 1 RETURNING source_id"
    )
    again = _run(read, ephemeral)
    (proven,) = [one for one in again.get_asset_check_evaluations() if one.check_name == "balance_proven"]
    assert not proven.passed
    assert "altered, doubled or missing: 2." in str(proven.description), "twice, and a fee without details"
    (shown,) = again.asset_materializations_for_node("payouts")
    told = [entry for label, entry in shown.metadata.items() if "no payout that are wrong" in label]
    assert twin in str(told)


def test_a_payout_that_nobody_itemises_is_told_after_a_week(
    read: StripeDeployment, ephemeral: dg.DagsterInstance
) -> None:
    result = _run(read, ephemeral)
    assert {one.check_name: one.passed for one in result.get_asset_check_evaluations()}["payouts_itemised"]
    arrival = datetime(2026, 3, 2, tzinfo=UTC).date()
    read.rows(f"UPDATE reconciliation.payouts SET outcome = 'pending', date_arrival = '{arrival}' RETURNING 1")
    assert overdue_payouts(read.deployment, [NAME], arrival + timedelta(days=7)) == []
    told = overdue_payouts(read.deployment, [NAME], arrival + timedelta(days=8))
    assert [one["source_id"] for one in told] == [one for (one,) in read.rows(_PAYOUTS)]
    assert overdue_payouts(read.deployment, ["another"], arrival + timedelta(days=8)) == []


def test_no_event_of_a_run_says_the_key(
    read: StripeDeployment, ephemeral: dg.DagsterInstance, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "stripe", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    good = _run(read, ephemeral)
    read.vendor.api.keys.clear()
    refused = _run(read, ephemeral)
    assert (good.success, refused.success) == (True, False)
    told = _told(good, ephemeral) + _told(refused, ephemeral)
    assert "does not take the key" in told, "what was searched holds the failure"
    for text in (told, caplog.text):
        assert CANARIES.find(text) is None
    assert list(CANARIES.in_database(read.deployment.database_url)) == []
