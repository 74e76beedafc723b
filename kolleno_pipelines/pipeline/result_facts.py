"""What the stored results say about the facts that should hold, and their figures by day. Nothing is computed here."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from kolleno_pipelines.connections import Connection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.storage import overview, result_rows
from kolleno_pipelines.storage.overview import DayAmount, Tie

__all__ = ["DayAmount", "OpenBreaks", "Tie", "ageing_of", "open_breaks", "red_unexplained", "roll_forward_of", "ties"]

WORST = 20
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class OpenBreaks:
    """Breaks by status; `red` of them ask for somebody (neither accepted nor resolved nor opening)."""

    by_status: dict[str, int]
    red: int
    worst: Rows


def open_breaks(deployment: Deployment, connection: Connection) -> OpenBreaks:
    """Return how many breaks the list of differences holds, and the largest red ones."""
    names = [connection.name]
    with deployment.session() as session:
        counts = result_rows.break_counts(session, names)
        worst = result_rows.red_breaks(session, names, limit=WORST)
    return OpenBreaks({row["status"]: row["breaks"] for row in counts}, sum(row["red"] for row in counts), worst)


def red_unexplained(deployment: Deployment, connection: Connection) -> Rows:
    """Return movements of the stored roll-forward that nothing explains and nobody accepted, largest first."""
    with deployment.session() as session:
        days = overview.unexplained_days(session, connection.name)
        return result_rows.red_unexplained(session, [connection.name], days, limit=WORST)


def stated_breaks(deployment: Deployment, connection: Connection) -> Rows:
    """Return the customers whose computed and stated balances differ and nobody accepted it, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "control_total_breaks", [connection.name], limit=WORST)


def agreement_breaks(deployment: Deployment, ledgers: list[str]) -> Rows:
    """Return what mirrors say otherwise than the ledgers and nobody accepted, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "agreement_breaks", ledgers, limit=WORST)


def agreement_gaps(deployment: Deployment, ledgers: list[str]) -> Rows:
    """Return what one of two systems cannot state, as the agreement expects it."""
    with deployment.session() as session:
        return result_rows.stored_rows(session, "agreement_gaps", ledgers, limit=WORST)


def account_breaks(deployment: Deployment, connection: Connection) -> Rows:
    """Return the receivables accounts of which the source states something else and nobody accepted it."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "account_totals", [connection.name], limit=WORST)


def not_comparable(deployment: Deployment, connection: Connection) -> Rows:
    """Return the first customers whose stated balance cannot be compared with anything."""
    with deployment.session() as session:
        return result_rows.stored_rows(session, "not_comparable", [connection.name], limit=WORST)


def ties(deployment: Deployment, connection: Connection) -> list[Tie]:
    """Return the newest ageing in full beside the control totals, per currency."""
    with deployment.session() as session:
        return overview.ties(session, connection.name)


def ageing_of(deployment: Deployment, connection: Connection, first: date, last: date) -> list[DayAmount]:
    """Return the stored ageing of [first, last]."""
    with deployment.session() as session:
        return overview.ageing_of(session, connection.name, first, last)


def roll_forward_of(deployment: Deployment, connection: Connection, first: date, last: date) -> list[DayAmount]:
    """Return the stored roll-forward of [first, last], line by line."""
    with deployment.session() as session:
        return overview.roll_forward_of(session, connection.name, first, last)
