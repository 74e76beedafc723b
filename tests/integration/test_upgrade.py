"""Every released database can be brought to the present: a dump of each tag is restored, migrated and worked on."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.quickbooks.account import SIGN_IN_LIFETIME
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.fold import fold
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.database import MIGRATIONS, VERSION_TABLE, connect, newest_migration, prepare
from kolleno_pipelines.storage.tokens import token_states

FIXTURES = Path(__file__).parents[1] / "fixtures"
DUMPS = sorted(FIXTURES.glob("v*.sql.gz"))


def test_there_is_a_dump_of_the_first_tag() -> None:
    assert "v0.1.0.sql.gz" in {path.name for path in DUMPS}


@pytest.mark.parametrize("dump", DUMPS, ids=lambda path: path.name.removesuffix(".sql.gz"))
def test_a_released_database_is_upgraded_and_keeps_its_figures(dump: Path, empty_database: str, tmp_path: Path) -> None:
    with psycopg.connect(empty_database, autocommit=True) as conn:
        conn.execute(gzip.decompress(dump.read_bytes()))
    with psycopg.connect(empty_database) as conn:
        before = conn.execute("SELECT count(*), sum(amount) FROM receivables.invoices").fetchone()
        stated = conn.execute("SELECT currency_iso, net FROM reconciliation.control_totals ORDER BY 1").fetchall()
    connections = {"sftp": SftpConnection(location=tmp_path.as_uri())}
    deployment = open_deployment(Settings(home=tmp_path, database_url=empty_database), connections)
    assert fold(deployment, deployment.sftp).is_empty
    with deployment.session() as conn:
        assert conn.execute("SELECT version_num FROM public.kolleno_version").fetchone() == (newest_migration(),)
        assert conn.execute("SELECT count(*), sum(amount) FROM receivables.invoices").fetchone() == before
        now = conn.execute("SELECT currency_iso, net FROM reconciliation.control_totals ORDER BY 1").fetchall()
    assert before is not None
    assert before[0] > 10
    assert now == stated


def migrate_to(url: str, revision: str) -> None:
    """Bring an empty database to an older revision, as an older version of kolleno left it."""
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes.update(connection=connection, version_table=VERSION_TABLE)
        command.upgrade(config, revision)
        connection.commit()


def test_sign_ins_from_before_their_ends_were_kept_get_them(empty_database: str, tmp_path: Path) -> None:
    migrate_to(empty_database, "0008")
    with psycopg.connect(empty_database) as conn:
        for name, account in (("books", '{"realmId": "1"}'), ("organisation", '{"tenantId": "2"}'), ("new", "{}")):
            conn.execute(
                "INSERT INTO raw.oauth_tokens (connection, state, sealed, expires_at, signed_in_at, account)"
                " VALUES (%s, 'connected', 'x', now(), '2026-03-02 09:00+00', %s)",
                [name, account],
            )
    prepare(Settings(home=tmp_path, database_url=empty_database))
    with psycopg.connect(empty_database) as conn:
        states = token_states(conn)
        assert conn.execute("SELECT count(*) FROM raw.monthly_usage").fetchone() == (0,)
    signed_in = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert {state.signed_in_at for state in states.values()} == {signed_in}
    assert {name: state.sign_in_ends_at for name, state in states.items()} == {
        "books": signed_in + SIGN_IN_LIFETIME,
        "organisation": None,
        "new": None,
    }
