"""Two runs at once on a real instance: every check is evaluated at the end, and results are not all computed twice."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionResolvedStatus

from kolleno_pipelines.automation.launch import Launched, launch
from kolleno_pipelines.connectors.rate_limits import AccountLimits
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.pipeline.instance import write_instance
from kolleno_pipelines.pipeline.runs import in_flight
from kolleno_pipelines.resources.deployment import BECAUSE_OF
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.filling import filled_from
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import turns
from tests.api_sites import NAME, SECRET_VARIABLE, ApiSite, quickbooks_site
from tests.databases import drop_those_of_dagster

#: Dagster follows each run's log by a `tail` that it may leave running when two runs go on in one process.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

DAYS = 4
READ = f"read_{NAME}"
COMPARED = ("balances", "control_totals", "unapplied_cash", "agreement")


@pytest.fixture
def site(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiSite]:
    """A QuickBooks ledger, and the same company's files as its mirror."""
    first = datetime.now(UTC).date() - timedelta(days=DAYS)
    company = Company.build(
        3, customers=6, days=DAYS, first_day=first, invoices_per_day=3, history_days=20, expressible=True
    )
    drop = tmp_path / "drop"
    drops.write(drop / "csv_data_uploads", drops.arrivals(company))
    more = f"  sftp:\n    system: sftp\n    role: mirror\n    location: {drop.as_uri()}\n"
    settings = settings.model_copy(update={"first_day": first - timedelta(days=1)})
    with quickbooks_site(filled_from(company).file, settings, tmp_path / "site", more=more) as site:
        monkeypatch.setenv(SECRET_VARIABLE, site.vendor.tokens.client_secret)
        monkeypatch.setattr("kolleno_pipelines.connectors.quickbooks.account.LIMITS", AccountLimits(slots=4))
        yield site


@pytest.fixture
def real(site: ApiSite, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """An instance whose storage is in PostgreSQL."""
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    with dg.DagsterInstance.from_config(str(write_instance(site.settings))) as opened:
        yield opened
    drop_those_of_dagster(postgres_url)


class Run:
    """A job launched in a thread of its own."""

    def __init__(self, site: ApiSite, instance: dg.DagsterInstance, job: str, **tags: str) -> None:
        today = datetime.now(UTC).date()
        definitions = build_definitions(site.settings, site.connections)
        first = today if job == READ else today - timedelta(days=DAYS)
        self._launched: list[Launched] = []
        self._thread = threading.Thread(
            target=lambda: self._launched.append(launch(instance, definitions, job, first, today, tags=tags)),
            daemon=True,
        )
        self._thread.start()

    def wait(self) -> str:
        """Wait for its success; returns the run's id."""
        self._thread.join(240)
        (launched,) = self._launched
        assert launched.success, launched.runs
        return str(launched.runs[0]["run_id"])


def _wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _has_begun(instance: dg.DagsterInstance, job: str) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTED])))


def _not_evaluated(site: ApiSite, instance: dg.DagsterInstance) -> list[str]:
    """Return the checks of which the UI says "Not evaluated": `executionForLatestMaterialization` has none."""
    graph = build_definitions(site.settings, site.connections).resolve_asset_graph()
    keys = list(graph.asset_check_keys)
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    evaluated = (AssetCheckExecutionResolvedStatus.SUCCEEDED, AssetCheckExecutionResolvedStatus.FAILED)

    async def is_shown(key: dg.AssetCheckKey) -> bool:
        loading = LoadingContextForTest(instance)
        record = newest[key]
        return (
            await record.targets_latest_materialization(loading) and await record.resolve_status(loading) in evaluated
        )

    return sorted(key.to_user_string() for key in keys if not asyncio.run(is_shown(key)))


def _metadata(instance: dg.DagsterInstance, run_id: str, result: str) -> dict[str, Any]:
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    found = [record.event_log_entry.asset_materialization for record in records]
    (shown,) = [m.metadata for m in found if m is not None and m.asset_key == dg.AssetKey(["reconciliation", result])]
    return {name: value.value for name, value in shown.items()}


@contextmanager
def _books_held(site: ApiSite) -> Iterator[None]:
    """Let a run that reads the books wait before it does anything."""
    with in_flight(site.deployment, site.connections[NAME], [datetime.now(UTC).date()]):
        yield


def test_of_two_runs_at_once_the_one_that_ends_last_evaluates_every_check(
    site: ApiSite, real: dg.DagsterInstance
) -> None:
    with _books_held(site):
        reading = Run(site, real, READ)
        _wait_for(lambda: _has_begun(real, READ))
        Run(site, real, "sftp").wait()
    reading.wait()
    assert _not_evaluated(site, real) == []


def test_a_check_that_a_sensor_told_while_a_run_worked_is_evaluated_at_its_end(
    site: ApiSite, real: dg.DagsterInstance
) -> None:
    Run(site, real, "sftp").wait()
    with _books_held(site):
        reading = Run(site, real, READ)
        _wait_for(lambda: _has_begun(real, READ))
        told = dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["raw", NAME, "company_info"]), check_name="not_silent", passed=False, metadata={}
        )
        real.report_runless_asset_event(told)
    reading.wait()
    assert _not_evaluated(site, real) == []
    newest = real.event_log_storage.get_latest_asset_check_execution_by_key([told.asset_check_key])
    assert newest[told.asset_check_key].status.value == "SUCCEEDED"


def test_what_one_run_computes_the_other_takes_over_unless_a_person_asked(
    site: ApiSite, real: dg.DagsterInstance
) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with site.deployment.session() as session:
        turns.take_tables_turn(session, COMPARED)
        runs = [Run(site, real, job, **{BECAUSE_OF: "a test"}) for job in (READ, "sftp")]
        _wait_for(lambda: session.execute(waiting).fetchone() == (2,))
    both = [run.wait() for run in runs]
    for result in COMPARED:
        shown = [_metadata(real, run_id, result) for run_id in both]
        assert sorted("computed by" in one for one in shown) == [False, True], result
        stored = [{name: value for name, value in one.items() if name in {"sums", "documents"}} for one in shown]
        assert stored[0] == stored[1], result
    assert _not_evaluated(site, real) == []
    by_hand = Run(site, real, "reconciliation").wait()
    assert not any("computed by" in _metadata(real, by_hand, result) for result in COMPARED)
