"""An API connection through the graph against the simulated QuickBooks: today, replays, backfills, the sensor."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from kolleno_pipelines.assets.checks.api import DESCRIPTIONS
from kolleno_pipelines.assets.partitions import range_tags
from kolleno_pipelines.automation import api_polls
from kolleno_pipelines.connectors.contract import Extract, Record, Window
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.quickbooks.client import QuickBooksSource
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from kolleno_pipelines.settings import Settings
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, quickbooks_site
from tests.graph.ticking import Ticker
from tests.graph.webhook import Hook

DAYS = 4
JOB = f"read_{NAME}"


@pytest.fixture
def site(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiSite]:
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    company = Company.build(
        3, customers=6, days=DAYS, first_day=first, invoices_per_day=3, history_days=20, expressible=True
    )
    settings = settings.model_copy(update={"first_day": first - timedelta(days=1)})
    with quickbooks_site(filled_from(company).file, settings, tmp_path / "site") as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.account.LIMITS", AccountLimits(slots=4))
        yield site


def _run(
    site: ApiSite, instance: dg.DagsterInstance, job: str, tags: dict[str, str], *, succeeds: bool = True
) -> dg.ExecuteInProcessResult:
    definition = build_definitions(site.settings, site.connections).resolve_job_def(job)
    result = definition.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    assert result.success is succeeds
    return result


def _evaluations(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {f"{e.asset_key.to_user_string()} {e.check_name}": e.passed for e in result.get_asset_check_evaluations()}


def test_today_is_read_and_a_replay_of_a_range_asks_for_nothing(site: ApiSite, ephemeral: dg.DagsterInstance) -> None:
    today = datetime.now(UTC).date()
    result = _run(site, ephemeral, JOB, range_tags(today, today))
    (invoices,) = [
        event
        for event in result.asset_materializations_for_node(f"raw_{NAME}")
        if event.asset_key == dg.AssetKey(["raw", NAME, "invoices"])
    ]
    stored = site.rows("SELECT sum(records) FROM raw.extracts WHERE extract = 'invoices'")[0][0]
    assert invoices.metadata["dagster/partition_row_count"].value == stored > 0
    checks = _evaluations(result)
    assert {"signed_in", "sign_in_lasts", "allowance_left", "not_silent"} < set(DESCRIPTIONS)
    for name in DESCRIPTIONS:
        assert checks[f"raw/{NAME}/company_info {name}"], name
    assert checks[f"receivables/{NAME}/allocations none_parked"]
    before, asked = site.receivables(), site.vendor.api_requests
    assert before["invoices"]
    assert asked
    _run(site, ephemeral, "reprocess", range_tags(today - timedelta(days=2), today))
    assert site.vendor.api_requests == asked, "the archive is read, the vendor is not asked"
    assert site.receivables() == before


def test_past_days_are_read_once_more_and_move_no_watermark(site: ApiSite, ephemeral: dg.DagsterInstance) -> None:
    today = datetime.now(UTC).date()
    _run(site, ephemeral, JOB, range_tags(today, today))
    marks = "SELECT extract, pass, reached FROM raw.watermarks ORDER BY 1, 2"
    before, reached, asked = site.receivables(), site.rows(marks), site.vendor.api_requests
    first = today - timedelta(days=3)
    _run(site, ephemeral, JOB, range_tags(first, today - timedelta(days=1)))
    assert site.vendor.api_requests > asked
    assert site.rows(marks) == reached
    assert site.receivables() == before
    assert {row[0] for row in site.rows("SELECT DISTINCT partition_day FROM raw.extracts")} > {today}


def test_the_asset_page_says_what_a_partition_means(site: ApiSite, ephemeral: dg.DagsterInstance) -> None:
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=2), today - timedelta(days=1)
    shown = []
    for days in ((today, today), (first, last)):
        result = _run(site, ephemeral, JOB, range_tags(*days))
        events = result.asset_materializations_for_node(f"raw_{NAME}")
        of_last = {e.asset_key.path[-1]: e.metadata for e in events if e.partition == days[1].isoformat()}
        shown.append({name: value.value for name, value in of_last["invoices"].items()})
    assert [one["asked for"] for one in shown] == [
        "what is due today",
        f"what was last modified from {first} to {last}, once more; no watermark moves",
    ]
    reached = [str(one["changes are read up to"]) for one in shown]
    assert reached[0] == reached[1]
    assert reached[0].endswith(" UTC")
    specs = build_definitions(site.settings, site.connections).resolve_all_asset_specs()
    told = {spec.key.to_user_string(): spec.description or "" for spec in specs}
    assert "not the day of a document" in told[f"raw/{NAME}/invoices"]
    assert "moves no watermark" in told[f"raw/{NAME}/invoices"]
    assert "whatever the partition" in told[f"receivables/{NAME}/invoices"]


def test_a_sign_in_that_ended_fails_the_run_and_turns_the_check(site: ApiSite, ephemeral: dg.DagsterInstance) -> None:
    today = datetime.now(UTC).date()
    site.vendor.tokens.revoke()
    _run(site, ephemeral, JOB, range_tags(today, today), succeeds=False)
    definitions = build_definitions(site.settings, site.connections)
    ticker = Ticker(f"{NAME}_polls", definitions, ephemeral)
    assert not ticker.tick()
    assert ticker.result is not None
    assert "a person must sign in" in str(ticker.result.skip_reason)
    events = ticker.result.asset_events
    signed_in = [e for e in events if isinstance(e, dg.AssetCheckEvaluation) and e.check_name == "signed_in"]
    assert [e.passed for e in signed_in] == [False]


def test_an_end_of_a_sign_in_is_alerted_once(site: ApiSite, ephemeral: dg.DagsterInstance, hook: Hook) -> None:
    settings = site.settings.model_copy(update={"webhook_url": SecretStr(hook.url)})
    ticker = Ticker(f"{NAME}_polls", build_definitions(settings, site.connections), ephemeral)
    ticker.tick()
    assert hook.alerts == []
    with site.deployment.transaction() as conn:
        conn.execute("UPDATE raw.oauth_tokens SET sign_in_ends_at = now() + interval '13 days'")
    ticker.tick()
    assert ticker.result is not None
    (lasts,) = [e for e in ticker.result.asset_events if getattr(e, "check_name", "") == "sign_in_lasts"]
    assert isinstance(lasts, dg.AssetCheckEvaluation)
    assert (lasts.passed, lasts.severity) == (False, dg.AssetCheckSeverity.WARN)
    ticker.tick()
    (alert,) = hook.alerts
    assert (alert["kind"], alert["connection"]) == ("sign_in_ends", NAME)
    assert f"run kolleno connections login {NAME} before" in alert["message"]


def test_the_sensor_s_first_start_waits_after_a_reading_by_hand(
    site: ApiSite, ephemeral: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    _run(site, ephemeral, JOB, range_tags(today, today))
    ticker = Ticker(f"{NAME}_polls", build_definitions(site.settings, site.connections), ephemeral)
    assert not ticker.tick()
    assert ticker.result is not None
    assert "read by hand" in str(ticker.result.skip_reason)
    now = datetime.now(UTC) + timedelta(minutes=15)
    monkeypatch.setattr(api_polls, "utc_now", lambda: now)
    assert len(ticker.tick()) == 1


def test_what_landed_before_a_sign_in_ended_is_folded(
    site: ApiSite, ephemeral: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    today, records = datetime.now(UTC).date(), QuickBooksSource.records

    def ended(self: QuickBooksSource, extract: Extract, window: Window) -> Iterator[Record]:
        if extract.name == "payments":
            raise NeedsHuman("The sign-in ended.", NAME)
        return records(self, extract, window)

    monkeypatch.setattr(QuickBooksSource, "records", ended)
    _run(site, ephemeral, JOB, range_tags(today, today), succeeds=False)
    assert site.receivables()["invoices"], "no run starts until somebody signs in, so this one takes them through"
    assert site.rows("SELECT count(*) FROM raw.extracts WHERE status IN ('landed', 'normalised')") == [(0,)]


def test_the_sensor_starts_a_run_when_one_is_due_and_later_after_failures(
    site: ApiSite, ephemeral: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = build_definitions(site.settings, site.connections)
    ticker, now = Ticker(f"{NAME}_polls", definitions, ephemeral), datetime.now(UTC)
    monkeypatch.setattr(api_polls, "utc_now", lambda: now)
    (request,) = ticker.tick()
    assert request.partition_key == now.date().isoformat()
    now += timedelta(minutes=14)
    assert not ticker.tick()
    now += timedelta(minutes=1)
    assert ticker.tick()
    job = definitions.resolve_job_def(JOB)
    for _ in range(2):
        run = ephemeral.create_run_for_job(job, tags={"kolleno/connection": NAME}, status=dg.DagsterRunStatus.STARTED)
        ephemeral.report_run_failed(run)
        assert not ticker.tick()
    now += timedelta(minutes=30)
    assert not ticker.tick(), "two failures in a row: four times poll_every"
    now += timedelta(minutes=31)
    assert ticker.tick()
