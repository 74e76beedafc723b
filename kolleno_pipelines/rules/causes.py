"""The probable cause of a document's difference (model 7). Finding differences, and the evidence, are not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta

import numpy as np

from kolleno_pipelines.rules.allocated import Linked
from kolleno_pipelines.rules.columns import Flags, Places, codes, day_of, is_one_of, is_there, microseconds
from kolleno_pipelines.rules.residuals import FIRST_SIGHT, Parts, settle
from kolleno_pipelines.rules.scaled import DECIMALS, Amounts, scaled, sums
from kolleno_pipelines.schemas.currencies import decimals_of
from kolleno_pipelines.schemas.ledger_parts import BEYOND_CAP, MONEY_KINDS
from kolleno_pipelines.schemas.results import Cause
from kolleno_pipelines.schemas.statuses import PostingStatus


@dataclass(frozen=True)
class Origin:
    """Where the difference of each document comes from.

    `is_opening`: its history may not be here and the difference is what it was at first sight. `since`: the version
    moment of the input in which it arose. `arose`: the inputs after first sight in which it did.
    """

    is_opening: Flags
    since: Places
    arose: Parts


def origins(linked: Linked, told: Parts) -> Origin:
    """Return where each document's difference comes from; `told` are its parts as each input told them.

    A difference that grew or shrank after first sight, or whose document has its whole history here, is no opening
    one. What came and went again with later inputs changed nothing.
    """
    first_seen = microseconds(linked.part.documents["first_seen_at"])
    first, later = ~told.later, told.later
    at_first = sums(told.document[first], told.amount[first], len(linked))
    unchanged = at_first == linked.residual
    settled = settle(told)
    remains = np.zeros(len(linked), dtype=np.bool_)
    remains[settled.document[settled.later]] = True
    arose = _chosen(settled, settled.later & ~unchanged[settled.document])
    took_off = _chosen(told, later & ~unchanged[told.document] & ~remains[told.document])
    since = np.where(unchanged, first_seen, np.iinfo(np.int64).max)
    np.minimum.at(since, arose.document, arose.moment)
    last = np.full(len(linked), FIRST_SIGHT)
    np.maximum.at(last, took_off.document, took_off.moment)
    since = np.where(last != FIRST_SIGHT, last, since)
    return Origin(_may_lack_history(linked, first_seen) & unchanged, since, _joined(arose, took_off))


def _chosen(parts: Parts, which: Flags) -> Parts:
    return Parts(parts.document[which], parts.amount[which], parts.moment[which])


def _joined(left: Parts, right: Parts) -> Parts:
    pairs = ((left.document, right.document), (left.amount, right.amount), (left.moment, right.moment))
    return Parts(*(np.concatenate(pair) for pair in pairs))


def _may_lack_history(linked: Linked, first_seen: Places) -> Flags:
    """Return which documents may have a history from before the first file.

    Those told on the day of the connection's earliest live input, or with its batch, and those dated up to that day.
    """
    horizon = linked.part.horizon
    if horizon.is_complete:
        return np.zeros(len(linked), dtype=np.bool_)
    if horizon.baseline is None:
        return np.ones(len(linked), dtype=np.bool_)
    baseline = np.datetime64(horizon.baseline.astimezone(UTC).replace(tzinfo=None), "us").astype(np.int64)
    day = day_of(np.array([baseline]))[0]
    with_it = first_seen <= baseline + horizon.batch_window // timedelta(microseconds=1)
    may: Flags = with_it | (day_of(first_seen) <= day) | (linked.issued <= day)
    return may


def causes(linked: Linked, origin: Origin, waiting: Mapping[int, Cause], differing: Places) -> list[str]:
    """Return the probable cause of each document that differs, in the order of `differing` (places).

    In this order: a row that waits for its parent names the document (`waiting`, by place), history from before the
    first file (more settled than explained, so at first sight), links past the cap, an allocation of a voided document,
    an allocation across currencies, one allocation too many, the size of a rounding, something settled of a kind that
    is not read, else a side that was not sent.
    """
    residual = linked.residual
    stated = scaled(linked.allocations["amount"])[0]
    voided_sum, capped_sum = (_sum_of(linked, stated, which) for which in (is_set_aside(linked), _is_capped(linked)))
    twice = _count(linked, linked.allocation_amount == -residual[linked.allocation_document]) >= 2
    tests: list[tuple[Cause, Flags]] = [
        (Cause.OPENING, origin.is_opening & (residual > 0)),
        (Cause.LINK_CAP, (capped_sum == residual) & (capped_sum != 0)),
        (Cause.VOID, (voided_sum == residual) & (voided_sum != 0)),
        (Cause.FX, _count(linked, linked.allocation_crosses_currencies) > 0),
        (Cause.DUPLICATE, twice & (residual < 0)),
        (Cause.ROUNDING, np.abs(residual) <= _rounding(linked)),
        (Cause.STALE_EXTRACT, residual < 0),
        (Cause.UNREAD_KIND, np.full(len(linked), _tells_all_its_links(linked))),
    ]
    found = np.full(len(differing), Cause.MISSING_DOCUMENT.value, dtype=object)
    for cause, holds in reversed(tests):
        found[holds[differing]] = cause.value
    named: list[str] = found.tolist()
    return [waiting[place].value if place in waiting else name for place, name in zip(differing, named, strict=True)]


def is_set_aside(linked: Linked) -> Flags:
    """Return which allocations join a document that is known and does not count (voided, deleted, draft)."""
    status = linked.allocations["other_posting_status"]
    return is_there(status) & ~is_one_of(status, [PostingStatus.POSTED.value, BEYOND_CAP])


def _is_capped(linked: Linked) -> Flags:
    return is_one_of(linked.allocations["other_posting_status"], [BEYOND_CAP])


def _tells_all_its_links(linked: Linked) -> bool:
    """Money of an API states in one payload what it settles: where that is less than it did, a kind is not read."""
    return linked.part.horizon.is_complete and linked.part.kind in MONEY_KINDS


def _sum_of(linked: Linked, stated: Amounts, which: Flags) -> Amounts:
    return sums(linked.allocation_document[which], stated[which], len(linked))


def _count(linked: Linked, which: Flags) -> Places:
    return np.bincount(linked.allocation_document[which], minlength=len(linked))


def _rounding(linked: Linked) -> Amounts:
    """One smallest unit of the currency for each allocation, at least one."""
    currency, names = codes(linked.part.documents["currency_iso"])
    units = np.array([10 ** (DECIMALS - decimals_of(name)) for name in names], dtype=np.int64)
    allocations = np.bincount(linked.allocation_document, minlength=len(linked))
    return units[currency] * np.maximum(allocations, 1)
