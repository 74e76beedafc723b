"""What a bank books of the payouts of a sandbox Stripe account: credits, debits, returns. No other lines, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from kolleno_pipelines.sandbox.bank.account import BankAccount, booking_day
from kolleno_pipelines.sandbox.bank.statements import DEBITED, TRANSFER_IN, TRANSFER_IN_RETURNED, Detail, Line
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, moment_of
from kolleno_pipelines.sandbox.stripe.ledger import Ledger
from kolleno_pipelines.sandbox.stripe.money import major

PARTY = "STRIPE"
#: What a line says of a payout that states no text of its own for the bank.
TEXT = "STRIPE PAYOUT"
#: ISO's reasons for a return, by Stripe's words; any other is `MS03`, not specified.
_REASONS = {
    "account_closed": "AC04",
    "account_frozen": "AC06",
    "invalid_account_number": "AC01",
    "no_account": "AC03",
    "declined": "AG01",
}
Change = Callable[[Line], Iterable[Line]]


class Carries(StrEnum):
    """Which field of a line has the trace id of a payout."""

    END_TO_END_ID = "EndToEndId"
    TRANSACTION_ID = "TxId"
    NOTHING = ""


def receive(
    ledger: Ledger,
    accounts: Mapping[str, BankAccount],
    until: datetime,
    *,
    changes: Mapping[str, Change] | None = None,
    carries: Carries = Carries.END_TO_END_ID,
) -> None:
    """Book every payout that reached the bank until a moment, oldest first.

    accounts: by the payout's destination; what goes elsewhere is not booked. changes: what is booked in place of each
    line of a payout, by its id.
    """
    for payout in ledger.book.records(Kind.PAYOUTS, until)[::-1]:
        account = accounts.get(payout["destination"])
        if account is not None:
            change = (changes or {}).get(payout["id"], _as_it_is)
            for line in lines_of(ledger, payout["id"], until, carries):
                account.book(*change(line))


def _as_it_is(line: Line) -> tuple[Line, ...]:
    return (line,)


def lines_of(
    ledger: Ledger, payout_id: str, until: datetime, carries: Carries = Carries.END_TO_END_ID
) -> tuple[Line, ...]:
    """Return what a payout is at the bank, in its own currency: nothing before Stripe shows it as paid, so nothing of
    one that was cancelled or failed before; one that failed after goes back on the day of its failure.
    """
    versions = ledger.book.versions(payout_id, until)
    paid = next((record for _, record in versions if record["status"] == "paid"), None)
    if paid is None:
        return ()
    failed = next(((at, record) for at, record in versions if record["status"] == "failed"), None)
    line = _arrival(paid, carries)
    return (line,) if failed is None else (line, _return(line, *failed))


def _arrival(payout: Json, carries: Carries) -> Line:
    arrival = moment_of(payout["arrival_date"])
    trace = payout["trace_id"]["value"] or ""
    text = payout["statement_descriptor"] or TEXT
    detail = Detail(
        major(payout["amount"], payout["currency"]),
        PARTY,
        text,
        end_to_end_id=trace if carries is Carries.END_TO_END_ID else "",
        transaction_id=trace if carries is Carries.TRANSACTION_ID else "",
        payout=payout["id"],
    )
    code = TRANSFER_IN if detail.amount > 0 else DEBITED
    return Line(payout["id"], booking_day(arrival), (detail,), code, arrival.date(), text=text)


def _return(line: Line, at: datetime, payout: Json) -> Line:
    return returned(line, at, _REASONS.get(payout["failure_code"], "MS03"))


def returned(line: Line, at: datetime, reason: str = "AC04") -> Line:
    """Return the line by which the bank sends back, at a moment, what another line brought."""
    (detail,) = line.details
    back = Detail(
        -detail.amount,
        detail.party,
        f"RETURN {detail.text}",
        detail.end_to_end_id,
        detail.transaction_id,
        return_code=reason,
        payout=detail.payout,
    )
    return Line(f"{line.key}/return", booking_day(at), (back,), TRANSFER_IN_RETURNED, is_reversal=True, text=back.text)
