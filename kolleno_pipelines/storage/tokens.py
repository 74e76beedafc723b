"""OAuth tokens of connections (`raw.oauth_tokens`): encrypted, renewed under a row lock, saved before they are used.

How a vendor is asked for new ones does not belong here; connectors/auth.py does that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from kolleno_pipelines.connectors.errors import NeedsHuman, Retryable
from kolleno_pipelines.schemas.tokens import GrantRefusedError, Tokens
from kolleno_pipelines.storage import database
from kolleno_pipelines.storage.failpoints import reach

#: Seconds that a process waits for another one's refresh, and that a refresh whose machine hangs keeps its lock.
PATIENCE = 120

_COLUMNS = "state, state_reason, sealed, scopes, expires_at, refresh_expires_at, sign_in_ends_at"


@dataclass(frozen=True)
class TokenState:
    """How one signed-in connection stands; no token is in it.

    refresh_expires_at: when the sign-in ends if nobody uses it. sign_in_ends_at: when it ends at the latest. None: not
    said by the vendor.
    """

    connection: str
    state: str
    reason: str | None
    since: datetime
    scopes: tuple[str, ...]
    account: Mapping[str, str]
    refresh_expires_at: datetime | None
    signed_in_at: datetime
    refreshed_at: datetime
    sign_in_ends_at: datetime | None


class StoredTokens:
    """`connectors.auth.TokenStore` of one connection; `keys` are Fernet keys, the newest first."""

    def __init__(self, database_url: str, connection: str, keys: Sequence[str]) -> None:
        self._url = database_url
        self._connection = connection
        self._keys = tuple(keys)

    def __repr__(self) -> str:
        return f"StoredTokens({self._connection!r})"

    def read(self) -> Tokens:
        """The stored tokens. Raises NeedsHuman when nobody signed in, or somebody must do so again."""
        with self._session() as conn:
            return self._read(conn, "")

    def renew(self, is_stale: Callable[[Tokens], bool], refresh: Callable[[Tokens], Tokens]) -> Tokens:
        """The stored tokens, or if they are stale what `refresh` makes of them, committed before they are returned.

        One process at a time; who waited finds what the first one saved. Raises NeedsHuman, Retryable, and what
        `refresh` raises; GrantRefusedError becomes the state `needs_reauth`.
        """
        try:
            with self._session() as conn:
                conn.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'")
                conn.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE}s'")
                present = self._read(conn, " FOR UPDATE")
                if not is_stale(present):
                    return present
                fresh = self._refreshed(conn, present, refresh)
            if fresh is not None:
                return fresh
        except psycopg.errors.LockNotAvailable:
            said = f"Another process has been renewing the tokens for {PATIENCE} s; try again."
        except psycopg.OperationalError:
            said = "The database ended the session while tokens were renewed; the old ones are tried again."
        else:
            raise NeedsHuman(_sign_in_again(self._connection), self._connection)
        raise Retryable(said, self._connection)

    def save(self, tokens: Tokens, account: Mapping[str, str]) -> None:
        """Keep what a person's sign-in gave; `account` says which account of the vendor it is.

        Raises NeedsHuman when that is another account than before: two companies' records would become one.
        """
        sealed = self._sealed(tokens)
        with self._session() as conn:
            row = conn.execute(
                "SELECT account FROM raw.oauth_tokens WHERE connection = %s FOR UPDATE", [self._connection]
            ).fetchone()
            before: Mapping[str, str] = row[0] if row else {}
            self._refuse_other_account(before, account)
            conn.execute(
                "INSERT INTO raw.oauth_tokens AS t (connection, state, sealed, scopes, expires_at, refresh_expires_at,"
                " sign_in_ends_at, account) VALUES (%(connection)s, 'connected', %(sealed)s, %(scopes)s,"
                " %(expires_at)s, %(refresh_expires_at)s, %(sign_in_ends_at)s, %(account)s)"
                " ON CONFLICT (connection) DO UPDATE SET state = 'connected',"
                " state_reason = NULL, state_since = CASE WHEN t.state = 'connected' THEN t.state_since ELSE now() END,"
                " sealed = excluded.sealed, scopes = excluded.scopes, expires_at = excluded.expires_at,"
                " refresh_expires_at = excluded.refresh_expires_at, sign_in_ends_at = excluded.sign_in_ends_at,"
                " account = excluded.account,"
                " signed_in_at = now(), refreshed_at = now()",
                {**self._values(tokens, sealed), "account": Jsonb({**before, **account})},
            )

    def account(self) -> dict[str, str]:
        """Which account of the vendor it is: `{"realmId": ...}`; empty when nobody signed in."""
        with self._session() as conn:
            row = conn.execute(
                "SELECT account FROM raw.oauth_tokens WHERE connection = %s", [self._connection]
            ).fetchone()
        return dict(row[0]) if row else {}

    def note_account(self, account: Mapping[str, str]) -> None:
        """Keep what the connector asked the vendor for after the sign-in (`{"tenantId": ...}`). Raises NeedsHuman."""
        with self._session() as conn:
            row = conn.execute(
                "SELECT account FROM raw.oauth_tokens WHERE connection = %s FOR UPDATE", [self._connection]
            ).fetchone()
            if row is None:
                raise NeedsHuman(_nobody_signed_in(self._connection), self._connection)
            self._refuse_other_account(row[0], account)
            conn.execute(
                "UPDATE raw.oauth_tokens SET account = account || %s WHERE connection = %s",
                [Jsonb(dict(account)), self._connection],
            )

    def _session(self) -> psycopg.Connection[Any]:
        return database.connect(self._url, application_name="kolleno tokens")

    def _read(self, conn: psycopg.Connection[Any], lock: str) -> Tokens:
        row = conn.execute(
            f"SELECT {_COLUMNS} FROM raw.oauth_tokens WHERE connection = %s{lock}", [self._connection]
        ).fetchone()
        if row is None:
            raise NeedsHuman(_nobody_signed_in(self._connection), self._connection)
        state, reason, sealed, scopes, expires_at, refresh_expires_at, sign_in_ends_at = row
        if state != "connected":
            raise NeedsHuman(_sign_in_again(self._connection, reason), self._connection)
        access, refresh = self._opened(sealed)
        return Tokens(access, refresh, expires_at, tuple(scopes), refresh_expires_at, sign_in_ends_at)

    def _refreshed(
        self, conn: psycopg.Connection[Any], present: Tokens, refresh: Callable[[Tokens], Tokens]
    ) -> Tokens | None:
        """What `refresh` gives, written; None when the vendor takes the old one no more, which is written as well."""
        try:
            fresh = refresh(present)
        except GrantRefusedError as refused:
            conn.execute(
                "UPDATE raw.oauth_tokens SET state = 'needs_reauth', state_reason = %s, state_since = now()"
                " WHERE connection = %s",
                [f"the vendor takes the refresh token no more ({refused})", self._connection],
            )
            return None
        reach("tokens_answered")
        conn.execute(
            "UPDATE raw.oauth_tokens SET sealed = %(sealed)s, scopes = %(scopes)s, expires_at = %(expires_at)s,"
            " refresh_expires_at = %(refresh_expires_at)s, refreshed_at = now() WHERE connection = %(connection)s",
            self._values(fresh, self._sealed(fresh)),
        )
        return fresh

    def _values(self, tokens: Tokens, sealed: bytes) -> dict[str, Any]:
        return {
            "connection": self._connection,
            "sealed": sealed,
            "scopes": list(tokens.scopes),
            "expires_at": tokens.expires_at,
            "refresh_expires_at": tokens.refresh_expires_at,
            "sign_in_ends_at": tokens.sign_in_ends_at,
        }

    def _refuse_other_account(self, before: Mapping[str, str], account: Mapping[str, str]) -> None:
        for name, value in account.items():
            if before.get(name, value) != value:
                raise NeedsHuman(
                    f"This connection belongs to {name} {before[name]}, and the sign-in was for {value}: choose the "
                    "same company there, or give the other one a connection of its own in connections.yaml.",
                    self._connection,
                )

    def _sealed(self, tokens: Tokens) -> bytes:
        """Both tokens encrypted, with the name of their connection: a row's secret means nothing in another row."""
        words = [self._connection, tokens.access_token, tokens.refresh_token]
        sealed: bytes = _cipher(self._keys).encrypt(json.dumps(words).encode())
        return sealed

    def _opened(self, sealed: bytes) -> tuple[str, str | None]:
        from cryptography.fernet import InvalidToken

        try:
            owner, access, refresh = json.loads(_cipher(self._keys).decrypt(bytes(sealed)))
        except InvalidToken:
            owner = None
        if owner != self._connection:
            raise NeedsHuman(
                "Its tokens cannot be decrypted with KOLLENO_SECRET_KEY: add the key that they were encrypted with "
                f"behind a comma, or run kolleno connections login {self._connection}.",
                self._connection,
            )
        return access, refresh


def rotate_keys(conn: psycopg.Connection[Any], keys: Sequence[str]) -> int:
    """Encrypt every row with the first of the keys, in the caller's transaction; returns how many rows there are.

    Raises NeedsHuman naming the connection whose tokens none of the keys opens.
    """
    from cryptography.fernet import InvalidToken

    cipher = _cipher(keys)
    rows = conn.execute("SELECT connection, sealed FROM raw.oauth_tokens ORDER BY 1 FOR UPDATE").fetchall()
    for connection, sealed in rows:
        try:
            anew = cipher.rotate(bytes(sealed))
        except InvalidToken:
            anew = None
        if anew is None:
            said = "None of the keys in KOLLENO_SECRET_KEY opens its tokens: add the older key behind a comma."
            raise NeedsHuman(said, connection)
        conn.execute("UPDATE raw.oauth_tokens SET sealed = %s WHERE connection = %s", [anew, connection])
    return len(rows)


def token_states(conn: psycopg.Connection[Any]) -> dict[str, TokenState]:
    """Every connection that somebody ever signed in, by name."""
    rows = conn.execute(
        "SELECT connection, state, state_reason, state_since, scopes, account, refresh_expires_at, signed_in_at,"
        " refreshed_at, sign_in_ends_at FROM raw.oauth_tokens ORDER BY connection"
    )
    return {row[0]: TokenState(row[0], row[1], row[2], row[3], tuple(row[4]), *row[5:10]) for row in rows}


def _cipher(keys: Sequence[str]) -> Any:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def _nobody_signed_in(connection: str) -> str:
    return f"Nobody has signed in yet: run kolleno connections login {connection}."


def _sign_in_again(connection: str, reason: str | None = None) -> str:
    why = f" ({reason})" if reason else ""
    return f"The vendor asks for a new sign-in{why}: run kolleno connections login {connection}."
