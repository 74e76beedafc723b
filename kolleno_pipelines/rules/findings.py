"""What documents and customers say against each other, computed from state; a finding never rejects a row (model 2).

The comparison of balances does not belong here (balances.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from kolleno_pipelines.rules.allocated import Linked
from kolleno_pipelines.rules.breaks import moment, new_break, plain
from kolleno_pipelines.rules.columns import (
    Flags,
    Places,
    differ,
    distinct,
    is_one_of,
    microseconds,
    optional_texts,
    taken,
    texts,
)
from kolleno_pipelines.rules.scaled import Amounts, decimal
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.ledger_parts import DocumentKind
from kolleno_pipelines.schemas.results import Break, Cause
from kolleno_pipelines.schemas.statuses import SFTP_STATUSES, normalise_status


def document_findings(linked: Linked, allowed: Places) -> list[Break]:
    """Return over_allocated and closed_with_balance, and for what is settled the findings about its allocations.

    `allowed` is the tolerance of each document in millionths.
    """
    found = [*_over_allocated(linked, allowed), *_closed_with_balance(linked, allowed)]
    if linked.part.kind in {DocumentKind.INVOICE, DocumentKind.JOURNAL}:
        found += _currency_mismatches(linked)
        found += _customer_mismatches(linked)
    return found


def hierarchy_cycles(connection: str, parents: Mapping[str, str], seen: Mapping[str, datetime]) -> list[Break]:
    """Return one break per ring of customers that are each other's parents.

    `parents` is customer -> parent as stated, `seen` the version of the input in which the customer last changed.
    """
    found, done = [], set[str]()
    for start in sorted(parents):
        walk: list[str] = []
        customer: str | None = start
        while customer is not None and customer not in done:
            done.add(customer)
            walk.append(customer)
            customer = parents.get(customer)
        if customer in walk:
            ring = walk[walk.index(customer) :]
            first = min(ring)
            found.append(
                new_break(
                    Code.HIERARCHY_CYCLE.value,
                    connection,
                    ("customer", first),
                    ("customer", parents[first]),
                    since=max(seen[one] for one in ring),
                    customer=first,
                    evidence={"customers": sorted(ring)},
                )
            )
    return found


def _over_allocated(linked: Linked, allowed: Places) -> list[Break]:
    excess = linked.allocated - linked.amount
    if linked.part.kind is DocumentKind.JOURNAL:  # a credit is used up downwards
        excess = np.where(linked.amount < 0, -excess, excess)
    places = np.flatnonzero(excess > allowed)
    newest = microseconds(linked.part.documents["first_seen_at"]).copy()
    counting = linked.allocation_counts
    np.maximum.at(newest, linked.allocation_document[counting], _amount_at(linked)[counting])
    same = linked.allocation_amount == excess[linked.allocation_document]
    twice = np.bincount(linked.allocation_document[same], minlength=len(linked))
    return [
        new_break(
            Code.OVER_ALLOCATED.value,
            linked.part.connection,
            (linked.part.kind.value, source_id),
            since=moment(newest[place]),
            customer=customer,
            currency=currency,
            amount=decimal(excess[place]),
            cause=Cause.DUPLICATE.value if twice[place] > 1 else None,
            evidence={
                "amount": plain(decimal(linked.amount[place])),
                "allocated": plain(decimal(linked.allocated[place])),
            },
        )
        for place, source_id, customer, currency in _named(linked, places)
    ]


def _closed_with_balance(linked: Linked, allowed: Places) -> list[Break]:
    """The source's word promises a balance of 0 (paid, closed, ...), its balance says otherwise.

    It is there since the balance last moved: when the word came is not known.
    """
    words = linked.part.documents["status_stated"]
    closed = [word for word in distinct(words) if (known := SFTP_STATUSES.get(normalise_status(word))) and known.closed]
    places = np.flatnonzero(is_one_of(words, closed) & (np.abs(linked.balance) > allowed))
    stated = optional_texts(taken(words, places))
    moved = microseconds(linked.part.documents["first_seen_at"]).copy()
    np.maximum.at(moved, linked.move_document, microseconds(linked.moves["moved_at"]))
    return [
        new_break(
            Code.CLOSED_WITH_BALANCE.value,
            linked.part.connection,
            (linked.part.kind.value, source_id),
            since=moment(moved[place]),
            customer=customer,
            currency=currency,
            amount=decimal(linked.balance[place]),
            cause=Cause.STALE_EXTRACT.value,
            evidence={"status_stated": word},
        )
        for (place, source_id, customer, currency), word in zip(_named(linked, places), stated, strict=True)
    ]


def _currency_mismatches(linked: Linked) -> list[Break]:
    return _pairs(linked, Code.CURRENCY_MISMATCH, linked.allocation_crosses_currencies, Cause.FX)


def _customer_mismatches(linked: Linked) -> list[Break]:
    """An allocation may join customers of one group: a parent pays a child's invoice."""
    own = taken(linked.part.documents["group_source_id"], linked.allocation_document)
    outside = differ(own, linked.allocations["other_group"]) & linked.allocation_counts
    return _pairs(linked, Code.CUSTOMER_MISMATCH, outside, None)


def _pairs(linked: Linked, code: Code, which: Flags, cause: Cause | None) -> list[Break]:
    """Return one break per pair of documents; several allocations between them are summed.

    The pair is found where it is settled: what comes out of a journal, negative there, is left to its other end.
    """
    at = np.flatnonzero(which & (linked.allocation_amount >= 0))
    kinds, ids = (texts(taken(linked.allocations[name], at)) for name in ("other_kind", "other_source_id"))
    others, currencies = (
        optional_texts(taken(linked.allocations[name], at)) for name in ("other_group", "other_currency_iso")
    )
    documents, moved = linked.allocation_document[at], _amount_at(linked)[at]
    groups = optional_texts(taken(linked.part.documents["group_source_id"], documents))
    amounts: Amounts = linked.allocation_amount[at]
    pairs: dict[tuple[int, str, str], list[int]] = {}
    for row, key in enumerate(zip(documents.tolist(), kinds, ids, strict=True)):
        pairs.setdefault(key, []).append(row)
    named = dict(zip(documents.tolist(), _named(linked, documents), strict=True))
    return [
        new_break(
            code.value,
            linked.part.connection,
            (kind, source_id),
            (linked.part.kind.value, named[place][1]),
            since=moment(max(moved[rows].tolist())),
            customer=named[place][2],
            currency=named[place][3],
            amount=decimal(sum(amounts[rows].tolist())),
            cause=cause.value if cause else None,
            evidence={
                "paying": {"group": others[rows[0]], "currency_iso": currencies[rows[0]]},
                "paid": {"group": groups[rows[0]], "currency_iso": named[place][3]},
            },
        )
        for (place, kind, source_id), rows in pairs.items()
    ]


def _named(linked: Linked, places: Places) -> list[tuple[int, str, str, str]]:
    """Return (place, source_id, customer, currency) of documents."""
    names = ("source_id", "customer_source_id", "currency_iso")
    columns = [texts(taken(linked.part.documents[name], places)) for name in names]
    return list(zip(places.tolist(), *columns, strict=True))


def _amount_at(linked: Linked) -> Places:
    """Return the version at which each allocation's amount last moved: a break of it is there since then."""
    return microseconds(linked.allocations["amount_at"])
