"""What becomes of a break from one run to the next, and which ones are red (model 7). Finding breaks is not here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from kolleno_pipelines.schemas.results import BreakStatus, Cause


@dataclass(frozen=True)
class Known:
    """What is known of a break that is there now: its last status (None: new), and the last acceptance, if any."""

    status: BreakStatus | None
    amount: Decimal | None
    is_accepted: bool
    accepted_amount: Decimal | None
    until: date | None


def next_status(known: Known, today: date) -> BreakStatus:
    """Return the status of a break that is there now; one that is not there any more is resolved.

    A break that was resolved and comes back is reopened, and so is an accepted one whose amount changed. An
    acceptance holds through its last day, then the break is open again.
    """
    if known.status in {BreakStatus.RESOLVED, BreakStatus.REOPENED}:
        return BreakStatus.REOPENED
    if not known.is_accepted:
        return BreakStatus.OPEN
    if known.until is not None and today > known.until:
        return BreakStatus.OPEN
    if known.amount != known.accepted_amount:
        return BreakStatus.REOPENED
    return BreakStatus.ACCEPTED


def is_red(status: BreakStatus, cause: str | None) -> bool:
    """Return whether a break asks for somebody.

    Accepted, resolved and opening ones do not, nor what moved while it was read: reading it again tells.
    """
    quiet = {Cause.OPENING, Cause.MOVED_DURING_READ}
    return status in {BreakStatus.OPEN, BreakStatus.REOPENED} and cause not in quiet
