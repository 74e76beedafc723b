"""The way to the database: created and migrated by itself, once, whoever asks; refusals an operator understands."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import psycopg2
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine, make_url, text

from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage import embedded
from kolleno_pipelines.storage.database import (
    DatabaseError,
    connect,
    dagster_url,
    newest_migration,
    prepare,
    server_url,
)
from tests.canaries import CANARY

ROOT = Path(__file__).parents[2]
SECRET = CANARY
LIMITED = "limited_role"


def _url(near: str, **changes: str) -> str:
    """`near` with other parts, as a URL."""
    parts = {**conninfo_to_dict(near), **changes}
    place = "&".join(f"{key}={quote(str(parts[key]))}" for key in ("host", "passfile") if parts.get(key))
    password = f":{quote(parts['password'], safe='')}" if parts.get("password") else ""
    return f"postgresql://{parts['user']}{password}@/{quote(str(parts['dbname']))}?{place}"


@pytest.fixture
def unborn(postgres_url: str) -> Iterator[str]:
    """URL of a database that does not exist; it and its Dagster companion are dropped afterwards."""
    name = 'not yet "here"'
    yield _url(postgres_url, dbname=name)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for each in (name, f"{name}_dagster"):
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(each)))


@pytest.fixture
def limited(postgres_url: str) -> Iterator[str]:
    """Password of a role that may neither create databases nor anything in those of others."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {LIMITED} LOGIN PASSWORD '{SECRET}@/:%'")
        yield f"{SECRET}@/:%"
        connection.execute(f"DROP ROLE {LIMITED}")


def _version(url: str) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT version_num FROM public.kolleno_version").fetchone()
        assert row is not None
        return str(row[0])


def test_creates_and_migrates_then_costs_little(unborn: str) -> None:
    settings = Settings(database_url=unborn)
    assert prepare(settings) == unborn
    assert _version(unborn) == newest_migration()
    began = time.monotonic()
    prepare(settings)
    assert time.monotonic() - began < 1


def test_preparing_again_imports_no_alembic(database: str) -> None:
    program = (
        "import sys; from kolleno_pipelines.settings import load_settings\n"
        "from kolleno_pipelines.storage.database import prepare\n"
        "prepare(load_settings()); print('alembic' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "KOLLENO_DATABASE_URL": database},
    )
    assert ended.stdout == "False False\n"


def test_many_at_once_migrate_once(unborn: str) -> None:
    program = (
        "from kolleno_pipelines.settings import load_settings\n"
        "from kolleno_pipelines.storage.database import prepare; prepare(load_settings())"
    )
    environ = {**os.environ, "KOLLENO_DATABASE_URL": unborn}
    starters = [
        subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environ)
        for _ in range(4)
    ]
    errors = [starter.communicate(timeout=60)[1] for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 4, errors
    assert errors == [""] * 4
    assert _version(unborn) == newest_migration()


def test_migrations_leave_logging_and_locks_alone(unborn: str, caplog: pytest.LogCaptureFixture) -> None:
    before = (logging.getLogger().level, list(logging.getLogger().handlers), logging.getLogger("other").disabled)
    prepare(Settings(database_url=unborn))
    assert (
        logging.getLogger().level,
        list(logging.getLogger().handlers),
        logging.getLogger("other").disabled,
    ) == before
    with psycopg.connect(unborn) as connection:
        row = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert row == (0,)


def test_a_failing_migration_changes_nothing(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA receivables")
    with pytest.raises(Exception, match="receivables"):
        prepare(Settings(database_url=empty_database))
    with psycopg.connect(empty_database, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname IN ('raw', 'sftp_csv')").fetchone()
        assert row == (0,)
        connection.execute("DROP SCHEMA receivables")
    prepare(Settings(database_url=empty_database))
    assert _version(empty_database) == newest_migration()


def test_a_newer_database_is_refused(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE public.kolleno_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match=r"was migrated to 9999 by a newer kolleno_pipelines; this one knows \d{4}"):
        prepare(Settings(database_url=database))
    assert _version(database) == "9999"


def test_a_role_that_may_not_create_is_told_what_to_ask_for(unborn: str, limited: str) -> None:
    url = _url(unborn, user=LIMITED, password=limited)
    with pytest.raises(DatabaseError) as refusal:
        prepare(Settings(database_url=url))
    assert "does not exist and limited_role may not create it: ask the administrator for CREATE DATABASE" in str(
        refusal.value
    )
    assert SECRET not in str(refusal.value)


def test_a_role_that_does_not_own_the_database_is_told(empty_database: str, limited: str) -> None:
    with pytest.raises(DatabaseError, match=r"cannot be set up: permission denied .*; the role must own"):
        prepare(Settings(database_url=_url(empty_database, user=LIMITED, password=limited)))


def test_a_given_database_needs_no_right_to_create(empty_database: str, limited: str, postgres_url: str) -> None:
    name = str(conninfo_to_dict(empty_database)["dbname"])
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO {LIMITED}")
        prepare(Settings(database_url=_url(empty_database, user=LIMITED, password=limited)))
        assert _version(empty_database) == newest_migration()
        with psycopg.connect(empty_database, autocommit=True) as inside:
            inside.execute(f"REASSIGN OWNED BY {LIMITED} TO CURRENT_USER")


def test_another_encoding_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
            " LOCALE_PROVIDER libc TEMPLATE template0"
        )
        with pytest.raises(DatabaseError, match="is encoded in LATIN1: create it with ENCODING 'UTF8'"):
            prepare(Settings(database_url=_url(postgres_url, dbname="latin")))
        connection.execute("DROP DATABASE latin")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@{SECRET}@127.0.0.1:1/db",
        f"postgresql://u:{SECRET}/x@127.0.0.1:1/db",
        f"postgresql://u:1/{SECRET}@127.0.0.1:1/db",
        f"postgresql://u:{SECRET}%zz@127.0.0.1:1/db",
    ],
)
def test_a_password_that_was_not_encoded_is_not_printed(url: str) -> None:
    with pytest.raises(DatabaseError, match="percent-encoded") as refusal:
        prepare(Settings(database_url=url))
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


def test_a_server_that_is_away_is_named(unused_tcp_port: int) -> None:
    with pytest.raises(
        DatabaseError, match=r"PostgreSQL database db on 127\.0\.0\.1 cannot be reached: .*refused"
    ) as gone:
        prepare(Settings(database_url=f"postgresql://u:{SECRET}@127.0.0.1:{unused_tcp_port}/db"))
    assert SECRET not in str(gone.value)


@pytest.fixture
def unused_tcp_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_sessions_are_in_utc_and_named(database: str) -> None:
    with connect(
        _with_options(database, "-c timezone=Asia/Tokyo -c work_mem=7MB"), application_name="kolleno test"
    ) as one:
        row = one.execute(
            "SELECT current_setting('TimeZone'), current_setting('application_name'), current_setting('work_mem')"
        ).fetchone()
    assert row == ("UTC", "kolleno test", "7MB")


def _with_options(url: str, options: str) -> str:
    return make_conninfo(url, options=options)


def test_dagster_has_a_database_of_its_own(unborn: str) -> None:
    url = dagster_url(Settings(database_url=unborn))
    assert url.startswith("postgresql+psycopg2://")
    engine = create_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar() == 'not yet "here"_dagster'
        assert isinstance(connection.connection.driver_connection, psycopg2.extensions.connection)
    engine.dispose()
    assert dagster_url(Settings(database_url=unborn)) == url


def test_dagster_database_may_be_named(unborn: str, database: str, limited: str, postgres_url: str) -> None:
    given = _url(unborn, dbname='not yet "here"')
    named = make_url(dagster_url(Settings(database_url=database, dagster_database_url=given)))
    assert named.database == 'not yet "here"'
    with_password = _url(database, user=LIMITED, password=limited)
    engine = create_engine(dagster_url(Settings(dagster_database_url=with_password)))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_user")).scalar() == LIMITED
    engine.dispose()


def test_unset_url_starts_the_embedded_server(postgres_programs: Path | None) -> None:
    home = Path(tempfile.mkdtemp(prefix="kolleno-test-"))
    home.chmod(0o711)
    embedded.start(home, bin_dir=postgres_programs)
    embedded.stop(home)
    if postgres_programs is not None:
        embedded.start(home, bin_dir=postgres_programs)
    try:
        settings = Settings(home=home)
        assert server_url(settings) == embedded.url(home)
        assert _version(prepare(settings)) == newest_migration()
    finally:
        embedded.stop(home)
        shutil.rmtree(home)


def test_a_restarting_server_is_waited_for(postgres_programs: Path | None) -> None:
    home = Path(tempfile.mkdtemp(prefix="kolleno-test-"))
    home.chmod(0o711)
    url = make_conninfo(embedded.start(home, bin_dir=postgres_programs), dbname="postgres")
    try:
        holder = psycopg.connect(url, autocommit=True)
        pid = embedded.status(home).pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)  # smart shutdown: refuses new sessions while the holder stays
        deadline = time.monotonic() + 30
        while "shutting down" not in _refusal(url):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        second = threading.Timer(0.5, lambda: (holder.close(), embedded.start(home, bin_dir=postgres_programs)))
        second.start()
        connect(url).close()
        second.join()
    finally:
        embedded.stop(home)
        shutil.rmtree(home)


def _refusal(url: str) -> str:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""
