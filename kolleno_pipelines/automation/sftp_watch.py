"""Sensor `sftp_watch`: reports what has stalled, failed, gone silent or cannot be reached, once. It starts nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import dagster as dg

from kolleno_pipelines.assets.checks.arrivals import arrival_facts
from kolleno_pipelines.automation.run_watch import RunsTold, run_alerts
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, batch_alerts, changed, log_alerts, post_all
from kolleno_pipelines.pipeline.batches import refresh_batches
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.outage import outage
from kolleno_pipelines.pipeline.silence import Quiet, silence
from kolleno_pipelines.resources.deployment import DeploymentResource

_SECONDS = 60
_MOST_REASONS = 10


@dataclass
class Told(RunsTold):
    """The cursor: what was told (key to message) since when, beside the runs.

    `outage`: since when the folder could not be listed, with the reasons told.
    """

    since: str = ""
    told: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    outage: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def begin(cls, now: datetime) -> Self:
        """Return what is known when watching begins."""
        return cls(now.isoformat(), since=now.isoformat())


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
        news += _outage_alerts(opened, connection, told) + run_alerts(context, deployment, told, now)
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


def _has_turned(told: Told, name: str, words: str) -> bool:
    """Whether a fact says something else than at the last tick; then the UI's check is told without a run."""
    before = told.facts.get(name)
    told.facts[name] = words
    return before != words
