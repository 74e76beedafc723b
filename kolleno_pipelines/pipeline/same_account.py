"""A connection to a payment provider stays with its account: what it told before, it must have. Nothing is kept.

A key says nothing of its account, and a restricted one may not ask. A row of the balance never leaves its account, and
neither another account nor the other mode (live, test) has it. Rows that have landed and are not folded yet, as where a
first reading was stopped, are known from the archive.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from kolleno_pipelines.connectors.contract import Connector, Pass, Window
from kolleno_pipelines.connectors.errors import NeedsHuman
from kolleno_pipelines.connectors.payload_blocks import payload_blocks
from kolleno_pipelines.pipeline.parts import Extracted, Reading
from kolleno_pipelines.storage import extracts, renewals
from kolleno_pipelines.storage.archive import ArchiveError

_ROW = "balance_transaction"
#: Of so many rows one must be there.
_ASKED = 3


def rows_of(connector: Connector) -> str:
    """Return the extract of the rows of the balance; KeyError where a provider has none."""
    found = connector.lookup_of(_ROW, "")
    if found is None:
        raise KeyError(f"{connector.system} has no {_ROW}")
    return found[0]


def require_same_account(reading: Reading) -> Extracted:
    """Ask for a row of the balance that is known, if any is. Raises NeedsHuman where the provider has none of some.

    The first that is there is enough: a row may have been told that never was.
    """
    with reading.deployment.transaction() as conn:
        known = renewals.some_rows(conn, reading.connection, _ASKED)
    known = known or list(islice(_landed(reading), _ASKED))
    window = Window(Pass.LOOKUP, None, reading.clock(), tuple(known))
    if known and not any(True for _ in reading.source.records(reading.extract, window)):
        raise NeedsHuman(
            f"The key opens another account, or another mode (live, test), than was read before: {known[0]} is not"
            " there. Write the key of that account where connections.yaml says that it is kept, or add a connection"
            " of another name for this one.",
            reading.connection,
        )
    return Extracted()


def _landed(reading: Reading) -> Iterator[str]:
    """Yield the ids of rows that have landed and are not folded."""
    deployment, extract = reading.deployment, reading.extract
    with deployment.transaction() as conn:
        waiting = extracts.extracts_to_fold(conn, reading.connection, extract.name)
    for part in waiting:
        try:
            with deployment.archive.open(part.sha256) as stream:
                for table, _ in payload_blocks(stream, extract.schema, forms=extract.forms):
                    yield from filter(None, table.column(0).to_pylist())
        except (ArchiveError, OSError):
            continue  # it is told when the part is normalised
