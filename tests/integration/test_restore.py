"""Backup and restore in the order that docs/operating.md gives: dump, then archive; archive back, then dump.

Files that came between the backup and the loss are taken again by themselves.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import psycopg
import pytest

from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.storage import server_binaries
from tests.command_line import Site, make_site

DEPLOY = Path(__file__).parents[2] / "deploy"
_NOT_CONVERGED = {"audit"}


@pytest.fixture
def site(tmp_path: Path, database: str) -> Site:
    return make_site(tmp_path / "site", database)


@pytest.fixture
def second_database(postgres_url: str, database: str) -> Iterator[str]:
    """URL of an empty database beside `database`: the machine that replaces the lost one."""
    with _beside(postgres_url, database, "restored") as url:
        yield url


@pytest.fixture
def third_database(postgres_url: str, database: str) -> Iterator[str]:
    """URL of another empty database, for what is Dagster's."""
    with _beside(postgres_url, database, "runs") as url:
        yield url


@contextmanager
def _beside(postgres_url: str, database: str, suffix: str) -> Iterator[str]:
    parts = psycopg.conninfo.conninfo_to_dict(database)
    name = f"{parts['dbname']}_{suffix}"
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        yield database.replace(f"/{parts['dbname']}?", f"/{name}?")
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def password_of(url: str) -> str:
    passfile = psycopg.conninfo.conninfo_to_dict(url)["passfile"]
    return Path(str(passfile)).read_text().strip().rpartition(":")[2]


def with_password(url: str) -> str:
    """The URL with its password inside, as an operator without a password file writes it."""
    parts = urlsplit(url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name != "passfile"]
    user, _, place = parts.netloc.rpartition("@")
    secret = quote(password_of(url), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{secret}@{place}", query=urlencode(kept)))


def spied_programs(folder: Path, programs: Path) -> Path:
    """The PostgreSQL programs behind scripts that write down the arguments, which every account of a machine sees."""
    spied = folder / "programs"
    spied.mkdir()
    for name in ("pg_dump", "pg_restore", "psql"):
        script = spied / name
        script.write_text(f'#!/bin/sh\necho "{name} $*" | tr "\\n" " " >>"{folder}/arguments"\n')
        script.write_text(script.read_text() + f'echo >>"{folder}/arguments"\nexec "{programs}/{name}" "$@"\n')
        script.chmod(0o755)
    return spied


def digest(url: str) -> dict[str, str]:
    """One hash per table of ours over all rows and columns, but those that say when and in which run."""
    with psycopg.connect(url) as conn:
        tables = conn.execute(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
            " AND table_schema IN ('raw', 'sftp_csv', 'receivables', 'reconciliation') ORDER BY 1, 2"
        ).fetchall()
        return {
            f"{schema}.{table}": conn.execute(
                f"SELECT md5(COALESCE(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {schema}.{table} t"
            ).fetchone()[0]  # type: ignore[index]
            for schema, table in tables
        }


def converged(url: str) -> dict[str, list[str]]:
    """Every converged column of `receivables`: what must be equal whatever was lost and taken again."""
    with psycopg.connect(url) as conn:
        tables = conn.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'receivables'"
        ).fetchall()
        return {
            table: [
                json.dumps(row[0], sort_keys=True)
                for row in conn.execute(
                    f"SELECT to_jsonb(t) - '{{origin,loaded_at}}'::text[] FROM receivables.{table} t ORDER BY 1"
                )
            ]
            for (table,) in tables
            if table not in _NOT_CONVERGED
        }


def run_script(name: str, *words: str, programs: Path, **variables: str) -> None:
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(DEPLOY / name), *words], env={"PATH": path, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_lost_machine_comes_back_with_the_same_numbers(
    site: Site,
    database: str,
    second_database: str,
    third_database: str,
    postgres_programs: Path | None,
    tmp_path: Path,
) -> None:
    programs = postgres_programs or server_binaries.bundled()
    company = list(drops.arrivals(Company.build(5, customers=12, days=8, invoices_per_day=3, history_days=20)))
    drops.write(site.drop, company[:6])
    site.run("ingest", code=None)
    before = digest(database)
    archive, backup = Path(site.variables["KOLLENO_HOME"]) / "archive", tmp_path / "backup"
    backup.mkdir()

    spied = spied_programs(tmp_path, programs)
    run_script(
        "backup.sh",
        str(backup),
        programs=spied,
        KOLLENO_DATABASE_URL=with_password(database),
        KOLLENO_DAGSTER_DATABASE_URL=with_password(database),  # any database will do
        KOLLENO_ARCHIVE=str(archive),
    )
    # After the backup more comes in; then the machine is lost.
    drops.write(site.drop, company[6:])
    site.run("ingest", code=None)
    final = converged(database)
    shutil.rmtree(archive)

    run_script(
        "restore.sh",
        str(backup),
        programs=spied,
        KOLLENO_DATABASE_URL=with_password(second_database),
        KOLLENO_DAGSTER_DATABASE_URL=with_password(third_database),
        KOLLENO_ARCHIVE=str(archive),
    )
    assert digest(second_database) == before
    assert digest(third_database) == before
    arguments = (tmp_path / "arguments").read_text()
    assert [line.split()[0] for line in arguments.splitlines() if "dbname" in line] == [
        *("pg_dump", "pg_dump", "psql", "psql", "pg_restore", "pg_restore")
    ]
    assert password_of(database) not in unquote(arguments)
    restored = {**site.variables, "KOLLENO_DATABASE_URL": second_database}
    replaced = Site(site.folder, restored)
    # The archive has every byte that the ledger names: all of it can be processed again, and changes nothing.
    assert replaced.data("reprocess", "--from", "2020-01-01", "--to", "2030-01-01", code=None)["changed"] == 0
    # What came after the backup still lies on the server, and is taken again.
    assert len(replaced.data("ingest", code=None)["connections"][0]["taken"]) == 7 * len(company[6:])
    assert converged(second_database) == final


def test_a_restore_never_writes_into_a_database_that_holds_something(
    database: str, postgres_programs: Path | None, tmp_path: Path
) -> None:
    programs = postgres_programs or server_binaries.bundled()
    (tmp_path / "backup" / "archive").mkdir(parents=True)
    (tmp_path / "backup" / "kolleno.dump").touch()
    done = subprocess.run(
        ["sh", str(DEPLOY / "restore.sh"), str(tmp_path / "backup")],
        env={
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "KOLLENO_DATABASE_URL": database,
            "KOLLENO_ARCHIVE": str(tmp_path / "archive"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "is not empty" in done.stderr


def test_an_archive_in_an_object_store_is_left_to_it(
    database: str, second_database: str, postgres_programs: Path | None, tmp_path: Path
) -> None:
    programs = postgres_programs or server_binaries.bundled()
    backup, place = str(tmp_path / "backup"), "s3://bucket/archive"
    run_script("backup.sh", backup, programs=programs, KOLLENO_DATABASE_URL=database, KOLLENO_ARCHIVE=place)
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["kolleno.dump"]
    run_script("restore.sh", backup, programs=programs, KOLLENO_DATABASE_URL=second_database, KOLLENO_ARCHIVE=place)
    assert digest(second_database) == digest(database)
