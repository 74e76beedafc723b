"""The columns of an entity that serves a ledger, for the graph: made of what normalisers give, and words."""

from __future__ import annotations

from collections.abc import Mapping

from kolleno_pipelines.schemas.model_columns import Columns, ModelColumn
from kolleno_pipelines.schemas.record_tables import SQL_TYPES, RecordTable

_KEY = (
    ModelColumn("connection", "text", "configured account that the record came from"),
    ModelColumn("source_id", "text", "the record's id there"),
)
_TRACE = (
    ModelColumn("observed_at", "timestamptz", "version of the newest change"),
    ModelColumn("origin", "text", "payload that the newest change came from"),
    ModelColumn("loaded_at", "timestamptz", "when the row was written"),
)


def serving_columns(table: RecordTable, meanings: Mapping[str, str]) -> Columns:
    """Return the columns of an entity with what they mean; a customer is one of the ledger that is served."""
    own: list[ModelColumn] = []
    for name, cell in table.columns.items():
        if name == "customer_source_id":
            own.append(ModelColumn("customer_connection", "text", "the ledger that is served"))
        own.append(ModelColumn(name, SQL_TYPES[cell], meanings[name]))
    return (*_KEY, *own, *_TRACE)
