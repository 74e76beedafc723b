"""Tables that a computation lays out and that end with it. What they hold is not known here.

They are unlogged, not temporary: what a session keeps in temporary tables its parallel workers cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

#: Parallel workers take part whatever the estimates; a sample of some thousand rows is enough to plan by.
_SETTINGS = (
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL jit = off",
    "SET LOCAL enable_mergejoin = off",
    "SET LOCAL parallel_setup_cost = 0",
    "SET LOCAL parallel_tuple_cost = 0",
    "SET LOCAL default_statistics_target = 10",
)


@contextmanager
def working_tables(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """Let tables without a schema be made in one of this session's own, which is gone when the block ends.

    Inside a transaction; when that fails, they go with it. Its statements are planned for passes over large tables.
    """
    schema = f"kolleno_working_{conn.info.backend_pid}"
    conn.execute(f"CREATE SCHEMA {schema}")
    for setting in (*_SETTINGS, f"SET LOCAL search_path = {schema}"):
        conn.execute(setting)
    yield
    conn.execute("SET LOCAL search_path TO DEFAULT")
    conn.execute(f"DROP SCHEMA {schema} CASCADE")


def lay_out(conn: psycopg.Connection[Any], name: str, query: str, params: dict[str, object]) -> None:
    """Make a working table of a query's rows, and let the planner know how many they are."""
    conn.execute(f"CREATE UNLOGGED TABLE {name} AS {query}".encode(), params)
    conn.execute(f"ANALYZE {name}")
