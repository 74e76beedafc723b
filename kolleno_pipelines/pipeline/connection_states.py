"""How each configured connection stands, by what our database remembers of it. Nothing is asked of a vendor here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import Connection, load_connections
from kolleno_pipelines.pipeline.sources import APPS
from kolleno_pipelines.settings import Settings, load_settings
from kolleno_pipelines.storage import database, readings, sightings
from kolleno_pipelines.storage.tokens import TokenState, token_states

#: States in which somebody must act.
ASKING = frozenset({"needs_reauth", "cannot_list"})
_COUNTED = 1_000


@dataclass(frozen=True)
class ConnectionState:
    """One connection: `connected`, `needs_reauth`, `cannot_list` or `not_looked_at`, since when, why.

    last_success: when the vendor last gave a token, or a folder could be listed. failed_parts: parts of its extracts
    that could not be normalised.
    """

    name: str
    system: str
    role: str
    state: str
    since: datetime | None = None
    last_success: datetime | None = None
    reason: str | None = None
    account: dict[str, str] | None = None
    sign_in_ends_at: datetime | None = None
    failed_parts: int = 0

    @property
    def is_asking(self) -> bool:
        """Whether somebody must act."""
        return self.state in ASKING or bool(self.failed_parts)


def connection_states(settings: Settings | None = None) -> list[ConnectionState]:
    """Return the state of every connection of connections.yaml. Raises SettingsError and the like."""
    settings = settings or load_settings()
    connections = load_connections(settings.connections)
    with database.connect(database.prepare(settings)) as conn:
        signed_in = token_states(conn)
        return [_state(conn, name, connection, signed_in.get(name)) for name, connection in connections.items()]


def _state(
    conn: psycopg.Connection[Any], name: str, connection: Connection, signed_in: TokenState | None
) -> ConnectionState:
    system = str(getattr(connection, "system", ""))
    known: tuple[str, str, str] = (name, system, connection.role)
    if signed_in is not None:
        account, ends = dict(signed_in.account), signed_in.refresh_expires_at
        success = signed_in.refreshed_at
        failed = len(readings.failed_parts(conn, name, _COUNTED))
        return ConnectionState(
            *known, signed_in.state, signed_in.since, success, signed_in.reason, account, ends, failed
        )
    if system in APPS:
        failed = len(readings.failed_parts(conn, name, _COUNTED))
        return ConnectionState(*known, "needs_reauth", reason="nobody has signed in yet", failed_parts=failed)
    looked = sightings.last_look(conn, name)
    if looked is None:
        return ConnectionState(*known, "not_looked_at")
    _, listed_at, error = looked
    if error is not None:
        return ConnectionState(*known, "cannot_list", listed_at, listed_at, error)
    return ConnectionState(*known, "connected", None, listed_at)
