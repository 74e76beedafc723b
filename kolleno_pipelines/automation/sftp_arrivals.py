"""Sensor `sftp_arrivals`: lists the drop folder every 30 s, compares, and starts runs. It downloads nothing."""

from collections.abc import Collection, Iterator
from datetime import date

import dagster as dg

from kolleno_pipelines.assets.partitions import range_tags, ranges
from kolleno_pipelines.assets.sftp_csv.tables import STEP
from kolleno_pipelines.automation.attempts import MOST_ATTEMPTS, Decision, Memory, signature_of
from kolleno_pipelines.automation.jobs import RECONCILIATION, SFTP
from kolleno_pipelines.automation.own_runs import IN_PROGRESS, days_taken, on_their_way, own_runs
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, log_alerts, post_all
from kolleno_pipelines.pipeline.arrivals import Arrivals, see_arrivals
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.runs import days_busy
from kolleno_pipelines.resources.deployment import BECAUSE_OF, DeploymentResource

_SECONDS = 30
_NAMES_IN_TAG = 10


def sftp_arrivals(connection: SftpConnection) -> dg.SensorDefinition:
    """Return the sensor of the one SFTP connection."""

    @dg.sensor(
        name="sftp_arrivals",
        job_name=SFTP,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run when a batch is complete, a file needs a verdict, or one was replaced.",
    )
    def looks(context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[DeploymentResource]) -> dg.SensorResult:
        arrivals = see_arrivals(deployment.deployment, connection)
        memory = Memory.read(context.cursor)
        now = utc_now()
        due = {day: signature_of(contents) for day, contents in arrivals.due.items()}
        decision = memory.decide(due, _busy(context, deployment, connection, due), now)
        news = _given_up(connection, decision, arrivals)
        log_alerts(news)
        memory.unsent = post_all(memory.unsent, news, deployment.settings.webhook_url, now=now)
        requests = list(_requests(connection, memory, decision, arrivals))
        return dg.SensorResult(
            run_requests=requests, skip_reason=None if requests else _nothing(arrivals), cursor=memory.write()
        )

    return looks


def _busy(
    context: dg.SensorEvaluationContext,
    deployment: DeploymentResource,
    connection: SftpConnection,
    due: Collection[date],
) -> set[date]:
    if not due:
        return set()
    runs = on_their_way(own_runs(context, deployment.settings, IN_PROGRESS), utc_now())
    taken = days_taken((run for run in runs if run.job_name != RECONCILIATION), due)
    return taken | days_busy(deployment.deployment, connection, due)


def _requests(
    connection: SftpConnection, memory: Memory, decision: Decision, arrivals: Arrivals
) -> Iterator[dg.RunRequest]:
    """Yield one request per day, or one per range of days where they follow each other (after an outage)."""
    for first, last in ranges(decision.start):
        names = [name for day, contents in sorted(arrivals.due.items()) if first <= day <= last for name in contents]
        more = f" and {len(names) - _NAMES_IN_TAG} more" if len(names) > _NAMES_IN_TAG else ""
        tags = {
            "kolleno/connection": connection.name,
            BECAUSE_OF: ", ".join(names[:_NAMES_IN_TAG]) + more,
        }
        config = {"ops": {STEP: {"config": {"reload": False}}}}
        key = memory.run_key(first, last)
        if first == last:
            yield dg.RunRequest(run_key=key, partition_key=first.isoformat(), tags=tags, run_config=config)
        else:
            yield dg.RunRequest(run_key=key, tags=tags | range_tags(first, last), run_config=config)


def _given_up(connection: SftpConnection, decision: Decision, arrivals: Arrivals) -> list[Alert]:
    return [
        Alert(
            AlertKind.GAVE_UP,
            connection.name,
            day.isoformat(),
            f"{MOST_ATTEMPTS} runs of {day} for the same files of {connection.name} did not get through"
            f" ({', '.join(list(arrivals.due[day])[:_NAMES_IN_TAG])}). Look at the last run's error; when its cause is"
            " gone, materialise the day by hand, or replace the file.",
            {"names": list(arrivals.due[day])},
        )
        for day in decision.given_up
    ]


def _nothing(arrivals: Arrivals) -> str:
    seen = arrivals.seen
    if arrivals.due:
        days = ", ".join(day.isoformat() for day in sorted(arrivals.due)[:_NAMES_IN_TAG])
        return f"Nothing to start: {days} are worked on, wait for another attempt, or were given up."
    settling = f", {len(seen.settling)} still being written" if seen.settling else ""
    waiting = f", {len(seen.candidates)} wait for their companions" if seen.candidates else ""
    return f"{seen.listed} names listed, nothing to start{settling}{waiting}."
