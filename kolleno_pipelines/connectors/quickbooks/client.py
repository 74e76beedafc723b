"""Reading QuickBooks Online over its Accounting API v3: queries, changes, deletions, single objects.

What the objects mean does not belong here. The vendor's rules (README.md): pages of at most 1,000 from position 1,
offsets compared as instants, inactive list objects only when asked for, deletions by change data capture of the last 30
days, faults inside 200 answers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from kolleno_pipelines.connectors.answers import Answer, no_json, shown
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import Changed, ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.http import HttpClient
from kolleno_pipelines.connectors.json_pages import PageError, elements
from kolleno_pipelines.connectors.paging import Pages

_Mark: TypeAlias = tuple[str, datetime | None]

MINOR_VERSION = "75"
PAGE = 1_000
#: How far back the vendor tells of deletions.
DELETIONS_REACH = timedelta(days=30)
_LISTS = {"Account", "Customer"}
_SINGLE = {"CompanyInfo", "Preferences"}
_WITH_BALANCE = {"Invoice", "CreditMemo"}
_LOOKUPS = 100
_THROTTLED_FOR = 60.0

#: A moment whose objects change while its pages are read is begun again so often.
_TIMES = 5

_HUMAN = {"120", "3100", "3200", "3201", "6190"}
_THROTTLED = "3001"
_SYSTEM = "10000"
_STALE = "5010"


def classify(answer: Answer) -> ConnectorError | None:
    """Say what is wrong with an answer by the vendor's own codes; None leaves it to the status."""
    if answer.status < 300 and not _may_be_fault(answer.body):
        return no_json(answer)
    fault = _fault(answer)
    if fault is None:
        return None
    code, message = fault
    where, connection = answer.told(), answer.connection
    if code == _THROTTLED:
        # The vendor names no wait; where one stands before it does, that is the wait.
        wait = None if "Retry-After" in answer.headers else _THROTTLED_FOR
        return Retryable(f"{where}: too many requests.", connection, retry_after=wait)
    if code in _HUMAN:
        return NeedsHuman(
            f"{where}: {message} (code {code}). Sign in again with `kolleno connections login {connection}`; if that"
            " does not help, look whether the company's subscription and the app's access are in order.",
            connection,
        )
    if code == _STALE:
        return Changed(f"{where}: the object changed meanwhile (code {code}).", connection)
    if code == _SYSTEM:
        return Retryable(f"{where}: {message} (code {code}).", connection)
    return Permanent(f"{where}: {message} (code {code}).", connection)


def _may_be_fault(body: bytes) -> bool:
    return b"ault" in body[:200]


def _fault(answer: Answer) -> tuple[str, str] | None:
    """Return (code without zeros in front, message) of the first error, in either spelling of the vendor."""
    if not answer.is_json:
        return None
    said = answer.json()
    errors = _get(_get(said, "Fault", "fault"), "Error", "error") if isinstance(said, dict) else None
    if not isinstance(errors, list) or not errors:
        return None
    code = str(_get(errors[0], "code") or "").lstrip("0") or "0"
    parts = [str(part) for part in (_get(errors[0], "Message", "message"), _get(errors[0], "Detail", "detail")) if part]
    return code, shown(": ".join(dict.fromkeys(parts)), answer.hidden, 300)


def _get(said: Any, *names: str) -> Any:
    if isinstance(said, dict):
        for name in names:
            if name in said:
                return said[name]
    return None


def _mark(record: Record) -> _Mark:
    return record.source_id, record.modified_at


@dataclass
class _Place:
    """How far the reading of one extract has come: the moment it asks from, and the position there.

    last: what was read last; seen: what was read of the moment; times: how often it was begun again.
    """

    bound: datetime | None
    position: int = 1
    last: _Mark | None = None
    seen: set[_Mark] = field(default_factory=set)
    times: int = 0

    def has_moved(self, page: list[Record]) -> bool:
        """Whether a page does not begin where the one before ended: something before it left its moment."""
        return self.position > 1 and (not page or _mark(page[0]) != self.last)

    def begin_again(self) -> bool:
        """Ask for the moment from its first object, if it was not done too often."""
        self.position, self.last, self.times = 1, None, self.times + 1
        return self.times <= _TIMES

    def go_on(self, page: list[Record]) -> None:
        """Ask on from the newest moment of a full page, from its last object."""
        newest, self.last = page[-1].modified_at, _mark(page[-1])
        of_newest = {_mark(record) for record in page if record.modified_at == newest}
        if newest is not None and (self.bound is None or newest > self.bound):
            self.bound, self.position, self.seen, self.times = newest, len(of_newest), of_newest, 0
        else:
            self.position += PAGE - 1
            self.seen |= of_newest


class QuickBooksSource:
    """One company's file, as a source of records."""

    def __init__(self, http: HttpClient, realm_id: str) -> None:
        self._http = http
        self._company = f"/v3/company/{realm_id}"

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what the company has in a window, by rising modified time; see RecordSource."""
        if window.pass_ is Pass.DELETIONS:
            return self._deletions(extract, window)
        if window.ids:
            return self._by_id(extract, window)
        if extract.vendor_object in _SINGLE:
            return self._select(extract, f"SELECT * FROM {extract.vendor_object}")
        found = self._modified(extract, window)
        if window.pass_ is Pass.SWEEP and extract.vendor_object == "Payment":
            return (record for record in found if _is_unapplied(record.payload))
        return found

    def _modified(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Page by modified time and not by position: an object that changes meanwhile leaves the window.

        With positions all behind it would move up by one, and one would never be read. Only among objects of one moment
        positions count; there each page begins with the last object of the one before, or it is all read again.
        """
        pages = Pages(self._http.connection, extract.name)
        place = _Place(window.after)
        while True:
            page = list(self._select(extract, _query(extract, window, place.bound, place.position)))
            ids = ", ".join(record.source_id for record in page)
            pages.go_to(f"{place.bound} {place.times} {ids}")
            if place.has_moved(page):
                if not place.begin_again():
                    raise Retryable(
                        f"{extract.name} of {place.bound} kept changing while they were read; try again later.",
                        self._http.connection,
                    )
                continue
            yield from (record for record in page if _mark(record) not in place.seen)
            if len(page) < PAGE:
                return
            place.go_on(page)

    def _by_id(self, extract: Extract, window: Window) -> Iterator[Record]:
        active = " AND Active IN (true, false)" if extract.vendor_object in _LISTS else ""
        for start in range(0, len(window.ids), _LOOKUPS):
            ids = ", ".join(f"'{_quoted(source_id)}'" for source_id in window.ids[start : start + _LOOKUPS])
            query = f"SELECT * FROM {extract.vendor_object} WHERE Id IN ({ids}){active} MAXRESULTS {PAGE}"
            yield from self._select(extract, query)

    def _select(self, extract: Extract, query: str) -> Iterator[Record]:
        return self._elements(extract, self._ask("query", {"query": query}), "QueryResponse", extract.vendor_object)

    def _deletions(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what was deleted since `after`; an answer that is full is asked on from its newest moment."""
        since = window.after or window.until - DELETIONS_REACH
        if since < window.until - DELETIONS_REACH:
            raise Permanent(
                f"{extract.name}: QuickBooks tells of deletions of the last 30 days, and {since:%Y-%m-%d} is longer"
                " ago: a sweep finds them.",
                self._http.connection,
            )
        pages = Pages(self._http.connection, f"deleted {extract.name}")
        while True:
            pages.go_to(since.isoformat())
            asked = {"entities": extract.vendor_object, "changedSince": _moment(since)}
            answer = self._ask("cdc", asked)
            path = ("CDCResponse", "*", "QueryResponse", "*", extract.vendor_object)
            found = list(self._elements(extract, answer, *path))
            yield from (record for record in found if b'"Deleted"' in record.payload)
            moments = [record.modified_at for record in found if record.modified_at is not None]
            if len(found) < PAGE or not moments:
                return
            since = max(moments)

    def _ask(self, what: str, params: Mapping[str, str]) -> Answer:
        return self._http.get(f"{self._company}/{what}", {**params, "minorversion": MINOR_VERSION})

    def _elements(self, extract: Extract, answer: Answer, *path: str) -> Iterator[Record]:
        try:
            for payload, value in elements(answer.body, *path):
                modified_at = _modified_at(_get(value.get("MetaData"), "LastUpdatedTime"))
                yield Record(payload, str(value.get("Id", "")), modified_at)
        except (PageError, ValueError) as error:
            raise Retryable(
                f"{answer.told()} with {extract.name} that cannot be read: {error}", answer.connection
            ) from None


def _modified_at(stamp: object) -> datetime | None:
    """None for a time that states no offset: normalising sets that payload aside."""
    moment = datetime.fromisoformat(stamp) if isinstance(stamp, str) else None
    return None if moment is None or moment.tzinfo is None else moment


def _query(extract: Extract, window: Window, after: datetime | None, position: int) -> str:
    conditions = [f"MetaData.LastUpdatedTime <= '{_moment(window.until)}'"]
    if after is not None:
        conditions.insert(0, f"MetaData.LastUpdatedTime >= '{_moment(after)}'")
    if extract.vendor_object in _LISTS:
        conditions.append("Active IN (true, false)")
    if window.pass_ is Pass.SWEEP and extract.vendor_object in _WITH_BALANCE:
        conditions.append("Balance > '0'")
    return (
        f"SELECT * FROM {extract.vendor_object} WHERE {' AND '.join(conditions)}"
        f" ORDERBY MetaData.LastUpdatedTime STARTPOSITION {position} MAXRESULTS {PAGE}"
    )


def _is_unapplied(payload: bytes) -> bool:
    """The vendor filters payments by no amount; what does not state it counts as open."""
    return bool(json.loads(payload, parse_float=Decimal).get("UnappliedAmt") != 0)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
