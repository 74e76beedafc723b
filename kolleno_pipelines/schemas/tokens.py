"""The tokens of one OAuth 2 connection, as plain data that never shows itself. Nothing is asked for or kept here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a vendor gave; `expires_at` is the access token's end, `refresh_expires_at` the other's (None: unknown).

    sign_in_ends_at: when the sign-in ends however much it is used (None: never, or not said).
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    refresh_expires_at: datetime | None = None
    sign_in_ends_at: datetime | None = None


class GrantRefusedError(Exception):
    """The vendor takes this refresh token no more: only a person who signs in again helps. The text is its code."""
