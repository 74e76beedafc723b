"""Read-only access to schema `reporting` for one role. Which views that schema has is the migrations' business."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

SCHEMA = "reporting"


class NoSuchRoleError(Exception):
    """The role does not exist and was not to be created; the text says how to create it."""


class NotGrantedError(Exception):
    """Our own role may not do it; the text names the statements for the administrator."""


def grant_analyst(conn: psycopg.Connection[Any], role: str, *, create: bool, password: str | None) -> bool:
    """Grant, in the caller's transaction; returns whether the role was created.

    The views run with their owner's rights, so that the tables behind them need no grant at all. The password reaches
    the server as a SCRAM verifier only. Raises NoSuchRoleError, NotGrantedError.
    """
    created = False
    try:
        if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
            if not create:
                raise NoSuchRoleError(
                    f"There is no role {role}: create it (CREATE ROLE ... LOGIN), or let --create do so."
                )
            _create(conn, role, password)
            created = True
        for statement in _statements(conn, role):
            conn.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        lines = "; ".join(statement.as_string(conn) for statement in _statements(None, role))
        raise NotGrantedError(
            f"Our role may not do this ({error.diag.message_primary}); ask the administrator to run: {lines}."
        ) from None
    return created


def _create(conn: psycopg.Connection[Any], role: str, password: str | None) -> None:
    words = sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role))
    if password:
        verifier = conn.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        words = sql.SQL("{} PASSWORD {}").format(words, sql.Literal(verifier))
    conn.execute(words)


def _statements(conn: psycopg.Connection[Any] | None, role: str) -> list[sql.Composed]:
    name, schema = sql.Identifier(role), sql.Identifier(SCHEMA)
    database = sql.Identifier(conn.info.dbname) if conn is not None else sql.SQL("<database>")
    return [
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, name),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, name),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, name),
        sql.SQL("ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(schema, name),
    ]
