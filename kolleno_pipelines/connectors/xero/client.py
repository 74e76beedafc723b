"""Reading Xero over its Accounting API 2.0: lists by rising moment of change, single objects, what hangs on invoices.

What the objects mean does not belong here. The vendor's rules (README.md): pages of at most 1,000 up to
`pagination.pageCount`, If-Modified-Since to the second, archived contacts only when asked for, deletions as a status,
three limits told apart by a header, errors as JSON, plain text or query strings.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kolleno_pipelines.connectors.answers import Answer, no_json, shown
from kolleno_pipelines.connectors.contract import Extract, Pass, Record, Window
from kolleno_pipelines.connectors.errors import ConnectorError, NeedsHuman, Permanent, Retryable
from kolleno_pipelines.connectors.http import HttpClient
from kolleno_pipelines.connectors.json_pages import PageError, elements
from kolleno_pipelines.connectors.paging import Pages
from kolleno_pipelines.connectors.rate_limits import LimitHeaders
from kolleno_pipelines.connectors.xero.access import headers_of
from kolleno_pipelines.connectors.xero.lists import (
    HANGING,
    LISTINGS,
    WHOLES,
    Listing,
    Page,
    is_within,
    modified_since,
    page_of,
    read_records,
    second_of,
)

API = "/api.xro/2.0"
PAGE = 1_000
#: Ids in one address, which must stay short.
LOOKUPS = 40
_SECOND = timedelta(seconds=1)
#: Pages of one second are counted by position: so often are they read again when something moved meanwhile.
_TIMES = 5

_LIMITED = {
    "minute": "the minute's requests to this organisation are used up",
    "day": "the day's requests to this organisation are used up",
    "concurrent": "more requests than Xero allows at once are under way",
    "appminute": "the minute's requests of the whole app are used up",
}
#: Seconds to stay away from each limit where the vendor does not say; of a day, until the next part of it.
_STAY_AWAY = {"minute": 60.0, "appminute": 60.0, "day": 3_600.0, "concurrent": 1.0}
#: How the oldest form of 503 says that it is a limit.
_OLD_LIMIT = b"rate%20limit%20exceeded"


class NotThere(Permanent):
    """Xero knows no object with this id."""


def classify(answer: Answer) -> ConnectorError | None:
    """Say what is wrong with an answer by the vendor's own forms; None leaves it to the status."""
    where, connection = answer.told(), answer.connection
    if answer.status == 429:
        return _limited(answer)
    if answer.status == 503 and _OLD_LIMIT in answer.body.lower():
        wait = None if "Retry-After" in answer.headers else _STAY_AWAY["minute"]
        return Retryable(f"{where}: {_LIMITED['minute']}.", connection, retry_after=wait)
    if answer.status == 401:
        return NeedsHuman(
            f"{where}: the sign-in does not hold any more ({_said(answer)}). Sign in again with"
            f" `kolleno connections login {connection}`.",
            connection,
        )
    if answer.status == 403:
        return NeedsHuman(
            f"{where}: this sign-in does not reach the organisation, or lacks a scope ({_said(answer)}). Look whether"
            " the tenant id is that of the organisation and the app is still connected to it, then sign in again with"
            f" `kolleno connections login {connection}`.",
            connection,
        )
    if answer.status == 404:
        return NotThere(f"{where}: {_said(answer)}", connection)
    if answer.status == 400:
        return Permanent(f"{where}: {_said(answer)}", connection)
    return no_json(answer) if answer.status == 200 else None


def _limited(answer: Answer) -> Retryable:
    """Which limit it was. A wait that is longer than the client waits ends the reading, to go on later."""
    problem = answer.headers.get("X-Rate-Limit-Problem", "").strip().lower()
    reason = _LIMITED.get(problem, "too many requests")
    fault = Retryable(f"{answer.told()}: {reason}.", answer.connection)
    if "Retry-After" not in answer.headers:
        fault.retry_after = _STAY_AWAY.get(problem, LimitHeaders().pause)
    return fault


def _said(answer: Answer) -> str:
    """What the vendor says in its JSON, else the first characters of the body."""
    said = answer.json() if answer.is_json else None
    if not isinstance(said, dict):
        return answer.excerpt() or "nothing more"
    parts = [said.get("Message"), said.get("Title"), said.get("Detail")]
    for element in _dicts(said.get("Elements")):
        parts += [error.get("Message") for error in _dicts(element.get("ValidationErrors"))]
    number = said.get("ErrorNumber")
    code = f" (error {number})" if isinstance(number, int) else ""
    return shown(": ".join(dict.fromkeys(str(part) for part in parts if part)) + code, answer.hidden, 400)


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    yield from (one for one in value if isinstance(one, dict)) if isinstance(value, list) else ()


@dataclass
class _Progress:
    """How far the reading of a list has come.

    seen: id and moment of what may come again; moved: of what is known to have changed while several pages were read.
    """

    bound: datetime | None
    is_done: bool = False
    seen: set[tuple[str, datetime | None]] = field(default_factory=set)
    moved: set[tuple[str, datetime | None]] = field(default_factory=set)

    def go_on_from(self, bound: datetime | None) -> None:
        """Ask on from a second; what is older does not come again."""
        self.bound = bound
        if bound is not None:
            self.seen = {mark for mark in self.seen if mark[1] is None or mark[1] >= bound - _SECOND}


class XeroSource:
    """One organisation, as a source of records."""

    def __init__(self, http: HttpClient, tenant_id: str) -> None:
        self._http = http
        self._headers = headers_of(tenant_id)

    def records(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what the organisation has in a window, by rising modified time; see RecordSource."""
        if extract.name in HANGING:
            return self._hanging(extract, window)
        if extract.name in WHOLES:
            return self._whole(extract)
        listing = LISTINGS[extract.name]
        if window.ids:
            return self._by_id(extract, listing, window)
        if window.pass_ is Pass.DELETIONS:  # told by a status, among the changes
            return iter(())
        return self._modified(extract, listing, window) if listing.is_paged else self._unpaged(extract, listing, window)

    def _modified(self, extract: Extract, listing: Listing, window: Window) -> Iterator[Record]:
        """Read by moment of change and not by page: an object that changes meanwhile goes to the end of the list.

        With page numbers all behind it would move up by one, and one would never be read. The newest second of a page
        is where the next one begins; only among objects of one second pages are counted.
        """
        progress = _Progress(second_of(window.after) if window.after else None)
        while not progress.is_done:
            yield from self._second(extract, listing, window, progress)

    def _second(
        self, extract: Extract, listing: Listing, window: Window, progress: _Progress
    ) -> Generator[Record, None, None]:
        """Read from the bound until a page reaches beyond its second, again where something moved between two pages."""
        for _ in range(_TIMES):
            pages = Pages(self._http.connection, f"{extract.name} since {progress.bound}")
            number, began = 0, None
            while True:
                number += 1
                page = self._page(extract, listing, window.pass_, progress.bound, number)
                if page.records:
                    pages.go_to(", ".join(record.source_id for record in page.records))
                # What is of a later second waits until it is sure that nothing of this one is missing.
                yield from _unseen(page, window, progress, up_to=progress.bound if number > 1 else None)
                began = began or page.answered_at or window.until
                is_end = page.is_last or (page.newest is not None and page.newest > window.until)
                is_beyond = page.newest is not None and (progress.bound is None or page.newest > progress.bound)
                if is_end or is_beyond:
                    break
            if number == 1 or not self._has_moved(extract, listing, began, progress):
                yield from _unseen(page, window, progress)
                progress.is_done = is_end
                progress.go_on_from(page.newest)
                return
        raise Retryable(
            f"{extract.name} of {progress.bound} kept changing while they were read, {_TIMES} times over;"
            " try again later.",
            self._http.connection,
        )

    def _has_moved(self, extract: Extract, listing: Listing, since: datetime, progress: _Progress) -> bool:
        """Whether anything changed since several pages of one second began to be read: one may have been passed by."""
        page = self._page(extract, listing, Pass.CHANGES, since, 1)
        marks = {(record.source_id, record.modified_at) for record in page.records} - progress.seen - progress.moved
        progress.moved |= marks
        return bool(marks)

    def _page(self, extract: Extract, listing: Listing, pass_: Pass, since: datetime | None, number: int) -> Page:
        parameters = listing.parameters(pass_) | {"page": str(number), "pageSize": str(PAGE)}
        answer = self._ask(extract.vendor_object, parameters, modified_since(since) if since else {})
        return page_of(answer, extract, listing, number, PAGE)

    def _unpaged(self, extract: Extract, listing: Listing, window: Window) -> Iterator[Record]:
        since = modified_since(window.after) if window.after else {}
        answer = self._ask(extract.vendor_object, listing.parameters(window.pass_), since)
        page = page_of(answer, extract, listing, 1, PAGE)
        yield from (record for record in page.records if is_within(record, window))

    def _whole(self, extract: Extract) -> Iterator[Record]:
        list_name, id_field = WHOLES[extract.name]
        yield from read_records(self._ask(extract.vendor_object), list_name, id_field, extract.name)

    def _by_id(self, extract: Extract, listing: Listing, window: Window) -> Iterator[Record]:
        """Read single objects; one that Xero does not know is left out."""
        if listing.ids is not None:
            for start in range(0, len(window.ids), LOOKUPS):
                named = {listing.ids: ",".join(window.ids[start : start + LOOKUPS])}
                parameters = {**listing.always, **named, "page": "1", "pageSize": str(PAGE)}
                answer = self._ask(extract.vendor_object, parameters)
                yield from read_records(answer, extract.vendor_object, listing.id_field, extract.name)
            return
        for source_id in window.ids:
            found = self._ask_one(f"{extract.vendor_object}/{source_id}")
            if found is not None:
                yield from read_records(found, extract.vendor_object, listing.id_field, extract.name)

    def _hanging(self, extract: Extract, window: Window) -> Iterator[Record]:
        """Yield what hangs on the invoices that are named: of each the vendor's list, under the invoice's id."""
        for source_id in window.ids:
            answer = self._ask_one(f"Invoices/{source_id}/{HANGING[extract.name]}")
            if answer is None:
                continue
            try:
                found = [payload for payload, _ in elements(answer.body, extract.vendor_object)]
            except PageError as error:
                raise Retryable(f"{answer.told()}: {error}", answer.connection) from None
            head = f'{{"InvoiceID":"{source_id}","{extract.vendor_object}":['.encode()
            yield Record(head + b",".join(found) + b"]}", source_id, None)

    def _ask_one(self, what: str) -> Answer | None:
        try:
            return self._ask(what)
        except NotThere:
            return None

    def _ask(
        self, what: str, parameters: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        return self._http.get(f"{API}/{what}", parameters, headers={**self._headers, **(headers or {})})


def _unseen(page: Page, window: Window, progress: _Progress, up_to: datetime | None = None) -> Iterator[Record]:
    """What of a page belongs to the window, and to seconds up to one, and did not come before."""
    for record in page.records:
        mark = (record.source_id, record.modified_at)
        is_later = up_to is not None and record.modified_at is not None and second_of(record.modified_at) > up_to
        if is_within(record, window) and mark not in progress.seen and not is_later:
            progress.seen.add(mark)
            yield record
