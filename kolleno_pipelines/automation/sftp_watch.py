"""Sensor `sftp_watch`: reports what has stalled, failed, gone silent or cannot be reached, once. It starts nothing."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from kolleno_pipelines.assets.checks.arrivals import arrival_facts
from kolleno_pipelines.automation.own_runs import in_words, moment, own_runs
from kolleno_pipelines.automation.run_failures import mark_orphans, reason_of
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, batch_alerts, changed, log_alerts, post_all
from kolleno_pipelines.pipeline.batches import refresh_batches
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.outage import outage
from kolleno_pipelines.pipeline.silence import Quiet, silence
from kolleno_pipelines.resources.deployment import DeploymentResource

_SECONDS = 60
_VERSION = 1
_MOST_RUNS = 200
_MOST_REASONS = 10
_OVERLAP = timedelta(minutes=2)


@dataclass
class Told:
    """The cursor: what was told (key to message), what the webhook did not take, runs whose process seems gone.

    `outage`: since when the folder could not be listed, with the reasons told.
    """

    since: str
    runs_after: str
    told: dict[str, str] = field(default_factory=dict)
    runs_told: list[str] = field(default_factory=list)
    unsent: list[dict[str, object]] = field(default_factory=list)
    suspects: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    outage: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None, now: datetime) -> "Told":
        """Read a cursor; without one, watching begins now."""
        try:
            stored = json.loads(cursor or "{}")
            if stored.pop("version", None) == _VERSION:
                return cls(**stored)
        except (ValueError, TypeError, AttributeError):
            pass
        return cls(now.isoformat(), now.isoformat())

    def write(self) -> str:
        """Return the cursor to keep."""
        return json.dumps({"version": _VERSION, **vars(self)})


def sftp_watch(connection: SftpConnection) -> dg.SensorDefinition:
    """Return the sensor that reports about the one SFTP connection and the runs of this code location."""

    @dg.sensor(
        name="sftp_watch",
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reports stalled batches, silence, a folder that cannot be listed, failed and orphaned runs.",
    )
    def watches(
        context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.SensorResult:
        now = utc_now()
        told = Told.read(context.cursor, now)
        opened = deployment.deployment
        batches = refresh_batches(opened, connection)
        quiet = silence(opened, connection, since=datetime.fromisoformat(told.since))
        lasting = batch_alerts(batches) + _silence_alerts(quiet)
        news = changed(lasting, told.told)
        told.told = {alert.key: alert.message for alert in lasting}
        news += _outage_alerts(opened, connection, told) + _run_alerts(context, deployment, connection, told, now)
        log_alerts(news)
        told.unsent = post_all(told.unsent, news, deployment.settings.webhook_url, now=now)
        facts = arrival_facts(opened, connection, batches, quiet)
        return dg.SensorResult(
            skip_reason=f"{len(lasting)} alerts stand, {len(news)} are new.",
            asset_events=[fact.evaluation() for fact in facts if _has_turned(told, fact.name, fact.words)],
            cursor=told.write(),
        )

    return watches


def _silence_alerts(quiet: Quiet) -> list[Alert]:
    if not quiet.is_silent:
        return []
    # The moment of the last batch is the subject: a new silence is another alert, a lasting one is not.
    arrival = quiet.last_arrival.isoformat() if quiet.last_arrival else "none"
    details: dict[str, str | list[str]] = {
        "last_batch": quiet.last_batch or "none",
        "last_arrival": arrival,
        "last_listed": quiet.last_listed.isoformat() if quiet.last_listed else "never",
    }
    return [Alert(AlertKind.SILENCE, quiet.connection, arrival, quiet.sentence, details)]


def _outage_alerts(deployment: Deployment, connection: SftpConnection, told: Told) -> list[Alert]:
    """Return an alert when the folder cannot be listed: one for each reason for as long as that lasts."""
    found = outage(deployment, connection)
    if found is None:
        told.outage = {}
        return []
    reasons = told.outage.get(found.since, [])
    told.outage = {found.since: reasons}
    if found.reason in reasons or len(reasons) >= _MOST_REASONS:
        return []
    reasons.append(found.reason)
    details: dict[str, str | list[str]] = {"last_listed": found.since}
    return [Alert(AlertKind.CANNOT_LIST, connection.name, found.since, found.sentence, details)]


def _run_alerts(
    context: dg.SensorEvaluationContext,
    deployment: DeploymentResource,
    connection: SftpConnection,
    told: Told,
    now: datetime,
) -> list[Alert]:
    """Return an alert for each orphan marked now and for each other run that failed since the last tick."""
    orphans = mark_orphans(context, deployment, told.suspects, now)
    alerts = [
        Alert(AlertKind.RUN_ORPHANED, connection.name, run.run_id, f"The process of {in_words(run)} is gone: {why}")
        for run, why in orphans
    ]
    told.runs_told += [run.run_id for run, _ in orphans]
    after = datetime.fromisoformat(told.runs_after)
    failed = own_runs(context, deployment.settings, [dg.DagsterRunStatus.FAILURE], updated_after=after - _OVERLAP)
    for record in reversed(failed):
        run = record.dagster_run
        if run.run_id not in told.runs_told and (moment(record.end_time) or now) >= after - _OVERLAP:
            reason = reason_of(context.instance, run.run_id)
            alerts.append(Alert(AlertKind.RUN_FAILED, connection.name, run.run_id, f"{in_words(run)} failed: {reason}"))
            told.runs_told.append(run.run_id)
    told.runs_told = told.runs_told[-_MOST_RUNS:]
    told.runs_after = now.astimezone(UTC).isoformat()
    return alerts


def _has_turned(told: Told, name: str, words: str) -> bool:
    """Whether a fact says something else than at the last tick; then the UI's check is told without a run."""
    before = told.facts.get(name)
    told.facts[name] = words
    return before != words
