"""The way to our database: connecting with psycopg, creating what is absent, migrating it, and Dagster's own database.

Starting the embedded server does not belong here (`embedded.py`), nor what the tables hold (`migrations/`).
"""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import embedded

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "kolleno_version"
OLDEST_POSTGRES = 15
#: Advisory lock that one migrating process holds ("kolleno" as a number).
MIGRATION_LOCK = int.from_bytes(b"kolleno", "big")
#: Seconds that `connect` waits for a server that says it is starting up or shutting down.
PATIENCE = 30.0
_PASSING = ("starting up", "shutting down", "in recovery mode", "not yet accepting connections")


class DatabaseError(RuntimeError):
    """The database cannot be used; the text says why and what to do, and holds no password."""


def connect(url: str, *, autocommit: bool = False, application_name: str = "kolleno") -> psycopg.Connection[TupleRow]:
    """Open a connection whose session is in UTC. A server that says it is restarting is waited for up to 30 s.

    Raises DatabaseError with libpq's reason when it cannot be reached.
    """
    parameters = _parameters(url)
    deadline, is_restarting = time.monotonic() + PATIENCE, False
    while True:
        try:
            return psycopg.connect(
                url,
                autocommit=autocommit,
                application_name=application_name,
                connect_timeout=int(parameters.get("connect_timeout", "10")),
                options=f"{parameters.get('options', '')} -c timezone=UTC".strip(),
            )
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            is_restarting = is_restarting or any(sign in reason for sign in _PASSING)
            if not is_restarting or time.monotonic() > deadline:
                raise DatabaseError(f"{_place(parameters)} cannot be reached: {reason}") from None
            time.sleep(0.1)


def moment(conn: psycopg.Connection[Any]) -> datetime:
    """Return the moment by the server's own clock, whatever transaction is open."""
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise DatabaseError("The database does not tell the time.")
    now: datetime = row[0]
    return now


def prepare(settings: Settings) -> str:
    """URL of our database, ready for use: server started (embedded), database created, migrations run.

    Any number of processes may call it at once; it costs one short connection when there is nothing to do.
    Raises DatabaseError or embedded.EmbeddedError.
    """
    url = server_url(settings)
    newest = newest_migration()
    try:
        present = _migration_of(url)
    except DatabaseError as unreachable:
        _create(url, unreachable)
        present = None
    if present != newest:
        _migrate(url, newest)
    return url


def server_url(settings: Settings) -> str:
    """KOLLENO_DATABASE_URL, or the URL of the embedded server, which is started for it."""
    if settings.database_url is None:
        return embedded.start(settings.home)
    return settings.database_url.get_secret_value()


def dagster_url(settings: Settings) -> str:
    """`postgresql+psycopg2://` URL of Dagster's own database (Dagster needs that driver named), created when absent.

    `<name>_dagster` on the same server unless KOLLENO_DAGSTER_DATABASE_URL says otherwise. Raises DatabaseError.
    """
    from sqlalchemy.engine import URL

    if settings.dagster_database_url is not None:
        url = settings.dagster_database_url.get_secret_value()
    else:
        ours = server_url(settings)
        url = make_conninfo(ours, dbname=f"{_name(_parameters(ours))}_dagster")
    parameters = _parameters(url)
    try:
        connect(url).close()
    except DatabaseError as unreachable:
        _create(url, unreachable)
    query = {key: value for key, value in parameters.items() if key not in {"user", "password", "dbname"}}
    return URL.create(
        "postgresql+psycopg2",
        username=parameters.get("user"),
        password=parameters.get("password"),
        database=_name(parameters),
        query=query,
    ).render_as_string(hide_password=False)


def newest_migration() -> str:
    """Revision that this code migrates to: the highest number among the files in `migrations/versions`.

    Raises DatabaseError when there is none.
    """
    numbers = [match[1] for file in MIGRATIONS.glob("versions/*.py") if (match := re.match(r"(\d{4})_", file.name))]
    if not numbers:
        raise DatabaseError(f"No migration is installed in {MIGRATIONS}: install kolleno_pipelines again.")
    return max(numbers)


def _parameters(url: str) -> dict[str, str]:
    """The URL's parts. Refuses one whose password was not encoded: libpq would print pieces of it as a host or port."""
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        parameters = {"port": "unreadable"}
    misread = "@" in parameters.get("host", "") or "@" in parameters.get("dbname", "")
    if misread or not re.fullmatch(r"[\d,]*", parameters.get("port", "")):
        raise DatabaseError(
            "The database URL cannot be read: write postgresql://user:password@host:5432/name, with special characters "
            "of the password percent-encoded (@ as %40, / as %2F, : as %3A, % as %25)."
        )
    return parameters


def _name(parameters: dict[str, str]) -> str:
    return parameters.get("dbname") or parameters.get("user") or "kolleno"


def _place(parameters: dict[str, str]) -> str:
    return f"PostgreSQL database {_name(parameters)} on {parameters.get('host', 'the local socket')}"


def _migration_of(url: str) -> str | None:
    """Revision of the database; None when its version table is not there (or not ours to read)."""
    try:
        with connect(url, autocommit=True) as connection:
            row = connection.execute(f"SELECT version_num FROM public.{VERSION_TABLE}").fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege):
        return None
    return str(row[0]) if row else None


def _create(url: str, unreachable: DatabaseError) -> None:
    """Create the database that `url` names when its absence is why it was `unreachable`; else raise that."""
    parameters = _parameters(url)
    try:
        maintenance = connect(make_conninfo(url, dbname="postgres"), autocommit=True)
    except DatabaseError:
        raise unreachable from None
    with maintenance:
        if _has(maintenance, _name(parameters)):
            connect(url).close()  # another process was faster, or the same trouble is told again
        else:
            _create_named(maintenance, parameters)


def _has(maintenance: psycopg.Connection[TupleRow], name: str) -> bool:
    return maintenance.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def _create_named(maintenance: psycopg.Connection[TupleRow], parameters: dict[str, str]) -> None:
    name, role = _name(parameters), parameters.get("user", "your role")
    try:
        maintenance.execute(
            sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
        )
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another process was faster
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"{_place(parameters)} does not exist and {role} may not create it: ask the administrator for "
            f'CREATE DATABASE "{name}" OWNER "{role}" ENCODING \'UTF8\' TEMPLATE template0.'
        ) from None


def _migrate(url: str, newest: str) -> None:
    """Bring the database to `newest`, one process at a time, all steps in one transaction."""
    with connect(url, autocommit=True, application_name="kolleno migration") as guard:
        _refuse_unfit(guard, _place(_parameters(url)))
        guard.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        present = _migration_of(url)
        if present is not None and present > newest:
            raise DatabaseError(
                f"{_place(_parameters(url))} was migrated to {present} by a newer kolleno_pipelines; this one knows "
                f"{newest}: install the newer version, or restore the backup taken before the upgrade."
            )
        if present != newest:
            _upgrade(url)


def _refuse_unfit(connection: psycopg.Connection[TupleRow], place: str) -> None:
    major = connection.info.server_version // 10000
    if major < OLDEST_POSTGRES:
        raise DatabaseError(f"{place} is PostgreSQL {major}: {OLDEST_POSTGRES} or newer is needed.")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(f"{place} is encoded in {encoding}: create it with ENCODING 'UTF8' TEMPLATE template0.")


def _upgrade(url: str) -> None:
    """Run Alembic without an .ini file: it neither reads nor writes anything outside the database."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, application_name="kolleno migration"),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            config.attributes.update(connection=connection, version_table=VERSION_TABLE)
            command.upgrade(config, "head")
            connection.commit()
    except Exception as error:
        cause = getattr(error, "orig", None)
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise DatabaseError(
                f"{_place(_parameters(url))} cannot be set up: {cause.diag.message_primary}; the role must own the "
                "database (ALTER DATABASE ... OWNER TO ...), so that it may create schemas in it."
            ) from None
        raise
