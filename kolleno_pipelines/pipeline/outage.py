"""Whether a drop folder cannot be listed any more, and why. Whether something should have come is silence.py's."""

from dataclasses import dataclass
from datetime import timedelta

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import sightings

#: A server that is away for a shorter time is nobody's business: the next look is the retry.
PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Outage:
    """Looks fail; `since` is when the folder was last listed (ISO, or "never"), `reason` the last look's error."""

    since: str
    reason: str

    @property
    def sentence(self) -> str:
        """What happened, where, and what to do next; the reason says who must act."""
        ending = "" if self.reason.endswith(".") else "."
        what = f"The folder cannot be listed (last listed: {self.since})."
        return f"{what} {self.reason}{ending} Try: kolleno connections check."


def outage(deployment: Deployment, connection: SftpConnection) -> Outage | None:
    """Return the outage of a connection; None while looks succeed or have failed for less than PATIENCE.

    A folder that was never listed is told at once: it is being set up, and somebody is waiting for it.
    """
    with deployment.session() as session:
        seen = sightings.last_look(session, connection.name)
    if seen is None:
        return None
    looked_at, listed_at, error = seen
    if error is None or (listed_at is not None and looked_at - listed_at < PATIENCE):
        return None
    return Outage(listed_at.isoformat(timespec="seconds") if listed_at else "never", error)
