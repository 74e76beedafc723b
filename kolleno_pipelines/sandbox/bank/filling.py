"""The synthetic company's bank accounts: the payouts of its Stripe account among what else moves them. No cases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.bank import changes
from kolleno_pipelines.sandbox.bank.account import BankAccount, stated_until
from kolleno_pipelines.sandbox.bank.files import File, Message, Messages, folder, statement_messages
from kolleno_pipelines.sandbox.bank.noise import add_look_alikes, add_noise
from kolleno_pipelines.sandbox.bank.outcomes import WINDOW
from kolleno_pipelines.sandbox.bank.payouts_received import lines_of, receive
from kolleno_pipelines.sandbox.bank.statements import Line, invented_account
from kolleno_pipelines.sandbox.bank.writing import OLD, Form
from kolleno_pipelines.sandbox.stripe.book import Kind, moment_of
from kolleno_pipelines.sandbox.stripe.filling import Filling
from kolleno_pipelines.sandbox.stripe.payouts import bank_account

#: How each account's bank writes. The one in dollars is known by a number, the others by an IBAN.
FORMS = {"usd": Form(), "eur": Form(OLD), "gbp": Form(prefix="ns2", encoding="ISO-8859-1")}
OPENING = Decimal("10000.00")


def accounts_of(filling: Filling) -> dict[str, BankAccount]:
    """Return the company's accounts by currency, as they are before anything is booked."""
    name, opened = filling.ledger.account_id, filling.ledger.opened.date()
    return {
        currency: BankAccount(invented_account(name, currency.upper(), is_iban=currency != "usd"), opened, OPENING)
        for currency in FORMS
    }


def messages_from(filling: Filling, until: datetime | None = None, *, leave_out: str = "") -> Messages:
    """Return what the bank tells until a moment, the account's last one when it is None.

    leave_out: a payout whose lines are not booked; the balances tie without them.
    """
    moment = filling.ledger.now if until is None else until
    last, accounts = stated_until(moment), accounts_of(filling)
    destinations = {bank_account(filling.ledger, each): account for each, account in accounts.items()}
    left_out = {leave_out: changes.lost} if leave_out else {}
    receive(filling.ledger, destinations, moment, changes=left_out)
    messages: list[Message] = []
    for currency, account in accounts.items():
        add_look_alikes(account, _payouts_in(filling, currency, moment), last)
        add_noise(account, last)
        messages += statement_messages(account, last, FORMS[currency])
    return tuple(messages)


def one_to_leave_out(filling: Filling, until: datetime | None = None) -> str:
    """Return the newest payout that came in, stayed, and whose days to arrive are over: without its line it is missing.

    Raises ValueError where there is none yet.
    """
    moment = filling.ledger.now if until is None else until
    last = stated_until(moment) - WINDOW
    for payout in filling.ledger.book.records(Kind.PAYOUTS, moment):
        is_whole = payout["status"] == "paid" and payout["amount"] > 0
        if is_whole and payout["currency"] in FORMS and moment_of(payout["arrival_date"]).date() <= last:
            return str(payout["id"])
    message = "This company has no payout that arrived long enough before: let more days go by."
    raise ValueError(message)


def _payouts_in(filling: Filling, currency: str, moment: datetime) -> Iterator[Line]:
    """The lines of all payouts in a currency, oldest first, whether they are left out or not."""
    for payout in filling.ledger.book.records(Kind.PAYOUTS, moment)[::-1]:
        if payout["currency"] == currency:
            yield from lines_of(filling.ledger, payout["id"], moment)


def filled_from(filling: Filling, until: datetime | None = None, *, leave_out: str = "") -> tuple[File, ...]:
    """Return the files that the bank put into its folder until a moment, oldest first; the same each time."""
    return folder(messages_from(filling, until, leave_out=leave_out))
