"""Files and results as the `--json` of several commands shows them. Nothing is computed here."""

from __future__ import annotations

from typing import Any

from kolleno_pipelines.pipeline.reconcile import ResultSummary
from kolleno_pipelines.storage.ledger import LedgerFile

_SHOWN = ("name", "type", "receipt", "status", "message", "rows_read", "rows_accepted", "rows_rejected", "warnings")


def file_summary(file: LedgerFile) -> dict[str, Any]:
    """Return what became of a file."""
    return {name: getattr(file, name) for name in _SHOWN} | {"day": file.partition_day, "codes": file.code_counts}


def result_summary(result: ResultSummary) -> dict[str, Any]:
    """Return what became of a result."""
    return {"result": result.result, "rows": result.rows, "changes": vars(result.changes), "counts": result.counts}
