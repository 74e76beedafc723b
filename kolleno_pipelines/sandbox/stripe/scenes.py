"""What a case of a Stripe account is, and the stage on which it is played: an account of its own. No cases.

A scene begins on a Monday morning (`AT`): a card charge of that day is paid out on Wednesday at 2:00, its payout is
itemised from 8:00 and arrives on Thursday at 9:00. Everything is judged on the Wednesday a week later, at 7:00 (`NOW`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.book import Json, Kind
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.ledger import Ledger, Terms
from kolleno_pipelines.sandbox.stripe.metadata import PlatformPayment
from kolleno_pipelines.sandbox.stripe.money import major
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.reading import Tamper

AT = datetime(2026, 2, 2, 9, 30, tzinfo=UTC)
NOW = datetime(2026, 2, 11, 7, 0, tzinfo=UTC)
OPENED = AT - timedelta(days=7)
BY_HAND = Terms(automatic=False)

OUTCOMES = (
    *("reconciled", "reconciled_with_fallback", "pending", "not_itemisable"),
    *("blocked_unknown_member", "blocked_unknown_category", "blocked_before_cutover"),
    *("amount_mismatch", "fee_mismatch", "currency_mismatch", "reversed"),
)


class Row(NamedTuple):
    """A member of a payout: its reporting category and minor units."""

    category: str
    gross: int
    fee: int
    net: int


@dataclass(frozen=True)
class PayoutFigures:
    """What must come of a payout: its amount in minor units, its outcome, its members in the order in which they came.

    Those of payouts that Stripe does not itemise are empty.
    """

    amount: int
    outcome: str
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class ErpPayment:
    """A payment as the ledger has it; charge_id where its source carries it, in a field of its own."""

    id: str
    ref: str
    amount: Decimal
    currency_iso: str
    charge_id: str | None = None


@dataclass(frozen=True)
class Case:
    """One account and what must be found about it at `NOW`.

    payouts: by id, oldest first. erp: all payments of the ledger that concern it. ids: Stripe's ids by a name of ours.
    cut_over: charges before this day are not in the ledger. tamper: what the API answers wrongly.
    unapplied: references of ERP payments whose money went back.
    """

    ledger: Ledger
    payouts: Mapping[str, PayoutFigures]
    erp: tuple[ErpPayment, ...]
    ids: Mapping[str, str]
    cut_over: date | None = None
    tamper: Tamper | None = None
    unapplied: tuple[str, ...] = ()


@dataclass
class Scene:
    """An account in which a case happens, and the ledger's side of it."""

    name: str
    terms: Terms | None = None
    ids: dict[str, str] = field(default_factory=dict)
    erp: list[ErpPayment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.account = open_account(f"case-{self.name}", OPENED, self.terms)

    def take(
        self,
        at: datetime,
        payment: Payment,
        role: str = "charge",
        *,
        pays: Iterable[int] | None = None,
        by_charge_id: bool = False,
        invoices: int = 1,
        surcharge: str = "0",
    ) -> Json:
        """Charge a payment, and let the ledger have what it pays: one payment of the whole, or `pays` in minor units.

        With by_charge_id it was made elsewhere: no metadata, and the ledger's payment names the charge.
        """
        known = self._known(role, invoices, Decimal(surcharge))
        metadata: Mapping[str, str] = {} if by_charge_id or pays == () else known.metadata
        made = charging.charge(self.account, at, replace(payment, key=role, metadata=metadata))
        self.ids[role] = made["id"]
        for number, part in enumerate([payment.amount] if pays is None else pays, 1):
            paid, currency = major(part, payment.currency), payment.currency.upper()
            identity = f"erp-{self.name}-{role}-{number}"
            ref, charge_id = ("", made["id"]) if by_charge_id else (known.payment, None)
            self.erp.append(ErpPayment(identity, ref, paid, currency, charge_id))
        return made

    def _known(self, role: str, invoices: int, surcharge: Decimal) -> PlatformPayment:
        numbers = range(1, invoices + 1)
        customer = f"customer-{self.name}"
        return PlatformPayment(
            f"PAY-{self.name}-{role}",
            f"k-{customer}",
            customer,
            tuple(f"{self.name}-{number:06d}" for number in numbers),
            tuple(f"INV-{number:06d}" for number in numbers),
            surcharge,
        )

    def case(
        self,
        *figures: PayoutFigures,
        cut_over: date | None = None,
        tamper: Tamper | None = None,
        unapplied: tuple[str, ...] = (),
    ) -> Case:
        """Let time come to `NOW`, and return the case. Raises ValueError when there are more or fewer payouts."""
        self.account.advance(NOW)
        made = self.account.book.records(Kind.PAYOUTS, NOW)[::-1]
        payouts = {each["id"]: told for each, told in zip(made, figures, strict=True)}
        back = tuple(f"PAY-{self.name}-{role}" for role in unapplied)
        return Case(self.account, payouts, tuple(self.erp), self.ids, cut_over, tamper, back)

    def row(self, place: int = 0) -> str:
        """Return the id of a balance transaction by its place."""
        return self.account.entries[place].id
