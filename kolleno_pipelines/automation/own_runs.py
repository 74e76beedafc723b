"""Which of the instance's runs are of this code location, and which days they work on. Nothing is started here."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

from kolleno_pipelines.settings import Settings

#: Marks runs that `launch` started: they carry no code location.
SITE_TAG = "kolleno/site"

_TIME_TO_QUEUE = timedelta(minutes=10)

IN_PROGRESS = (
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def site_of(settings: Settings) -> str:
    """Return a short name of this deployment, the same in all of its processes."""
    return hashlib.sha256(f"{settings.home}\n{settings.connections}".encode()).hexdigest()[:12]


def own_runs(
    context: dg.SensorEvaluationContext,
    settings: Settings,
    statuses: Sequence[dg.DagsterRunStatus],
    *,
    job: str | None = None,
    updated_after: datetime | None = None,
    limit: int = 200,
) -> list[dg.RunRecord]:
    """Return runs of this code location (of `job`), and those `launch` started for its deployment, newest first."""
    records = context.instance.get_run_records(
        dg.RunsFilter(job_name=job, statuses=list(statuses), updated_after=updated_after), limit=limit
    )
    here = context.code_location_origin
    name = here.location_name if here else None
    site = site_of(settings)
    return [record for record in records if _is_own(record.dagster_run, name, site)]


def _is_own(run: dg.DagsterRun, location: str | None, site: str) -> bool:
    origin = run.remote_job_origin
    if origin is None:
        return run.tags.get(SITE_TAG, site) == site
    return location is None or origin.repository_origin.code_location_origin.location_name == location


def on_their_way(records: Iterable[dg.RunRecord], now: datetime) -> list[dg.DagsterRun]:
    """Return the runs that work or will; one that was made and not even queued within ten minutes never will."""
    made = dg.DagsterRunStatus.NOT_STARTED
    return [
        record.dagster_run
        for record in records
        if record.dagster_run.status != made or now - record.create_timestamp < _TIME_TO_QUEUE
    ]


def days_of(run: dg.DagsterRun) -> tuple[date, date] | None:
    """Return the first and last partition day of a run, None when it has none."""
    first = run.tags.get(ASSET_PARTITION_RANGE_START_TAG) or run.tags.get(PARTITION_NAME_TAG)
    last = run.tags.get(ASSET_PARTITION_RANGE_END_TAG) or first
    if first is None or last is None:
        return None
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        return None


def days_taken(runs: Iterable[dg.DagsterRun], days: Iterable[date]) -> set[date]:
    """Return those of the days that one of the runs works on, or will."""
    spans = [span for run in runs if (span := days_of(run)) is not None]
    return {day for day in days if any(first <= day <= last for first, last in spans)}


def in_words(run: dg.DagsterRun) -> str:
    """Return job, days and id of a run for messages."""
    span = days_of(run)
    days = "" if span is None else f" of {span[0]}" if span[0] == span[1] else f" of {span[0]} to {span[1]}"
    return f"run {run.run_id[:8]} ({run.job_name}{days})"


def moment(timestamp: float | None) -> datetime | None:
    """Return an instance's time stamp as an aware moment."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)
