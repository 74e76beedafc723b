"""The connector of a connection as its settings want it: with all of a payment's links, or without those past the cap.

What is past the cap is marked by the normaliser (`beyond_cap`); nothing is counted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute

from kolleno_pipelines.connections import ApiConnection, QuickBooksConnection
from kolleno_pipelines.connectors.contract import Connector
from kolleno_pipelines.connectors.registry import connector_of
from kolleno_pipelines.schemas.records import Normalised

_pc: Any = pyarrow.compute


def connector_for(connection: ApiConnection) -> Connector:
    """Return the connector of a connection; KeyError for a system that has none."""
    connector = connector_of(connection.system)
    if isinstance(connection, QuickBooksConnection) and connection.link_cap is not None:
        return replace(connector, normalise=_capped(connector.normalise))
    return connector


def _capped(normalise: Callable[[str, pa.Table], Normalised]) -> Callable[[str, pa.Table], Normalised]:
    def within_cap(extract: str, table: pa.Table) -> Normalised:
        said = normalise(extract, table)
        rows = said.rows.get("allocations")
        if rows is not None:
            kept = _pc.invert(_pc.fill_null(rows["beyond_cap"], False))
            said.rows["allocations"] = rows.filter(kept)
        return said

    return within_cap
