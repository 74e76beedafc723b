"""An operator accepts or reopens a break: an input that later runs honour. Finding breaks does not belong here."""

from __future__ import annotations

from datetime import date

from kolleno_pipelines.storage import database, differences


class AcceptanceError(ValueError):
    """The decision cannot be noted; the text says why and what to do."""


def accept(database_url: str, break_id: str, *, why: str, by: str, today: date, until: date | None = None) -> None:
    """Accept a break at its present amount, through the day `until` if given; it is not red while that holds.

    Raises AcceptanceError for an unknown or resolved break, an empty reason, or a last day that has passed.
    """
    if until is not None and until < today:
        raise AcceptanceError(f"{until} has passed: name a day from {today} on, or leave it out.")
    _decide(database_url, break_id, "accept", why, by, until, among=("open", "reopened", "accepted"))


def reopen(database_url: str, break_id: str, *, why: str, by: str) -> None:
    """Take an acceptance back. Raises AcceptanceError for a break that is not known or not accepted."""
    _decide(database_url, break_id, "reopen", why, by, None, among=("accepted",))


def _decide(
    database_url: str, break_id: str, decision: str, why: str, by: str, until: date | None, *, among: tuple[str, ...]
) -> None:
    if not why.strip():
        raise AcceptanceError("Say why: the reason is shown wherever the break is listed.")
    with database.connect(database_url) as conn:
        before = differences.decide(conn, break_id, decision, why=why.strip(), by=by, until=until, among=among)
    if before is None:
        raise AcceptanceError(f"There is no break {break_id}: `kolleno report differences` lists them with their ids.")
    if before not in among:
        raise AcceptanceError(f"Break {break_id} is {before}: there is nothing to {decision}.")
