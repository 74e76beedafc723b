"""How long a sign-in lasts: until when unused, until when at the latest, and what is told of it beforehand.

That a vendor takes a sign-in no more does not belong here: its answer says so (storage/tokens.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from kolleno_pipelines.storage.tokens import TokenState

#: So long before the end of a sign-in somebody is told; earlier than any poll or holiday is long.
NOTICE = timedelta(days=14)
#: Where an unused sign-in lasts only days, in its last quarter.
_PART = 4


def sign_in_words(state: TokenState) -> str:
    """Return when somebody signed in and when that ends, for an operator."""
    ends = [f"signed in on {_day(state.signed_in_at)}"]
    if state.refresh_expires_at is not None:
        ends.append(f"unused it ends on {_day(state.refresh_expires_at)}")
    if state.sign_in_ends_at is not None:
        ends.append(f"at the latest on {_day(state.sign_in_ends_at)}")
    return ", ".join(ends)


def sign_in_warnings(state: TokenState, now: datetime) -> Iterator[str]:
    """Yield a sentence for each end that is near; none when a person must sign in anyway."""
    if state.state != "connected":
        return
    name = state.connection
    if state.sign_in_ends_at is not None and state.sign_in_ends_at - now < NOTICE:
        yield (
            f"The sign-in of {_day(state.signed_in_at)} ends on {_day(state.sign_in_ends_at)} however much it is used:"
            f" run kolleno connections login {name} before."
        )
    if state.refresh_expires_at is not None and state.refresh_expires_at - now < _notice_of(state):
        yield (
            f"The sign-in was last used on {_day(state.refreshed_at)} and ends unused on"
            f" {_day(state.refresh_expires_at)}: run kolleno extract {name} before, and see that its sensor is on; or"
            f" kolleno connections login {name}."
        )


def _notice_of(state: TokenState) -> timedelta:
    """How long before the end of an unused sign-in it is told."""
    lasts = (state.refresh_expires_at or state.refreshed_at) - state.refreshed_at
    return min(NOTICE, lasts / _PART)


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
