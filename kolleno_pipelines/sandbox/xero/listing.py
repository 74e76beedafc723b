"""Lists of objects as the vendor gives them: which parameters each takes, what they select, pages. No HTTP answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import ceil
from typing import Any
from uuid import UUID

from kolleno_pipelines.sandbox.xero import filters
from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.fields import value_at
from kolleno_pipelines.sandbox.xero.objects import Kind, Record, moment_of
from kolleno_pipelines.sandbox.xero.refusals import unreadable_query, validation

_PAGED = ("where", "order", "page", "pageSize", "unitdp")
#: Query parameters of each list; any other is refused.
PARAMETERS: Mapping[Kind, frozenset[str]] = {
    Kind.ORGANISATION: frozenset(),
    Kind.ACCOUNTS: frozenset({"where", "order"}),
    Kind.CONTACTS: frozenset({*_PAGED, "IDs", "includeArchived", "summaryOnly", "searchTerm"} - {"unitdp"}),
    Kind.CONTACT_GROUPS: frozenset({"where", "order"}),
    Kind.INVOICES: frozenset(
        {*_PAGED, "IDs", "InvoiceNumbers", "ContactIDs", "Statuses"}
        | {"includeArchived", "createdByMyApp", "summaryOnly", "searchTerm"}
    ),
    Kind.CREDIT_NOTES: frozenset(_PAGED),
    Kind.PAYMENTS: frozenset({*_PAGED} - {"unitdp"}),
    Kind.OVERPAYMENTS: frozenset({*_PAGED, "References"}),
    Kind.PREPAYMENTS: frozenset({*_PAGED, "InvoiceNumbers"}),
    Kind.BATCH_PAYMENTS: frozenset({"where", "order"}),
}
#: Lists that take no notice of If-Modified-Since.
_WHOLE = {Kind.ORGANISATION, Kind.CONTACT_GROUPS}
_FLAGS = ("includeArchived", "createdByMyApp", "summaryOnly")
_SEARCHED = {
    Kind.INVOICES: ("InvoiceNumber", "Reference"),
    Kind.CONTACTS: ("Name", "FirstName", "LastName", "ContactNumber", "EmailAddress"),
}
_STATUSES = frozenset({"DRAFT", "SUBMITTED", "DELETED", "AUTHORISED", "PAID", "VOIDED"})
DEFAULT_PAGE_SIZE, LARGEST_PAGE = 100, 1000
INDEX_LIMIT = 100_000

Test = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Page:
    """What a list answers; `number` is None where no page was asked for."""

    records: list[Record]
    number: int | None
    size: int
    count: int

    @property
    def pagination(self) -> dict[str, int]:
        """The vendor's account of the pages."""
        pages = ceil(self.count / self.size)
        return {"page": self.number or 1, "pageSize": self.size, "pageCount": pages, "itemCount": self.count}


class Listing:
    """Answers list requests from a book. `index_limit`: how many records a request may make the vendor look through.

    What one question selects is kept while nothing changes, so that its pages cost little.
    """

    def __init__(self, book: Book, *, index_limit: int = INDEX_LIMIT) -> None:
        self.book = book
        self.index_limit = index_limit
        self._kept: dict[tuple[object, ...], list[Record]] = {}

    def page(self, kind: Kind, query: Mapping[str, str], since: str, now: datetime) -> Page:
        """Return one page, or everything where no page is asked for. Raises ApiRefusalError."""
        check_parameters(query, PARAMETERS[kind])
        number, size = _page_asked(query)
        asked = tuple(sorted(item for item in query.items() if item[0] not in {"page", "pageSize"}))
        place = (kind, asked, since, self.book.position(now))
        found = self._kept.get(place)
        if found is None:
            found = self._selected(kind, query, since, now)
            self._kept = {**dict(list(self._kept.items())[-7:]), place: found}
        if number is None:
            return Page(found, None, size, len(found))
        return Page(found[(number - 1) * size : number * size], number, size, len(found))

    def _selected(self, kind: Kind, query: Mapping[str, str], since: str, now: datetime) -> list[Record]:
        try:
            where = filters.parse_where(kind, query["where"]) if query.get("where") else None
            order = filters.parse_order(kind, query["order"]) if query.get("order") else [(kind.id_field, False)]
        except filters.QueryError as error:
            raise unreadable_query(str(error)) from None
        tests = _tests(kind, query)
        moment = None if kind in _WHOLE or not since else _since(since)
        records = [
            each
            for each in self.book.records(kind, now)
            if (moment is None or moment_of(each).replace(microsecond=0) >= moment)
            and (where is None or where.indexed(each))
            and ("Statuses" not in query or tests["Statuses"](each))
        ]
        if len(records) > self.index_limit:
            raise validation(
                f"The request looks through more than {self.index_limit} records: narrow it by Date or Type"
            )
        records = [
            each
            for each in records
            if (where is None or where.test(each)) and all(test(each) for test in tests.values())
        ]
        return filters.in_order(records, order)


def check_parameters(query: Mapping[str, str], known: frozenset[str]) -> None:
    """Refuse parameters that an address does not have."""
    for name in query:
        if name not in known:
            raise validation(f"The query parameter {name} is not known here")


def _page_asked(query: Mapping[str, str]) -> tuple[int | None, int]:
    size = _whole(query, "pageSize", DEFAULT_PAGE_SIZE, LARGEST_PAGE)
    if "page" not in query and "pageSize" not in query:
        return None, size
    return _whole(query, "page", 1, 10**9), size


def _whole(query: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= largest:
        raise validation(f"{name} must be a whole number from 1 to {largest}")
    return int(text)


def _since(text: str) -> datetime:
    """Read If-Modified-Since, as ISO or as HTTP writes it; the vendor keeps whole seconds."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            raise validation("If-Modified-Since is no date") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).replace(microsecond=0)


def _tests(kind: Kind, query: Mapping[str, str]) -> dict[str, Test]:
    """One test for each parameter that selects."""
    flags = {name: _flag(query, name) for name in _FLAGS}
    tests: dict[str, Test] = {}
    for name, field in (("IDs", kind.id_field), ("ContactIDs", "Contact.ContactID")):
        if name in query:
            tests[name] = _one_of(field, {_guid(name, each) for each in _values(query[name])})
    for name, field in (("InvoiceNumbers", "InvoiceNumber"), ("References", "Reference"), ("Statuses", "Status")):
        if name in query:
            tests[name] = _one_of(field, set(_values(query[name])))
    if "Statuses" in query and not set(_values(query["Statuses"])) <= _STATUSES:
        raise validation("Statuses names a status that does not exist")
    if kind is Kind.CONTACTS and not flags["includeArchived"] and "IDs" not in query:
        tests["archived"] = lambda record: record["ContactStatus"] != "ARCHIVED"
    if flags["createdByMyApp"]:
        tests["createdByMyApp"] = lambda record: False  # noqa: ARG005 - no app writes invoices here
    if query.get("searchTerm"):
        tests["searchTerm"] = _search(_SEARCHED[kind], query["searchTerm"].casefold())
    return tests


def _values(text: str) -> list[str]:
    return [each.strip().strip('"') for each in text.split(",")]


def _guid(name: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise validation(f"{name} must be identifiers") from None


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "false").lower()
    if text not in {"true", "false"}:
        raise validation(f"{name} must be true or false")
    return text == "true"


def _one_of(field: str, wanted: set[str]) -> Test:
    return lambda record: value_at(record, field) in wanted


def _search(fields: tuple[str, ...], term: str) -> Test:
    return lambda record: any(term in str(record.get(field) or "").casefold() for field in fields)
