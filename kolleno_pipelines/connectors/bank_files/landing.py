"""The extracts of bank files: which payloads there are, and which of their fields. Nothing is read here.

A payload holds the bank's own XML in `xml` (of a statement without its entries), and beside it the file, the line where
it begins, when the document was made, and what cannot be told from the piece alone. The payload of a file holds its
checksum, and the pieces of which nothing could be made, with the reason.
"""

from __future__ import annotations

import pyarrow as pa

from kolleno_pipelines.connectors.contract import Extract, Pass

TEXT, COUNT = pa.string(), pa.int64()
#: A file may come with an old date, as a move keeps it: a sweep looks at all of them.
_PASSES = frozenset({Pass.CHANGES, Pass.SWEEP})
_ALWAYS: dict[str, pa.DataType] = {"id": TEXT, "file": TEXT, "created": TEXT}
_PIECE: dict[str, pa.DataType] = {**_ALWAYS, "xml": TEXT, "file_line": COUNT}
_FAULTS = pa.list_(pa.struct([("line", COUNT), ("fault", TEXT), ("xml", TEXT)]))


def _extract(name: str, vendor_object: str, fields: dict[str, pa.DataType]) -> Extract:
    return Extract(name, vendor_object, pa.schema(list(fields.items())), _PASSES)


EXTRACTS: tuple[Extract, ...] = (
    _extract(
        "files",
        "Document",
        {**_ALWAYS, "sha256": TEXT, "statements": COUNT, "entries": COUNT, "faults": _FAULTS},
    ),
    _extract("accounts", "Acct", _PIECE),
    _extract(
        "statements",
        "Stmt",
        {**_PIECE, "account": TEXT, "kind": TEXT, "ref": TEXT, "entries": COUNT, "booked": TEXT},
    ),
    _extract("entries", "Ntry", {**_PIECE, "account": TEXT, "statement": TEXT}),
)
