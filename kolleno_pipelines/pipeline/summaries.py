"""Files, changes and results as several commands tell them, in words and as JSON. Nothing is computed here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kolleno_pipelines.pipeline.result_summary import ResultSummary
from kolleno_pipelines.storage.fold_report import Changes
from kolleno_pipelines.storage.ledger import LedgerFile

_SHOWN = ("name", "type", "receipt", "status", "message", "rows_read", "rows_accepted", "rows_rejected", "warnings")


def file_summary(file: LedgerFile) -> dict[str, Any]:
    """Return what became of a file."""
    return {name: getattr(file, name) for name in _SHOWN} | {"day": file.partition_day, "codes": file.code_counts}


def result_summary(result: ResultSummary) -> dict[str, Any]:
    """Return what became of a result."""
    return {"result": result.result, "rows": result.rows, "changes": vars(result.changes), "counts": result.counts}


def changed_words(entities: Mapping[str, Changes]) -> Iterator[str]:
    """Yield what a fold changed, if anything."""
    changed = {entity: c for entity, c in entities.items() if c.new or c.changed or c.gone}
    if changed:
        yield "Changed: " + ", ".join(f"{entity} {_counts(c.new, c.changed, c.gone)}" for entity, c in changed.items())


def reconciled_words(results: Sequence[ResultSummary]) -> Iterator[str]:
    """Yield how many breaks there are, if the results were computed."""
    found = {result.result: result for result in results}
    if (breaks := found.get("differences")) is not None:
        red = breaks.counts.get("red", 0)
        known = breaks.rows - red
        yield f"Reconciled: {red} breaks ask for somebody, {known} are opening or accepted."


def _counts(new: int, changed: int, gone: int) -> str:
    parts = ((new, "new"), (changed, "changed"), (gone, "gone"))
    return ", ".join(f"{number} {word}" for number, word in parts if number)
