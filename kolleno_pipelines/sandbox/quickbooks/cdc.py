"""Change data capture of QuickBooks: what changed since a moment, deletions among it. No HTTP, no query language."""

from __future__ import annotations

from datetime import datetime, timedelta

from kolleno_pipelines.sandbox.quickbooks.book import KINDS, SINGLE_KINDS, QuickBooksBook, Version
from kolleno_pipelines.sandbox.quickbooks.refusals import QuickBooksRefusal
from kolleno_pipelines.sandbox.quickbooks.wire import Json, moment_text

LOOK_BACK = timedelta(days=30)
LARGEST_ANSWER = 1000
#: Kinds that the vendor does not capture.
NOT_CAPTURED = frozenset({"JournalCode", "TaxAgency", "TimeActivity", "TaxCode", "TaxRate"})


def changes(book: QuickBooksBook, entities: str, changed_since: str, now: datetime) -> Json:
    """Return the CDCResponse: one part per kind, in the order asked, cut without a word at 1,000 objects in all.

    A kind without any change is an empty object; a deleted object has an id, a status and a moment only.
    """
    kinds = [each.strip() for each in entities.split(",")]
    for kind in kinds:
        if kind in NOT_CAPTURED or kind in SINGLE_KINDS or kind not in KINDS:
            raise QuickBooksRefusal(500, f"Operation cdc is not supported for entity {kind}")
    since = _since(changed_since, book)
    if since < now - LOOK_BACK:
        raise QuickBooksRefusal(4001, "The changedSince value is more than 30 days ago.", element="changedSince")
    left, parts = LARGEST_ANSWER, []
    for kind in kinds:
        found = book.changed(kind, since, now)[:left]
        left -= len(found)
        told = [_told(each, book) for each in found]
        parts.append({kind: told, "startPosition": 1, "maxResults": len(told)} if told else {})
    return {"CDCResponse": [{"QueryResponse": parts}]}


def _since(text: str, book: QuickBooksBook) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise QuickBooksRefusal(4001, "Invalid value for changedSince.", element="changedSince") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=book.zone)


def _told(version: Version, book: QuickBooksBook) -> Json:
    if version.object is not None:
        return version.object
    updated = {"LastUpdatedTime": moment_text(version.at, book.zone)}
    return {"status": "Deleted", "Id": version.id, "MetaData": updated}
