"""How an API connection stands, for checks, sensors and pages: sign-in, usage, readings, what is kept aside or waits.

Nothing is asked of a vendor, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.sign_in_ages import sign_in_warnings
from kolleno_pipelines.pipeline.sources import APPS, opens_without_sign_in
from kolleno_pipelines.pipeline.usage import Usage, usage_of
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS
from kolleno_pipelines.storage import overview, readings, watermarks
from kolleno_pipelines.storage.overview import EntityTotal
from kolleno_pipelines.storage.readings import DayExtract, ReadingRow
from kolleno_pipelines.storage.tokens import TokenState, token_states

__all__ = [
    "DayExtract",
    "EntityTotal",
    "Standing",
    "changes_reached",
    "day_extracts",
    "entity_totals",
    "failed_parts",
    "parked_rows",
    "quarantined_payloads",
    "standing",
]


#: The pass by which an extract keeps up (connectors.contract.Pass, which would load pyarrow).
_CHANGES = "changes"
#: The extract of a bank whose payloads are its files.
_FILES = "files"


@dataclass(frozen=True)
class Standing:
    """sign_in: why a person must sign in, None while the tokens work, and where nobody signs in (then `opens` says so).

    last_read: when everything was last read; of a bank's files the time of the newest, as reading none is no news
    (`is_of_files`). tried_at: when something was last asked for. ending: what will end the
    sign-in soon.
    """

    connection: str
    sign_in: str | None
    opens: str | None
    ending: list[str]
    usage: Usage | None
    failed: list[ReadingRow]
    refused: list[ReadingRow]
    last_read: datetime | None
    tried_at: datetime | None
    expect_every: timedelta | None
    is_silent: bool
    is_of_files: bool = False

    @property
    def silence(self) -> str:
        """What is known of the last reading, and what to do when it is too long ago."""
        when = f"{self.last_read.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if self.last_read else "never"
        said = f"All extracts of {self.connection} were last read: {when}"
        if self.is_of_files:
            when = when if self.last_read else "none has come yet"
            said = f"The newest file of {self.connection}: {when}"
        if self.expect_every is None:
            return f"{said}; it has no expect_every in connections.yaml, so silence is not judged."
        if not self.is_silent:
            return f"{said}; expected every {self.expect_every}."
        return f"Silence: {said}; expected every {self.expect_every}. Try: kolleno connections check {self.connection}."


def standing(deployment: Deployment, connection: ApiConnection, *, clock: Clock = utc_now) -> Standing:
    """Return how a connection stands now; of extracts that it does not ask for any more nothing is told."""
    now, signs_in = clock(), connection.system in APPS
    unasked = set(API_SYSTEMS[connection.system].also_read) - set(connection.also_read)
    with deployment.session() as session:
        signed_in = token_states(session).get(connection.name) if signs_in else None
        rows = [row for row in readings.readings_of(session, connection.name) if row.extract not in unasked]
        usage = usage_of(session, deployment.connections, connection, now)
        reached = watermarks.watermarks_of(session, connection.name, _CHANGES)
    is_of_files = connection.role == "bank"
    last_read = reached.get(_FILES) if is_of_files else _last_read(rows)
    every = connection.expect_every
    return Standing(
        connection.name,
        _why_sign_in(connection.name, signed_in) if signs_in else None,
        None if signs_in else opens_without_sign_in(connection),
        list(sign_in_warnings(signed_in, now)) if signed_in else [],
        usage,
        [row for row in rows if row.error is not None],
        [row for row in rows if row.finding is not None],
        last_read,
        max((row.tried_at for row in rows), default=None),
        every,
        every is not None and (last_read is None or now - last_read > every),
        is_of_files,
    )


def _last_read(rows: Iterable[ReadingRow]) -> datetime | None:
    """Return when everything was last read to its end; None where some of it never was."""
    changes = [row.read_at for row in rows if row.pass_ == _CHANGES]
    return min((at for at in changes if at is not None), default=None) if all(changes) else None


def _why_sign_in(connection: str, signed_in: TokenState | None) -> str | None:
    if signed_in is None:
        return f"Nobody has signed in yet: run kolleno connections login {connection}."
    if signed_in.state == "connected":
        return None
    why = f" ({signed_in.reason})" if signed_in.reason else ""
    return f"The vendor asks for a new sign-in{why}: run kolleno connections login {connection}."


def quarantined_payloads(deployment: Deployment, connection: ApiConnection, limit: int) -> list[dict[str, Any]]:
    """Return payloads that could not be normalised and that nothing later has made good, newest first."""
    with deployment.session() as session:
        return readings.quarantined(session, connection.name, limit)


def failed_parts(deployment: Deployment, connection: ApiConnection, limit: int) -> list[dict[str, Any]]:
    """Return parts of extracts that could not be normalised at all, newest first; each run tries them again."""
    with deployment.session() as session:
        return readings.failed_parts(session, connection.name, limit)


def parked_rows(
    deployment: Deployment, connection: ApiConnection, limit: int
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return the number of waiting rows by entity, and some of them with whom they wait for."""
    with deployment.session() as session:
        return readings.parked(session, connection.name, limit)


def entity_totals(deployment: Deployment, connection: ApiConnection) -> list[EntityTotal]:
    """Return rows and sums of every receivables entity of the connection."""
    with deployment.session() as session:
        if connection.role in {"provider", "bank"}:
            return readings.serving_totals(session, connection.name, API_SYSTEMS[connection.system].entities)
        return [*overview.entity_totals(session, connection.name), *readings.other_totals(session, connection.name)]


def changes_reached(deployment: Deployment, connection: ApiConnection) -> dict[str, str]:
    """Return up to which moment of the vendor the changes of each extract were read: its watermark, as text."""
    with deployment.session() as session:
        reached = watermarks.watermarks_of(session, connection.name, _CHANGES)
    return {extract: f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" for extract, at in reached.items()}


def day_extracts(deployment: Deployment, connection: ApiConnection, days: Sequence[date]) -> list[DayExtract]:
    """Return what landed for the days [first, last], by day and extract."""
    with deployment.session() as session:
        return readings.day_extracts(session, connection.name, days[0], days[-1])
