"""Lists of Stripe by rising `created`, though the vendor serves them newest first. What objects mean is not known here.

Pages go upward by `ending_before` from the oldest object of the window, which is looked for by halves: so no page is
kept, and a reading that is stopped has moved the watermark up to where it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kolleno_pipelines.connectors.contract import Record
from kolleno_pipelines.connectors.errors import Permanent, Retryable
from kolleno_pipelines.connectors.json_pages import PageError, elements
from kolleno_pipelines.connectors.paging import Pages
from kolleno_pipelines.connectors.stripe.sdk import Api

PAGE = 100
#: The vendor is not older.
_BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Page:
    """Objects newest first, and whether there are more beyond the end that was asked for."""

    records: list[Record]
    has_more: bool

    @property
    def rising(self) -> list[Record]:
        """The objects, oldest first."""
        return self.records[::-1]


@dataclass(frozen=True)
class Listing:
    """One list of the vendor: where it is, and what is asked of it beside the window."""

    path: str
    parameters: dict[str, Any]


def rising(api: Api, listing: Listing, after: datetime | None, until: datetime) -> Iterator[Record]:
    """Yield the objects made from `after` (None: all) to `until`, both included, oldest first."""
    first, last = _second(after or _BEGINNING), _second(until)
    latest = _between(api, listing, first, last)
    if not latest.has_more:
        yield from latest.rising
        return
    page = _oldest(api, listing, first, _made(api, latest.records[-1]))
    pages = Pages(api.connection, listing.path)
    while page.records:
        yield from page.rising
        pages.go_to(page.records[0].source_id)
        page = _page(api, listing, _window(first, last) | {"ending_before": page.records[0].source_id})


def falling(api: Api, listing: Listing) -> Iterator[Record]:
    """Yield all objects of a list, newest first."""
    pages = Pages(api.connection, listing.path)
    page = _page(api, listing, {})
    while True:
        yield from page.records
        if not page.has_more or not page.records:
            return
        pages.go_to(page.records[-1].source_id)
        page = _page(api, listing, {"starting_after": page.records[-1].source_id})


def newest(api: Api, path: str) -> Record | None:
    """Return the newest object of a list; None where it has none."""
    return next(iter(_page(api, Listing(path, {"limit": 1}), {}).records), None)


def _oldest(api: Api, listing: Listing, first: int, last: int) -> Page:
    """Return the page with the oldest objects of a window that holds at least one: halve it until they fit a page."""
    low, high = first, last
    pages = Pages(api.connection, listing.path)
    while low < high:
        middle = (low + high) // 2
        page = _between(api, listing, low, middle)
        if page.records and not low <= _made(api, page.records[-1]) <= middle:
            pages.go_to(page.records[-1].source_id)
        if not page.records:
            low = middle + 1
        elif page.has_more:
            high = min(middle, _made(api, page.records[-1]))
        else:
            return page
    page = _between(api, listing, low, low)
    while page.has_more:  # more of one second than a page holds
        pages.go_to(page.records[-1].source_id)
        page = _page(api, listing, _window(low, low) | {"starting_after": page.records[-1].source_id})
    return page


def _between(api: Api, listing: Listing, first: int, last: int) -> Page:
    return _page(api, listing, _window(first, last))


def _window(first: int, last: int) -> dict[str, Any]:
    return {"created": {"gte": first, "lte": last}}


def _page(api: Api, listing: Listing, parameters: dict[str, Any]) -> Page:
    """Return a page. Raises Retryable for an answer that is no list: an empty one would pass for nothing new."""
    answer = api.get(listing.path, **{"limit": PAGE, **listing.parameters, **parameters})
    try:
        records = [
            Record(payload, str(value["id"]), _moment(value)) for payload, value in elements(answer.body, "data")
        ]
        said = answer.json()
        if len(said["data"]) != len(records) or not isinstance(said["has_more"], bool):
            raise PageError("objects in `data`, and true or false in `has_more`, were expected")
        return Page(records, said["has_more"])
    except (KeyError, TypeError, ValueError) as error:
        raise Retryable(f"{answer.told()} without what a list has: {error}", answer.connection) from None


def _moment(value: dict[str, Any]) -> datetime | None:
    return datetime.fromtimestamp(int(value["created"]), UTC) if value.get("created") is not None else None


def _made(api: Api, record: Record) -> int:
    """When the object at the end of a page was made, where the next begins."""
    if record.modified_at is None:
        raise Permanent(f"{record.source_id} has no `created`, by which its list is read.", api.connection)
    return _second(record.modified_at)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
