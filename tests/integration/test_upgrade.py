"""Every released database can be brought to the present: a dump of each tag is restored, migrated and worked on."""

from __future__ import annotations

import gzip
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import open_deployment
from kolleno_pipelines.pipeline.fold import fold
from kolleno_pipelines.settings import Settings
from kolleno_pipelines.storage.database import newest_migration

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
