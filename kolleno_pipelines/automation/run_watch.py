"""Runs that failed or whose process is gone: marked, and told once. Sensor `run_watch` where no other sensor does it.

With a drop folder `sftp_watch` does it, for the runs of all connections. Nothing is started here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Self

import dagster as dg

from kolleno_pipelines.automation.jobs import read_job
from kolleno_pipelines.automation.own_runs import in_words, moment, own_runs
from kolleno_pipelines.automation.run_failures import mark_orphans, reason_of
from kolleno_pipelines.connections import AnyConnection, ApiConnection, Connections, SftpConnection
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, log_alerts, post_all
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.resources.deployment import DeploymentResource

_SECONDS = 60
_VERSION = 1
_MOST_RUNS = 200
_OVERLAP = timedelta(minutes=2)


@dataclass
class RunsTold:
    """The cursor as a value: which runs were told, and what the webhook did not take.

    suspects: runs whose process seems gone, since when.
    """

    runs_after: str
    runs_told: list[str] = field(default_factory=list)
    unsent: list[dict[str, object]] = field(default_factory=list)
    suspects: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None, now: datetime) -> Self:
        """Read a cursor; without one, watching begins now."""
        try:
            stored = json.loads(cursor or "{}")
            if stored.pop("version", None) == _VERSION:
                return cls(**stored)
        except (ValueError, TypeError, AttributeError):
            pass
        return cls.begin(now)

    @classmethod
    def begin(cls, now: datetime) -> Self:
        """Return what is known when watching begins."""
        return cls(now.isoformat())

    def write(self) -> str:
        """Return the cursor to keep."""
        return json.dumps({"version": _VERSION, **vars(self)})


def run_watches(connections: Connections) -> list[dg.SensorDefinition]:
    """Return the sensor of a deployment without a drop folder; with one, `sftp_watch` watches all runs."""
    if any(isinstance(each, SftpConnection) for each in connections.values()):
        return []
    return [_run_watch()]


def _run_watch() -> dg.SensorDefinition:
    @dg.sensor(
        name="run_watch",
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports failed runs, and marks as failed those whose process is gone.",
    )
    def watches(
        context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.SensorResult:
        now = utc_now()
        told = RunsTold.read(context.cursor, now)
        news = run_alerts(context, deployment, told, now)
        log_alerts(news)
        told.unsent = post_all(told.unsent, news, deployment.settings.webhook_url, now=now)
        return dg.SensorResult(skip_reason=f"{len(news)} alerts are new.", cursor=told.write())

    return watches


def run_alerts(
    context: dg.SensorEvaluationContext, deployment: DeploymentResource, told: RunsTold, now: datetime
) -> list[Alert]:
    """Return an alert for each orphan marked now and for each other run that failed since the last tick."""
    connections = deployment.deployment.connections
    orphans = mark_orphans(context, deployment, told.suspects, now)
    alerts = [
        Alert(
            AlertKind.RUN_ORPHANED,
            _whose(run, connections),
            run.run_id,
            f"The process of {in_words(run)} is gone: {why}",
        )
        for run, why in orphans
    ]
    told.runs_told += [run.run_id for run, _ in orphans]
    after = datetime.fromisoformat(told.runs_after)
    failed = own_runs(context, deployment.settings, [dg.DagsterRunStatus.FAILURE], updated_after=after - _OVERLAP)
    for record in reversed(failed):
        run = record.dagster_run
        if run.run_id not in told.runs_told and (moment(record.end_time) or now) >= after - _OVERLAP:
            said = f"{in_words(run)} failed: {reason_of(context.instance, run.run_id)}"
            alerts.append(Alert(AlertKind.RUN_FAILED, _whose(run, connections), run.run_id, said))
            told.runs_told.append(run.run_id)
    told.runs_told = told.runs_told[-_MOST_RUNS:]
    told.runs_after = now.astimezone(UTC).isoformat()
    return alerts


def _whose(run: dg.DagsterRun, connections: Mapping[str, AnyConnection]) -> str:
    """Return the connection that a run reads; of a run for all of them the drop folder's, else the first one's name."""
    for name, connection in connections.items():
        if isinstance(connection, ApiConnection) and run.job_name == read_job(connection):
            return name
    drops = [name for name, each in connections.items() if isinstance(each, SftpConnection)]
    return next(iter([*drops, *connections]))
