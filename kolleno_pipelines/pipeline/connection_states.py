"""How each configured connection stands, by what our database remembers of it. Nothing is asked of a vendor here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg

from kolleno_pipelines.connections import AnyConnection, ApiConnection, load_connections
from kolleno_pipelines.pipeline.clock import Clock, utc_now
from kolleno_pipelines.pipeline.sign_in_ages import sign_in_warnings
from kolleno_pipelines.pipeline.sources import APPS, opens_without_sign_in
from kolleno_pipelines.pipeline.usage import Usage, usage_of
from kolleno_pipelines.settings import Settings, load_settings
from kolleno_pipelines.storage import database, readings, sightings
from kolleno_pipelines.storage.tokens import TokenState, token_states

#: States in which somebody must act.
ASKING = frozenset({"needs_reauth", "cannot_list", "cannot_read"})
_COUNTED = 1_000


@dataclass(frozen=True)
class ConnectionState:
    """One connection: `connected`, `needs_reauth`, `cannot_list`, `cannot_read` or `not_looked_at`, since when, why.

    last_success: when the vendor last gave a token, a reading came to its end, or a folder could be listed.
    sign_in: words where nobody signs in. signed_in_at: when a person last did. refresh_expires_at: when that ends
    unused. sign_in_ends_at: when it ends at the latest. usage: of this month, where a vendor is asked. failed_parts:
    parts of its extracts that could not be normalised. warnings: what will need somebody.
    """

    name: str
    system: str
    role: str
    state: str
    since: datetime | None = None
    last_success: datetime | None = None
    reason: str | None = None
    account: dict[str, str] | None = None
    sign_in: str | None = None
    signed_in_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    sign_in_ends_at: datetime | None = None
    usage: Usage | None = None
    failed_parts: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def is_asking(self) -> bool:
        """Whether somebody must act, now or soon."""
        return self.state in ASKING or bool(self.failed_parts) or bool(self.warnings)

    def to_json(self) -> dict[str, Any]:
        """Return the shape of `--json`."""
        return asdict(self)


def connection_states(settings: Settings | None = None, *, clock: Clock = utc_now) -> list[ConnectionState]:
    """Return the state of every connection of connections.yaml. Raises SettingsError and the like."""
    settings = settings or load_settings()
    connections, now = load_connections(settings.connections), clock()
    with database.connect(database.prepare(settings)) as conn:
        signed_in = token_states(conn)
        states = []
        for name, connection in connections.items():
            known: dict[str, Any] = {"name": name, "system": connection.system, "role": connection.role}
            if isinstance(connection, ApiConnection):
                usage = usage_of(conn, connections, connection, now)
                known |= {"usage": usage, "failed_parts": len(readings.failed_parts(conn, name, _COUNTED))}
            states.append(_state(conn, connection, known, signed_in.get(name), now))
    return states


def _state(
    conn: psycopg.Connection[Any],
    connection: AnyConnection,
    known: dict[str, Any],
    signed_in: TokenState | None,
    now: datetime,
) -> ConnectionState:
    usage: Usage | None = known.get("usage")
    warnings = tuple(usage.warnings()) if usage else ()
    if signed_in is not None:
        return _signed_in(signed_in, known, warnings, now)
    if connection.system in APPS:
        return ConnectionState(**known, state="needs_reauth", reason="nobody has signed in yet", warnings=warnings)
    if isinstance(connection, ApiConnection):
        return _opened_without_sign_in(conn, connection, known, warnings)
    looked = sightings.last_look(conn, connection.name)
    if looked is None:
        return ConnectionState(**known, state="not_looked_at")
    _, listed_at, error = looked
    if error is not None:
        return ConnectionState(**known, state="cannot_list", since=listed_at, last_success=listed_at, reason=error)
    return ConnectionState(**known, state="connected", last_success=listed_at)


def _signed_in(
    signed_in: TokenState, known: dict[str, Any], warnings: tuple[str, ...], now: datetime
) -> ConnectionState:
    return ConnectionState(
        **known,
        state=signed_in.state,
        since=signed_in.since,
        last_success=signed_in.refreshed_at,
        reason=signed_in.reason,
        account=dict(signed_in.account),
        signed_in_at=signed_in.signed_in_at,
        refresh_expires_at=signed_in.refresh_expires_at,
        sign_in_ends_at=signed_in.sign_in_ends_at,
        warnings=(*sign_in_warnings(signed_in, now), *warnings),
    )


def _opened_without_sign_in(
    conn: psycopg.Connection[Any], connection: ApiConnection, known: dict[str, Any], warnings: tuple[str, ...]
) -> ConnectionState:
    """Whether the key works, or the folder is there, is known from the newest reading alone."""
    rows = sorted(readings.readings_of(conn, known["name"]), key=lambda row: row.tried_at)
    success = max((row.read_at for row in rows if row.read_at is not None), default=None)
    error = rows[-1].error if rows else None
    state = "not_looked_at" if not rows else "connected" if error is None else "cannot_read"
    since = rows[-1].tried_at if error is not None else None
    return ConnectionState(
        **known,
        state=state,
        since=since,
        last_success=success,
        reason=error,
        sign_in=opens_without_sign_in(connection),
        warnings=warnings,
    )
