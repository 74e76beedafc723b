"""Tables that a computation lays out: of its own session, read by parallel workers, gone afterwards."""

from __future__ import annotations

import psycopg
import pytest

from kolleno_pipelines.storage.working_tables import lay_out, working_tables

LEFT = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'kolleno_working%'"
NUMBERS = "SELECT n FROM generate_series(1, %(most)s) n"


def test_nothing_is_left_behind(database: str) -> None:
    with psycopg.connect(database) as conn:
        before = conn.execute("SHOW search_path").fetchone()
        with working_tables(conn):
            lay_out(conn, "numbers", NUMBERS, {"most": 3})
            assert conn.execute("SELECT sum(n) FROM numbers").fetchone() == (6,)
        assert conn.execute("SHOW search_path").fetchone() == before
        assert conn.execute(LEFT).fetchall() == []


def test_what_fails_leaves_nothing_behind(database: str) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), psycopg.connect(database) as conn, working_tables(conn):
        lay_out(conn, "shares", f"SELECT 1 / (n - 1) FROM ({NUMBERS}) n", {"most": 3})
    with psycopg.connect(database) as conn:
        assert conn.execute(LEFT).fetchall() == []


def test_two_sessions_have_each_their_own(database: str) -> None:
    sessions = (psycopg.connect(database), psycopg.connect(database))
    with sessions[0] as one, sessions[1] as other, working_tables(one), working_tables(other):
        for conn, most in ((one, 3), (other, 4)):
            lay_out(conn, "numbers", NUMBERS, {"most": most})
        found = [conn.execute("SELECT count(*) FROM numbers").fetchone() for conn in (one, other)]
    assert found == [(3,), (4,)]


def test_parallel_workers_read_them(database: str) -> None:
    with psycopg.connect(database) as conn, working_tables(conn):
        lay_out(conn, "numbers", NUMBERS, {"most": 300_000})
        plan = "\n".join(row[0] for row in conn.execute("EXPLAIN SELECT count(*) FROM numbers"))
    assert "Parallel Seq Scan on numbers" in plan
