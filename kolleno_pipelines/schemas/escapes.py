"""The apostrophe that keeps a spreadsheet from running a cell as a formula, and the columns an export adds.

What is exported, and how a re-upload is read, does not belong here.
"""

from __future__ import annotations

import re

REJECT_COLUMNS = ("reject_line", "reject_codes", "reject_messages")

# A cell that already has apostrophes before such a character gets one more: undoing is then exact.
_RUN_AS_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n]")
_NEGATIVE_NUMBER = re.compile(r"-[0-9]+(\.[0-9]+)?")

# The same for Arrow's RE2: the first apostrophe goes.
ESCAPED_PATTERN = r"^'('*[=+\-@\t\r\n])"


def escape(cell: str) -> str:
    """Return the cell as a spreadsheet shows it; a plain negative number stays a number."""
    if _RUN_AS_FORMULA.match(cell) and not _NEGATIVE_NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unescape(cell: str) -> str:
    """Return what `escape` was given."""
    return cell[1:] if _ESCAPED.match(cell) else cell
