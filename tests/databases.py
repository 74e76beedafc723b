"""Databases of tests: made from the migrated template, searched for secrets and dropped. No server is started here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.canaries import CANARIES


def url_of(server_url: str, name: str) -> str:
    """`postgresql://` form of a server's conninfo, for database `name`."""
    parts = conninfo_to_dict(server_url)
    return f"postgresql://{parts['user']}@/{name}?host={parts['host']}&passfile={parts['passfile']}"


@contextmanager
def fresh_database(server_url: str, template: str, name: str) -> Iterator[str]:
    """A copy of `template` for as long as the block lasts; yields its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield url_of(server_url, name)
        finally:
            drop(connection, server_url, name)


def drop(connection: psycopg.Connection[tuple[object, ...]], server_url: str, name: str) -> None:
    """Drop a database after a last look at it: it may hold no secret of the tests."""
    told = list(CANARIES.in_database(url_of(server_url, name)))
    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    assert not told, f"Database {name} holds secrets:\n" + "\n".join(told)


def drop_those_of_dagster(server_url: str) -> None:
    """Drop the databases that the instances of tests left, each after a last look at it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        named = connection.execute("SELECT datname FROM pg_database WHERE datname ~ '^(test|faults)_.*_dagster$'")
        for (name,) in named.fetchall():
            drop(connection, server_url, name)
