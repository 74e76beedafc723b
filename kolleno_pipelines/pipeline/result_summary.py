"""What one computation of a result came to, for whoever started it. Computing results does not belong here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kolleno_pipelines.storage.results import Changes, Stage

WORST = 20


@dataclass(frozen=True)
class ResultSummary:
    """What one computation came to: rows that exist now, rows changed, counts, money by connection and currency.

    `totals` are rows of connection, currency_iso and amounts; `worst` the rows that a person looks at first;
    `is_taken_over`: another run had computed it, and it was read as stored.
    """

    result: str
    rows: int
    changes: Changes
    counts: Mapping[str, int] = field(default_factory=dict)
    totals: Sequence[Mapping[str, Any]] = ()
    worst: Sequence[Mapping[str, Any]] = ()
    is_taken_over: bool = False


def merge_stages(connections: Iterable[str], *stages: Stage, days: Sequence[date] | None = None) -> Changes:
    """Merge staged results of the connections (and days) and return what changed."""
    names = list(connections)
    return sum((stage.merge(names, days) for stage in stages), Changes())
