"""Sensor `<connection>_polls`: starts a run of an API connection when one is due, later after failures.

It asks no vendor and reads no payload.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg

from kolleno_pipelines.assets.checks.api import reading_facts
from kolleno_pipelines.assets.receivables.api import fold_step
from kolleno_pipelines.automation.jobs import read_job
from kolleno_pipelines.automation.own_runs import IN_PROGRESS, on_their_way, own_runs
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.pipeline.alerts import Alert, AlertKind, log_alerts, post_all
from kolleno_pipelines.pipeline.api_facts import standing
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.pipeline.runs import days_busy
from kolleno_pipelines.resources.deployment import BECAUSE_OF, DeploymentResource

_SECONDS = 30
_VERSION = 1
#: After failures the next start comes later, twice as late each time, up to this.
_LONGEST_PAUSE = timedelta(hours=1)
_DONE = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass
class Poll:
    """The sensor's cursor as a value: when it last started a run, how many in a row have failed, what it told.

    judged: the newest run that was counted. unsent: alerts that the webhook did not take.
    """

    started_at: str = ""
    failures: int = 0
    judged: str = ""
    told: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    unsent: list[dict[str, object]] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str | None) -> "Poll":
        """Read a cursor; an unknown version or damaged text is forgotten: the connection is due then."""
        try:
            stored = json.loads(cursor or "{}")
            if stored.pop("version", None) == _VERSION:
                return cls(**stored)
        except (ValueError, TypeError, AttributeError):
            pass
        return cls()

    def write(self) -> str:
        """Return the cursor to keep."""
        return json.dumps({"version": _VERSION, **asdict(self)})

    def is_due(self, now: datetime, every: timedelta) -> bool:
        """Whether the next start is due: every so often, and after failures twice as late each time."""
        if not self.started_at:
            return True
        pause: timedelta = max(every, min(_LONGEST_PAUSE, every * 2 ** min(self.failures, 10)))
        return now - datetime.fromisoformat(self.started_at) >= pause


def api_polls(connection: ApiConnection) -> dg.SensorDefinition:
    """Return the sensor of one API connection."""

    @dg.sensor(
        name=f"{connection.name}_polls",
        job_name=read_job(connection),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a run every `poll_every`; tells once when a person must sign in again, or nothing is read.",
    )
    def polls(context: dg.SensorEvaluationContext, deployment: dg.ResourceParam[DeploymentResource]) -> dg.SensorResult:
        poll, now = Poll.read(context.cursor), utc_now()
        news, events = _alerts(deployment, connection, poll), _turned(deployment, connection, poll)
        why = _why_not(context, deployment, connection, poll, now)
        requests = []
        if why is None:
            poll.started_at = now.isoformat()
            requests.append(_request(connection, now))
        log_alerts(news)
        poll.unsent = post_all(poll.unsent, news, deployment.settings.webhook_url, now=now)
        skip = f"Nothing to start: {why}." if why else None
        return dg.SensorResult(run_requests=requests, asset_events=events, skip_reason=skip, cursor=poll.write())

    return polls


def _request(connection: ApiConnection, now: datetime) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{connection.name} {now.isoformat()}",
        partition_key=now.astimezone(UTC).date().isoformat(),
        tags={"kolleno/connection": connection.name, BECAUSE_OF: f"every {connection.poll_every}"},
        run_config={"ops": {fold_step(connection): {"config": {"reload": False}}}},
    )


def _why_not(
    context: dg.SensorEvaluationContext,
    deployment: DeploymentResource,
    connection: ApiConnection,
    poll: Poll,
    now: datetime,
) -> str | None:
    """Return why no run is started now, None when one is."""
    _count_failures(context, connection, poll)
    if not poll.is_due(now, connection.poll_every):
        after = f" after {poll.failures} failures" if poll.failures else ""
        return f"last started {poll.started_at}{after}"
    stands = standing(deployment.deployment, connection)
    if stands.sign_in is not None:
        return "a person must sign in"
    if not poll.started_at and stands.last_read is not None and now - stands.last_read < connection.poll_every:
        return f"read by hand {stands.last_read.isoformat()}"
    if on_their_way(own_runs(context, deployment.settings, IN_PROGRESS, job=read_job(connection)), now):
        return "a run is under way"
    if days_busy(deployment.deployment, connection, [now.astimezone(UTC).date()]):
        return "somebody works on today"
    return None


def _count_failures(context: dg.SensorEvaluationContext, connection: ApiConnection, poll: Poll) -> None:
    """Count the failed runs in a row, the newest being judged once."""
    records = context.instance.get_run_records(
        dg.RunsFilter(
            job_name=read_job(connection), statuses=list(_DONE), tags={"kolleno/connection": connection.name}
        ),
        limit=1,
    )
    if not records or records[0].dagster_run.run_id == poll.judged:
        return
    run = records[0].dagster_run
    poll.judged = run.run_id
    poll.failures = 0 if run.status == dg.DagsterRunStatus.SUCCESS else poll.failures + 1


def _alerts(deployment: DeploymentResource, connection: ApiConnection, poll: Poll) -> list[Alert]:
    """Return alerts about a connection: a sign-in that ended or will soon, silence; each once until it changes."""
    now = standing(deployment.deployment, connection)
    said, kind = " ".join(now.ending), AlertKind.SIGN_IN_ENDS
    if now.sign_in is not None:
        said, kind = now.sign_in, AlertKind.NEEDS_REAUTH
    elif now.is_silent:
        said, kind = now.silence, AlertKind.SILENCE
    before, poll.told = poll.told, said
    return [Alert(kind, connection.name, "connection", said)] if said and said != before else []


def _turned(deployment: DeploymentResource, connection: ApiConnection, poll: Poll) -> list[dg.AssetCheckEvaluation]:
    """Return the facts that say something else than at the last tick: the UI's checks are told without a run."""
    facts = reading_facts(deployment.deployment, connection)
    turned = [fact.evaluation() for fact in facts if poll.facts.get(fact.name) != fact.words]
    poll.facts = {fact.name: fact.words for fact in facts}
    return turned
