"""Whether a sender has been silent for longer than its connection expects. No alert is sent here."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import overview, sightings


@dataclass(frozen=True)
class Quiet:
    """How long nothing complete has come. `last_batch` and `last_arrival` are None when none ever came."""

    connection: str
    expect_every: timedelta | None
    last_batch: str | None
    last_arrival: datetime | None
    last_listed: datetime | None
    is_silent: bool

    @property
    def listed(self) -> str:
        """When the folder was last listed, for a person."""
        return _moment(self.last_listed) if self.last_listed else "never"

    @property
    def sentence(self) -> str:
        """What happened, where, and what to do next: the same words for as long as it lasts."""
        if self.expect_every is None:
            return f"{self.connection} has no expect_every in connections.yaml: silence is not judged."
        every = _words(self.expect_every)
        if self.last_arrival is None:
            came = f"no complete batch has come to {self.connection} yet"
        else:
            arrived = _moment(self.last_arrival)
            came = f"the last complete batch of {self.connection} is {self.last_batch}, arrived {arrived}"
        if not self.is_silent:
            return f"{came[0].upper()}{came[1:]}; one is expected every {every}."
        return f"Silence: {came}; one is expected every {every}. Ask the sender, or see the open batches."


def silence(
    deployment: Deployment, connection: SftpConnection, *, since: datetime | None = None, clock: Clock = utc_now
) -> Quiet:
    """Judge the silence of a connection now.

    `since`: when somebody began to watch; a connection that never had a batch is given `expect_every` from then.
    """
    with deployment.session() as session:
        last = overview.last_complete_batch(session, connection.name)
        seen = sightings.last_look(session, connection.name)
    batch, arrival = last or (None, None)
    begin = arrival or since
    every = connection.expect_every
    is_silent = every is not None and (begin is None or clock() - begin > every)
    return Quiet(connection.name, every, batch, arrival, seen[1] if seen else None, is_silent)


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _words(span: timedelta) -> str:
    hours, minutes = span / timedelta(hours=1), span / timedelta(minutes=1)
    return f"{hours:g} h" if hours >= 1 else f"{minutes:g} min"
