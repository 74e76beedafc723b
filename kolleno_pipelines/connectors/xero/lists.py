"""The lists of Xero: which parameters each is asked with, and what one answer holds. Nothing is asked here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from kolleno_pipelines.connectors.answers import Answer
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Permanent, Retryable
from kolleno_pipelines.connectors.json_pages import PageError, elements
from kolleno_pipelines.connectors.xero.fields import moment_of

#: The vendor's default order is by id.
ORDER = "UpdatedDateUTC"
_NOT_MODIFIED = 304
#: A key of the answer itself: inside a text its quotes would be escaped.
_PAGINATION = re.compile(rb'"pagination"\s*:\s*(\{[^{}]*\})')
_ANSWERED_AT = re.compile(rb'"DateTimeUTC"\s*:\s*"((?:\\.|[^"\\])*)"')


@dataclass(frozen=True)
class Listing:
    """How a list is asked for. sweep: what narrows it to open documents; ids: the parameter that takes ids, if any."""

    id_field: str
    is_paged: bool = True
    always: Mapping[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    sweep: Mapping[str, str] = field(default_factory=dict)
    sweep_where: tuple[str, ...] = ()
    ids: str | None = None

    def parameters(self, pass_: Pass) -> dict[str, str]:
        """Return the parameters for a pass, in rising order of change."""
        is_sweep = pass_ is Pass.SWEEP
        where = (*self.where, *(self.sweep_where if is_sweep else ()))
        wanted = {**self.always, **(self.sweep if is_sweep else {}), "order": ORDER}
        return wanted | ({"where": " AND ".join(where)} if where else {})


_AUTHORISED = 'Status=="AUTHORISED"'
_NOT_CLOSED = ('Status!="PAID"', 'Status!="VOIDED"', 'Status!="DELETED"')
LISTINGS: dict[str, Listing] = {
    "accounts": Listing("AccountID", is_paged=False),
    "contacts": Listing("ContactID", always={"includeArchived": "true"}, ids="IDs"),
    "invoices": Listing(
        "InvoiceID",
        where=('Type=="ACCREC"',),
        sweep={"Statuses": "AUTHORISED,SUBMITTED,DRAFT"},
        ids="IDs",
    ),
    "credit_notes": Listing("CreditNoteID", where=('Type=="ACCRECCREDIT"',), sweep_where=_NOT_CLOSED),
    "payments": Listing("PaymentID"),
    # Two words say that these are a customer's: normalising leaves out a supplier's, an OR would cost the vendor more.
    "overpayments": Listing("OverpaymentID", sweep_where=(_AUTHORISED,)),
    "prepayments": Listing("PrepaymentID", sweep_where=(_AUTHORISED,)),
}
#: What is told as a whole, without pages and moments: where its list is in the answer, and its id.
WHOLES: dict[str, tuple[str, str]] = {
    "organisation": ("Organisations", "OrganisationID"),
    "contact_groups": ("ContactGroups", "ContactGroupID"),
}
#: What hangs on an invoice: the last part of the address.
HANGING: dict[str, str] = {"invoice_history": "History", "invoice_attachments": "Attachments"}


@dataclass(frozen=True)
class Page:
    """One answer to a list. is_last: by the vendor's own count; answered_at: by its clock."""

    records: list[Record]
    is_last: bool
    answered_at: datetime | None

    @property
    def newest(self) -> datetime | None:
        """The second of the newest change, as the vendor compares."""
        moments = [record.modified_at for record in self.records if record.modified_at is not None]
        return second_of(max(moments)) if moments else None


def page_of(answer: Answer, extract: Extract, listing: Listing, number: int, size: int) -> Page:
    """Read one page. Raises Retryable for a body that is not as documented, Permanent for another order."""
    if answer.status == _NOT_MODIFIED:
        return Page([], is_last=True, answered_at=None)
    records = read_records(answer, extract.vendor_object, listing.id_field, extract.name)
    moments = [record.modified_at for record in records if record.modified_at is not None]
    if moments != sorted(moments):
        raise Permanent(
            f"{answer.told()} with {extract.name} that are not in the order of {ORDER}, which was asked for:"
            " what changes meanwhile could be missed, so nothing is taken of them.",
            answer.connection,
        )
    said = _PAGINATION.search(answer.body)
    pages = json.loads(said[1]).get("pageCount") if said else None
    is_last = number >= pages if isinstance(pages, int) else len(records) < size
    stamp = _ANSWERED_AT.search(answer.body)
    try:
        answered_at = moment_of(json.loads(b'"' + stamp[1] + b'"')) if stamp else None
    except ValueError:
        answered_at = None
    return Page(records, is_last, answered_at)


def read_records(answer: Answer, list_name: str, id_field: str, what: str) -> list[Record]:
    """Return the objects of an answer as the vendor wrote them. Raises Retryable."""
    try:
        return [
            Record(payload, str(value.get(id_field) or ""), _modified_at(value.get("UpdatedDateUTC")))
            for payload, value in elements(answer.body, list_name)
        ]
    except (PageError, ValueError) as error:
        raise Retryable(f"{answer.told()} with {what} that cannot be read: {error}", answer.connection) from None


def _modified_at(stamp: object) -> datetime | None:
    return moment_of(stamp) if isinstance(stamp, str) else None


def second_of(moment: datetime) -> datetime:
    """Cut a moment to the second, in UTC."""
    return moment.astimezone(UTC).replace(microsecond=0)


def modified_since(moment: datetime) -> dict[str, str]:
    """Return the header that asks for changes since a moment.

    A second earlier: whether the vendor gives what changed in the very second is not said.
    """
    since = second_of(moment) - timedelta(seconds=1)
    return {"If-Modified-Since": f"{since:%Y-%m-%dT%H:%M:%S}"}


def is_within(record: Record, window: Window) -> bool:
    """Whether a record belongs to a window; one that tells no moment does."""
    return record.modified_at is None or record.modified_at <= window.until
