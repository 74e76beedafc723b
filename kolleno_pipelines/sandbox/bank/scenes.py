"""What a case at the bank is, and the stage on which it is played: a scene of Stripe, then one account. No cases.

A card's payment of Monday is paid out on Wednesday and reaches the bank on Thursday, 5 February (`ARRIVES`). Everything
is judged on Wednesday, 18 February, at 7:00 (`UNTIL`); the newest statement is that of Tuesday (`STATED`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kolleno_pipelines.sandbox.bank.account import BankAccount, stated_until
from kolleno_pipelines.sandbox.bank.files import File, Messages, folder, statement_messages
from kolleno_pipelines.sandbox.bank.noise import add_noise
from kolleno_pipelines.sandbox.bank.outcomes import BankOutcome
from kolleno_pipelines.sandbox.bank.payouts_received import Carries, Change, receive
from kolleno_pipelines.sandbox.bank.statements import Line, invented_account
from kolleno_pipelines.sandbox.bank.writing import PLAIN, Form
from kolleno_pipelines.sandbox.stripe.payouts import bank_account
from kolleno_pipelines.sandbox.stripe.scenes import NOW, OPENED, Case

UNTIL = NOW + timedelta(days=7)
STATED = stated_until(UNTIL)
ARRIVES = date(2026, 2, 5)


@dataclass(frozen=True)
class BankCase:
    """A Stripe account, what the bank tells, and what must be found of each payout at a moment, `until`.

    expected: by the payout's id, oldest first.
    """

    stripe: Case
    messages: Messages
    expected: Mapping[str, BankOutcome]
    until: datetime = UNTIL

    @property
    def files(self) -> tuple[File, ...]:
        """The files in the bank's folder, oldest first."""
        return folder(self.messages)


@dataclass(frozen=True)
class Stage:
    """The account to which a scene's dollars are paid out, and how its bank tells of it."""

    name: str
    currency: str = "USD"
    form: Form = PLAIN
    carries: Carries = Carries.END_TO_END_ID
    is_iban: bool = True
    until: datetime = UNTIL

    def played(
        self,
        case: Case,
        *outcomes: BankOutcome,
        changes: Mapping[int, Change] | None = None,
        others: Iterable[Line] = (),
        edit: Callable[[Messages], Messages] = lambda told: told,
    ) -> BankCase:
        """Let the bank receive the payouts, and return the case. Raises ValueError for more or fewer outcomes.

        changes: what is booked in place of a payout's lines, by the payout's place. others: what is booked beside.
        edit: what becomes of the messages.
        """
        account = self.received(case, changes or {})
        account.book(*others)
        last = stated_until(self.until)
        add_noise(account, last)
        told = edit(statement_messages(account, last, self.form))
        return BankCase(case, told, dict(zip(case.payouts, outcomes, strict=True)), self.until)

    def received(self, case: Case, changes: Mapping[int, Change]) -> BankAccount:
        """Return the account with the payouts that reached it, and nothing else."""
        if self.until > case.ledger.now:
            case.ledger.advance(self.until)
        account, ids = self.account(), list(case.payouts)
        destinations = {bank_account(case.ledger, "usd"): account}
        changed = {ids[place]: change for place, change in changes.items()}
        receive(case.ledger, destinations, self.until, changes=changed, carries=self.carries)
        return account

    def account(self) -> BankAccount:
        """Return the account as it is before anything is booked."""
        return BankAccount(invented_account(self.name, self.currency, is_iban=self.is_iban), OPENED.date())
