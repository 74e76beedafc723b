"""The synthetic company's Stripe account: its charges, what happened to them, daily payouts. No API, no cases.

What of its payments is voided in the ledger went back here first: a card's money was refunded, a debit failed. Some
charges are disputed and won, and Stripe bills a fee on the first of each month; the ledger has none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import CustomerStated
from kolleno_pipelines.sandbox.stripe import charging, disputes, movements
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Terms
from kolleno_pipelines.sandbox.stripe.metadata import PlatformPayment
from kolleno_pipelines.sandbox.stripe.money import minor
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.taken import ACCOUNT, Part, Taken, taken_by_stripe

#: Dollars, euros and pounds have balances of their own; yen are converted.
TERMS = Terms(settles=frozenset({"usd", "eur", "gbp"}), rates={"jpy": Decimal("0.0067")})
MONTHLY_FEE = 2_500
_DISPUTED_AFTER, _WON_AFTER = timedelta(days=3), timedelta(days=10)


class Filling:
    """A company on its way into an account: what is to happen waits for its moment, and the server's clock brings it.

    ledger_ids: what the ledger's sandbox serves for ("customer", id) and (kind, id) of the company, as QuickBooks'
    `Filling.ids` has it; the company's own ids where it is not given. taken: the charges, whether made yet or not.
    """

    def __init__(
        self,
        company: Company,
        ledger_ids: Mapping[tuple[str, str], str] | None = None,
        *,
        terms: Terms = TERMS,
    ) -> None:
        self.company = company
        self.taken = taken_by_stripe(company)
        self._ids = ledger_ids or {}
        self._names = {
            each.source_id: each.cells["name"] for each in company.events if isinstance(each, CustomerStated)
        }
        self._customers: dict[str, str] = {}
        first = min((each.at for each in self.taken), default=company.batches[0].name_time)
        self.ledger = open_account(ACCOUNT, first - timedelta(days=1), terms)
        self._plan()

    def advance(self, until: datetime | None = None) -> None:
        """Let happen what does up to a moment, the company's last batch when it is None."""
        self.ledger.advance(self.company.batches[-1].name_time if until is None else until)

    def _plan(self) -> None:
        for taken in self.taken:
            self.ledger.later(taken.at, partial(self._charge, taken))
            if taken.is_disputed:
                self.ledger.later(taken.at + _DISPUTED_AFTER, partial(self._dispute, taken))
            for part in taken.parts:
                if part.voided_at is not None:
                    self.ledger.later(part.voided_at - timedelta(minutes=30), partial(self._return, taken, part))
        day = self.ledger.opened.date().replace(day=1)
        while day <= self.company.last_day:
            if day > self.ledger.opened.date():
                self.ledger.later(datetime.combine(day, time(3), UTC), self._bill)
            day = (day + timedelta(days=32)).replace(day=1)

    def _charge(self, taken: Taken, at: datetime) -> None:
        first = taken.parts[0]
        customer = self._customers.get(first.customer)
        if customer is None:
            made = charging.add_customer(self.ledger, at, key=first.customer, name=self._names[first.customer])
            customer = self._customers[first.customer] = made["id"]
        metadata = {} if taken.is_elsewhere else self._known(taken).metadata
        payment = Payment(
            minor(taken.amount, taken.currency),
            taken.currency,
            taken.method,
            key=taken.key,
            customer=customer,
            metadata=metadata,
        )
        charging.charge(self.ledger, at, payment)

    def _known(self, taken: Taken) -> PlatformPayment:
        """The payment as the platform tells of it: its first customer, the invoices of all."""
        customer = taken.parts[0].customer
        invoices = [
            (each, ref) for part in taken.parts for each, ref in zip(part.invoices, part.invoice_refs, strict=True)
        ]
        return PlatformPayment(
            taken.ref,
            f"kc{customer}",
            self._ids.get(("customer", customer), customer),
            tuple(self._ids.get(("invoice", each), each) for each, _ in invoices),
            tuple(ref for _, ref in invoices),
            taken.surcharge,
        )

    def _dispute(self, taken: Taken, at: datetime) -> None:
        made = disputes.open_dispute(self.ledger, at, taken.charge_id)
        self.ledger.later(at + _WON_AFTER, partial(self._win, made["id"]))

    def _win(self, dispute_id: str, at: datetime) -> None:
        disputes.close_dispute(self.ledger, at, dispute_id, won=True)

    def _return(self, taken: Taken, part: Part, at: datetime) -> None:
        """Give the money of a payment back before the ledger voids it."""
        if taken.method != "card" and len(taken.parts) == 1:
            charging.fail(self.ledger, at, taken.charge_id)
            return
        surcharge = taken.surcharge if len(taken.parts) == 1 else Decimal(0)
        charging.refund(self.ledger, at, taken.charge_id, minor(part.amount + surcharge, taken.currency))

    def _bill(self, at: datetime) -> None:
        movements.bill(self.ledger, at, MONTHLY_FEE, "usd")


def filled_from(
    company: Company, until: datetime | None = None, ledger_ids: Mapping[tuple[str, str], str] | None = None
) -> Filling:
    """Return the company's account as it is at a moment, after its last batch when it is None."""
    filling = Filling(company, ledger_ids)
    filling.advance(until)
    return filling
