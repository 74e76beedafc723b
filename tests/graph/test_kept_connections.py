"""Connections of a run's process to Dagster's database: kept, and opened again when the server ended them. No runs."""

from __future__ import annotations

import dagster as dg
import psycopg

from kolleno_pipelines.automation.kept_connections import keep_connections


def _sessions(postgres_url: str) -> set[int]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname ~ '^test_.*_dagster$' AND pid <> pg_backend_pid()"
        ).fetchall()
    return {pid for (pid,) in rows}


def test_connections_are_kept_and_opened_again(instance: dg.DagsterInstance, postgres_url: str) -> None:
    assert _sessions(postgres_url) == set()
    keep_connections(instance)
    keep_connections(instance)
    instance.get_runs_count()
    kept = _sessions(postgres_url)
    assert len(kept) == 1
    instance.get_runs_count()
    assert _sessions(postgres_url) == kept
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for pid in kept:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert instance.get_runs_count() == 0
    assert _sessions(postgres_url).isdisjoint(kept)


def test_an_instance_without_postgres_is_left_as_it_is(ephemeral: dg.DagsterInstance) -> None:
    keep_connections(ephemeral)
    assert ephemeral.get_runs_count() == 0
