"""Which payments of the sandbox company went through Stripe, and how: a share of those by card and debit. No account.

The choice depends on the company's own ids alone, so that the ledger's sandbox and Stripe's can be filled apart from
each other and still name each other's ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from kolleno_pipelines.sandbox.books import Books, Document, DocumentKey, Touched
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.events import PAYMENT, ZERO, DocumentIssued, DocumentVoided, Event
from kolleno_pipelines.sandbox.stripe.identities import object_id
from kolleno_pipelines.sandbox.stripe.money import exponent, rounded

ACCOUNT = "sandbox-company"
SURCHARGE_PERCENT = Decimal("2.75")
_DEBITS: Mapping[str, str] = {"USD": "us_bank_account", "EUR": "sepa_debit", "GBP": "bacs_debit"}


@dataclass(frozen=True)
class Part:
    """A payment of the company that a charge contains, with the invoices that it paid when it came."""

    payment: str
    customer: str
    ref: str
    amount: Decimal
    invoices: tuple[str, ...]
    invoice_refs: tuple[str, ...]
    voided_at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """A charge to be: its parts sum to its amount, beside the surcharge.

    is_elsewhere: it was not made by the platform; it has no metadata, and the ledger's payment carries its id.
    is_disputed: the customer disputes it, and the company wins.
    """

    key: str
    at: datetime
    method: str
    currency: str
    parts: tuple[Part, ...]
    surcharge: Decimal = ZERO
    is_elsewhere: bool = False
    is_disputed: bool = False

    @property
    def amount(self) -> Decimal:
        """What is charged."""
        return sum((each.amount for each in self.parts), self.surcharge)

    @property
    def charge_id(self) -> str:
        """Stripe's id of the charge."""
        return object_id("ch" if self.method == "card" else "py", f"{ACCOUNT}/{self.key}")

    @property
    def ref(self) -> str:
        """The platform's id of the payment, which every part's payment in the ledger carries."""
        return self.parts[0].ref


def taken_by_stripe(company: Company) -> tuple[Taken, ...]:
    """Return the company's charges in the order of time.

    Some hold payments of two customers, which then carry one reference in the ledger, and some a surcharge, of which
    the ledger has nothing.
    """
    found: dict[tuple[object, ...], Taken] = {}
    for part, document in _payments(company):
        made = _taken(part, document)
        if made is None:
            continue
        # Two customers who pay by the same way on the same day: one charge for both, as for a parent company.
        place = (made.method, made.currency, document.date_issued)
        other = found.get(place)
        if other is not None and _may_share(other, made):
            found[place] = replace(other, parts=(*other.parts, part))
        else:
            found[place if other is None else (made.key,)] = made
    return tuple(sorted(found.values(), key=lambda each: (each.at, each.key)))


def with_shared_references(company: Company, taken: tuple[Taken, ...]) -> Company:
    """Return the company whose payments of one charge carry one reference, whoever is told of them.

    A payment is what it is known by: a ledger that has the platform's reference and a mirror that has another would
    disagree about it, and rightly.
    """
    refs = {part.payment: each.ref for each in taken for part in each.parts[1:]}

    def shared(event: Event) -> Event:
        if isinstance(event, DocumentIssued) and event.kind == PAYMENT and event.source_id in refs:
            return replace(event, ref=refs[event.source_id])
        return event

    return replace(company, events=tuple(shared(each) for each in company.events))


def payment_fields(taken: tuple[Taken, ...]) -> Mapping[str, Mapping[str, str]]:
    """Return what QuickBooks payments carry of their charges: the platform's reference, or a charge's id as a note."""
    fields = {}
    for each in taken:
        told = {"PrivateNote": each.charge_id} if each.is_elsewhere else {"PaymentRefNum": each.ref}
        fields.update({part.payment: told for part in each.parts})
    return fields


def _payments(company: Company) -> list[tuple[Part, Document]]:
    """Every payment of the company as it was in the batch that told it, and when it was voided."""
    books, found, voided = Books(company.version_days), [], {}
    for batch in company.batches:
        events = company.events_of(batch)
        for event in events:
            books.apply(event, Touched())
            if isinstance(event, DocumentVoided) and event.kind == PAYMENT:
                voided[event.source_id] = batch.name_time
        for event in events:
            if isinstance(event, DocumentIssued) and event.kind == PAYMENT:
                document = books.documents[DocumentKey(PAYMENT, event.source_id)]
                found.append((_part(books, document), document))
    return [(replace(part, voided_at=voided.get(part.payment)), document) for part, document in found]


def _part(books: Books, document: Document) -> Part:
    invoices = [books.documents[DocumentKey("invoice", pair.to_id)] for pair in document.pairs]
    return Part(
        document.key.source_id,
        document.customer,
        document.ref,
        document.amount,
        tuple(each.key.source_id for each in invoices),
        tuple(each.ref for each in invoices),
    )


def _taken(part: Part, document: Document) -> Taken | None:
    """Whether and how a payment went through Stripe: three in four of those by card and debit did."""
    number = int(part.payment.rsplit("-", 1)[-1])
    method = {"card": "card", "direct_debit": _DEBITS.get(document.currency, "")}.get(document.cells["method"], "")
    if not method or not part.amount or number % 4 == 3:
        return None
    currency = document.currency.lower()
    elsewhere = not part.ref or number % 7 == 0
    surcharge = ZERO
    if method == "card" and not elsewhere and number % 5 == 1:
        places = exponent(currency)
        surcharge = Decimal(rounded((part.amount * SURCHARGE_PERCENT / 100).scaleb(places), currency)).scaleb(-places)
    disputed = method == "card" and number % 9 == 4 and part.voided_at is None
    at = datetime.combine(document.date_issued, time(1), UTC) + timedelta(minutes=number * 7 % 240)
    return Taken(part.payment, at, method, currency, (part,), surcharge, elsewhere, disputed)


def _may_share(taken: Taken, other: Taken) -> bool:
    """Whether a charge can take in another one, of another customer."""
    if any(each.is_elsewhere or each.surcharge or each.is_disputed for each in (taken, other)):
        return False
    return len(taken.parts) == 1 and taken.parts[0].customer != other.parts[0].customer
