"""One look at the drop folder in a hurry: what is due, for which files and contents. Nothing is fetched or started."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kolleno_pipelines.connections import ConnectionsError, SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.connectors.sftp.client import open_drop
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.look import Look, days_due, look
from kolleno_pipelines.pipeline.take import record_notices
from kolleno_pipelines.storage.sightings import record_blind_look

#: A run for a file that could not be read is worth while only now and then.
_RETRY_UNREADABLE = timedelta(minutes=10)
# Whoever looks every half minute ends soon: the next look is the retry.
_IMPATIENT = {"connect_timeout": 5.0, "read_timeout": 10.0, "retries": 0}

#: Size and time of change as listed; None for what is in the archive and waits for work.
Content = tuple[int, datetime | None] | None


@dataclass(frozen=True)
class Arrivals:
    """What was seen, and the days that need a run with the files that are the reason."""

    seen: Look
    due: dict[date, dict[str, Content]]


def see_arrivals(deployment: Deployment, connection: SftpConnection, *, clock: Clock = utc_now) -> Arrivals:
    """List the drop folder, note names that are not taken in the ledger, and say what is due.

    Raises ConnectorError or ConnectionsError when the folder cannot be listed: that is not an empty folder.
    """
    fields = {name: min(getattr(connection, name), limit) for name, limit in _IMPATIENT.items()}
    try:
        with open_drop(connection.model_copy(update=fields), deployment.resolve) as drop:
            seen = look(deployment, connection, drop, retry_after=_RETRY_UNREADABLE, clock=clock)
    except (ConnectorError, ConnectionsError) as error:
        # Also what stands in the way before anything is listed: a variable that is not set, a location of no use.
        with deployment.transaction() as conn:
            record_blind_look(conn, connection.name, str(error), clock())
        raise
    record_notices(deployment, connection, seen)
    listed = {c.entry.name: (c.entry.size or 0, c.entry.modified_at) for c in seen.candidates}
    due = days_due(deployment, connection, seen)
    return Arrivals(seen, {day: {name: listed.get(name) for name in names} for day, names in due.items()})
