"""What the stored results say about the facts that should hold, and their figures by day. Nothing is computed here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import psycopg

from kolleno_pipelines.connections import Connection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.provider_reports import gross_to_net
from kolleno_pipelines.storage import overview, result_rows
from kolleno_pipelines.storage.overview import DayAmount, Tie

__all__ = ["DayAmount", "OpenBreaks", "Tie", "ageing_of", "open_breaks", "red_unexplained", "roll_forward_of", "ties"]

WORST = 20
#: A provider lists a payout's items within hours; a week later something holds it up.
DAYS_TO_ITEMISE = 7
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class OpenBreaks:
    """Breaks by status; `red` of them ask for somebody (neither accepted nor resolved nor opening)."""

    by_status: dict[str, int]
    red: int
    worst: Rows


def open_breaks(deployment: Deployment, connections: Sequence[str]) -> OpenBreaks:
    """Return how many breaks of the connections the list of differences holds, and the largest red ones."""
    with deployment.session() as session:
        counts = result_rows.break_counts(session, connections)
        worst = result_rows.red_breaks(session, connections, limit=WORST)
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


def charge_breaks(deployment: Deployment, providers: Sequence[str]) -> Rows:
    """Return the charges that the ledger does not show as they are and nobody accepted, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "charges", providers, limit=WORST)


def payout_breaks(deployment: Deployment, providers: Sequence[str]) -> Rows:
    """Return what keeps payouts from being reconciled and nobody accepted, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "payout_exceptions", providers, limit=WORST)


def balance_breaks(deployment: Deployment, providers: Sequence[str]) -> Rows:
    """Return the snapshots whose balance the rows do not come to and nobody accepted, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "balance_proofs", providers, limit=WORST)


def balance_row_breaks(deployment: Deployment, providers: Sequence[str]) -> Rows:
    """Return what is wrong with rows of balances that no compared payout holds and nobody accepted, largest first."""
    with deployment.session() as session:
        return result_rows.red_rows(session, "balance_exceptions", providers, limit=WORST)


def newest_payouts(deployment: Deployment, providers: Sequence[str]) -> Rows:
    """Return the payouts made last from gross to net, a row each."""
    with deployment.session() as session:
        return _from_gross_to_net(session, result_rows.newest_payouts(session, providers, limit=WORST))


def overdue_payouts(deployment: Deployment, providers: Sequence[str], today: date) -> Rows:
    """Return the payouts that are pending DAYS_TO_ITEMISE after their arrival, oldest first."""
    with deployment.session() as session:
        before = today - timedelta(days=DAYS_TO_ITEMISE)
        return result_rows.payouts_before(session, providers, ("outcome", "pending"), before, limit=WORST)


def payouts_of(deployment: Deployment, exceptions: Sequence[Mapping[str, Any]]) -> Rows:
    """Return the payouts that exceptions are about from gross to net, a row each, in the order of the exceptions."""
    named = list(dict.fromkeys((one["connection"], one["payout_source_id"]) for one in exceptions))
    with deployment.session() as session:
        return _from_gross_to_net(session, result_rows.payouts_by_id(session, named))


def _from_gross_to_net(session: psycopg.Connection[Any], payouts: Rows) -> Rows:
    lines: dict[tuple[str, str], Rows] = {}
    for line in result_rows.lines_of_payouts(session, [(one["connection"], one["source_id"]) for one in payouts]):
        lines.setdefault((line["connection"], line["payout_source_id"]), []).append(line)
    return gross_to_net([{**one, "lines": lines.get((one["connection"], one["source_id"]), [])} for one in payouts])


def or_more(rows: Rows) -> str:
    """Return how many rows there are, where no more than WORST were read."""
    return f"{len(rows)} or more" if len(rows) >= WORST else str(len(rows))


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
