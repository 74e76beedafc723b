"""What speaks for the probable cause of a document's difference. Naming the cause is not here (causes.py)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from kolleno_pipelines.rules.allocated import Linked
from kolleno_pipelines.rules.breaks import as_json, moment, plain
from kolleno_pipelines.rules.columns import Places, find, optional_texts, rows_of, taken, texts
from kolleno_pipelines.rules.residuals import Parts
from kolleno_pipelines.rules.scaled import decimal
from kolleno_pipelines.schemas.results import Cause

SHOWN = 5  # entries of one kind per document
_Notes = dict[int, dict[str, list[Mapping[str, object]]]]


def evidence(linked: Linked, arose: Parts, differing: Places, parked_links: pa.Table) -> dict[int, str]:
    """Return JSON objects by place of the document.

    `arose`: inputs after first sight in which the difference did; `not_counted`: allocations of voided documents or
    other currencies;
    `waiting`: parked allocation rows (PARKED_LINKS) that name the document, with the parent they wait for.
    """
    wanted = np.zeros(len(linked), dtype=np.bool_)
    wanted[differing] = True
    notes: _Notes = {}
    columns = (arose.document.tolist(), arose.amount.tolist(), arose.moment.tolist())
    for place, amount, at in zip(*columns, strict=True):
        if not wanted[place]:
            continue
        _note(notes, place, "arose", {"input": moment(at), "amount": plain(decimal(amount))})
    _note_not_counted(notes, linked, np.flatnonzero(wanted[linked.allocation_document] & ~linked.allocation_counts))
    for place, row in _waiting_rows(linked, parked_links):
        if wanted[place]:
            _note(notes, place, "waiting", {name: value for name, value in row.items() if name != "source_id"})
    return {place: as_json(entries) for place, entries in notes.items()}


def waiting(linked: Linked, parked_links: pa.Table) -> dict[int, Cause]:
    """Return the cause by place of documents that parked allocation rows name.

    The parent they wait for may be parked itself; else it was never sent: a missing document.
    """
    causes: dict[int, Cause] = {}
    for place, row in _waiting_rows(linked, parked_links):
        if row["parent_is_parked"]:
            causes[place] = Cause.PARKED
        else:
            causes.setdefault(place, Cause.MISSING_DOCUMENT)
    return causes


def _waiting_rows(linked: Linked, parked_links: pa.Table) -> list[tuple[int, dict[str, object]]]:
    places = find(parked_links["source_id"], linked.part.documents["source_id"]).tolist()
    return [(place, row) for place, row in zip(places, rows_of(parked_links), strict=True) if place >= 0]


def _note_not_counted(notes: _Notes, linked: Linked, aside: Places) -> None:
    names = ("other_kind", "other_source_id")
    kinds, ids = (texts(taken(linked.allocations[name], aside)) for name in names)
    statuses = optional_texts(taken(linked.allocations["other_posting_status"], aside))
    currencies = optional_texts(taken(linked.allocations["other_currency_iso"], aside))
    places = linked.allocation_document[aside].tolist()
    for place, kind, source_id, status, currency in zip(places, kinds, ids, statuses, currencies, strict=True):
        entry = {"kind": kind, "source_id": source_id, "posting_status": status, "currency_iso": currency}
        _note(notes, place, "not_counted", entry)


def _note(notes: _Notes, place: int, name: str, entry: Mapping[str, object]) -> None:
    entries = notes.setdefault(place, {}).setdefault(name, [])
    if len(entries) < SHOWN:
        entries.append(entry)
