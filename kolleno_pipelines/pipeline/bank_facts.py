"""What is known of the bank's side of payouts, for checks: statements that do not tie, payouts that none tells of."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.plain_rows import Row, plain_row
from kolleno_pipelines.pipeline.reconciled import Banks
from kolleno_pipelines.pipeline.result_facts import WORST
from kolleno_pipelines.rules import bank_days
from kolleno_pipelines.storage import payout_bank, result_rows

#: So long after the last day on which a payout may be booked its statement is there.
DAYS_TO_STATE = 5


def statement_faults(deployment: Deployment, banks: Banks) -> list[Row]:
    """Return the statements that do not tie, or before which one is missing, oldest first by account."""
    with deployment.session() as session:
        faults = bank_days.statement_faults(payout_bank.statements(session, list(banks)))
    return [plain_row(one._asdict()) for one in faults]


def unstated_payouts(deployment: Deployment, providers: Iterable[str], banks: Banks, today: date) -> list[Row]:
    """Return the payouts that the bank's statements do not tell of although they should by now, oldest first."""
    window = max((one.payout_window for one in banks.values()), default=timedelta(0))
    before = today - window - timedelta(days=DAYS_TO_STATE)
    with deployment.session() as session:
        return result_rows.payouts_before(
            session, list(providers), ("bank_outcome", "awaiting_bank"), before, limit=WORST
        )
