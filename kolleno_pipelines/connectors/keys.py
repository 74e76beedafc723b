"""Authorization headers that need no sign-in: of a key, or of a user and password. Tokens are auth.py's."""

from __future__ import annotations

from collections.abc import Callable

from kolleno_pipelines.connectors.errors import NeedsHuman

__all__ = ["KeyAuthoriser"]


class KeyAuthoriser:
    """Gives the Authorization header of a connection that opens with a key (`http.Authorise`): the same one always.

    header: makes the header's whole value when it is needed (`Bearer ...`, `Basic ...`), so that it lies nowhere.
    """

    def __init__(self, connection: str, header: Callable[[], str]) -> None:
        self._connection = connection
        self._header = header

    def __repr__(self) -> str:
        return f"KeyAuthoriser({self._connection!r})"

    def __call__(self, rejected: str | None = None) -> str:
        """Return the header. Raises NeedsHuman where it `rejected`: there is no other."""
        header = self._header()
        if header == rejected:
            raise NeedsHuman(
                "The vendor does not take the key (or user and password) of this connection: correct it where"
                " connections.yaml says that it is kept.",
                self._connection,
            )
        return header
