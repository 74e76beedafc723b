"""What is wrong with a file or a row, in one shape for every report. No rule that decides so, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kolleno_pipelines.schemas.codes import Code, Level, level_of

SHOWN_CHARACTERS = 80


def printable(text: str) -> str:
    """Return the text with every control, format or undecodable character as its escape; safe on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "replace").decode("ascii")
        for character in text
    )


def shown(value: str) -> str:
    """Return a cell as reports show it: printable and cut at 80 characters (design 9)."""
    cut = value if len(value) <= SHOWN_CHARACTERS else value[: SHOWN_CHARACTERS - 1] + "…"
    return printable(cut)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; `line` is physical, where the record begins (the header is 1), None for the whole file."""

    line: int | None
    column: str | None
    value: str | None
    code: Code
    message: str

    @property
    def level(self) -> Level:
        """What the finding does to its file or row."""
        return level_of(self.code)

    def to_json(self) -> dict[str, str | int | None]:
        """Return the shape that `kolleno check --json` prints."""
        return {
            "line": self.line,
            "column": self.column,
            "value": self.value,
            "code": self.code.value,
            "level": self.level.value,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that is kept aside: `raw_text` as it stood (no line end), its cells, and why (rejecting findings only)."""

    line: int
    raw_text: str
    cells: Sequence[str]
    findings: Sequence[Finding]


class FileFailed(Exception):  # noqa: N818 - it is what happened to the file, and the ledger's word
    """A fault of the whole file: nothing of it loads; `findings` says why, all of the same moment."""

    def __init__(self, findings: Finding | Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = (findings,) if isinstance(findings, Finding) else tuple(findings)
        super().__init__("; ".join(finding.message for finding in self.findings))


def file_fault(code: Code, message: str, *, line: int | None = None, column: str | None = None) -> FileFailed:
    """Return the exception for one fault of the whole file."""
    return FileFailed(Finding(line, column, None, code, message))
