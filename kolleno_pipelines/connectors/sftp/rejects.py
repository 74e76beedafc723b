"""Rejected rows as a CSV that a person corrects and uploads again. Which rows are rejected is decided elsewhere.

The file is `<type>_<origin time>.fixN.csv` (`names.fix_name`): the columns of the origin, then `reject_line`,
`reject_codes` and `reject_messages`, which a re-upload ignores. A cell that a spreadsheet would run as a formula gets a
leading apostrophe; a re-upload that still has one of those three columns undoes it. Ragged rows keep the number of
cells that they had, so that one uploaded uncorrected is rejected again instead of loading shifted.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from kolleno_pipelines.schemas.escapes import REJECT_COLUMNS, escape
from kolleno_pipelines.schemas.findings import RejectedRow


def export_rejects(names: Sequence[str], rows: Iterable[RejectedRow]) -> Iterator[str]:
    """Yield the lines of the export, header first; `names` are the origin's columns (`Header.names`)."""
    yield _line([*names, *REJECT_COLUMNS])
    for row in rows:
        codes = " ".join(dict.fromkeys(finding.code.value for finding in row.findings))
        messages = "; ".join(finding.message for finding in row.findings)
        yield _line([*row.cells, str(row.line), codes, messages])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    # With CRLF as line end a lone CR or LF inside a cell is quoted too.
    csv.writer(text, lineterminator="\r\n").writerow([escape(cell) for cell in cells])
    return text.getvalue()
