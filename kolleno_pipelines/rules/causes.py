"""The probable cause of a document's difference (model 7). Finding differences, and the evidence, are not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kolleno_pipelines.rules.allocated import Linked
from kolleno_pipelines.rules.columns import Flags, Places, codes, is_one_of, is_there, microseconds
from kolleno_pipelines.rules.residuals import FIRST_SIGHT, Parts
from kolleno_pipelines.rules.scaled import DECIMALS, Amounts, scaled, sums
from kolleno_pipelines.schemas.currencies import decimals_of
from kolleno_pipelines.schemas.results import Cause
from kolleno_pipelines.schemas.statuses import PostingStatus


@dataclass(frozen=True)
class Origin:
    """Per document: whether its difference is an opening one, and the version moment since which it is there."""

    is_opening: Flags
    since: Places


def origins(linked: Linked, parts: Parts) -> Origin:
    """Return where each document's difference comes from; an opening one was there at first sight, unchanged since.

    The first sight itself leaves no trace: its `since` is the first moment known, a move or the last change.
    """
    later = parts.moment != FIRST_SIGHT
    changed = np.zeros(len(linked), dtype=np.bool_)
    changed[parts.document[later]] = True
    known = microseconds(linked.part.documents["observed_at"]).copy()
    np.minimum.at(known, linked.move_document, microseconds(linked.moves["moved_at"]))
    arose = np.full(len(linked), np.iinfo(np.int64).max)
    np.minimum.at(arose, parts.document[later], parts.moment[later])
    return Origin(is_opening=~changed, since=np.where(changed, arose, known))


def causes(linked: Linked, origin: Origin, waiting: Mapping[int, Cause], differing: Places) -> list[str]:
    """Return the probable cause of each document that differs, in the order of `differing` (places).

    In this order: a row that waits for its parent names the document (`waiting`, by place), an allocation of a voided
    document, an allocation across currencies, one allocation too many, the size of a rounding, history from before
    the first file (more settled than explained, so at first sight), else a side that was not sent.
    """
    residual = linked.residual
    voided = is_set_aside(linked)
    stated = scaled(linked.allocations["amount"])[0]
    voided_sum = sums(linked.allocation_document[voided], stated[voided], len(linked))
    twice = _count(linked, linked.allocation_amount == -residual[linked.allocation_document]) >= 2
    tests: list[tuple[Cause, Flags]] = [
        (Cause.VOID, (voided_sum == residual) & (voided_sum != 0)),
        (Cause.FX, _count(linked, linked.allocation_crosses_currencies) > 0),
        (Cause.DUPLICATE, twice & (residual < 0)),
        (Cause.ROUNDING, np.abs(residual) <= _rounding(linked)),
        (Cause.OPENING, origin.is_opening & (residual > 0)),
        (Cause.STALE_EXTRACT, residual < 0),
    ]
    found = np.full(len(differing), Cause.MISSING_DOCUMENT.value, dtype=object)
    for cause, holds in reversed(tests):
        found[holds[differing]] = cause.value
    named: list[str] = found.tolist()
    return [waiting[place].value if place in waiting else name for place, name in zip(differing, named, strict=True)]


def is_set_aside(linked: Linked) -> Flags:
    """Return which allocations join a document that is known and does not count (voided, deleted, draft)."""
    status = linked.allocations["other_posting_status"]
    return is_there(status) & ~is_one_of(status, [PostingStatus.POSTED.value])


def _count(linked: Linked, which: Flags) -> Places:
    return np.bincount(linked.allocation_document[which], minlength=len(linked))


def _rounding(linked: Linked) -> Amounts:
    """One smallest unit of the currency for each allocation, at least one."""
    currency, names = codes(linked.part.documents["currency_iso"])
    units = np.array([10 ** (DECIMALS - decimals_of(name)) for name in names], dtype=np.int64)
    allocations = np.bincount(linked.allocation_document, minlength=len(linked))
    return units[currency] * np.maximum(allocations, 1)
