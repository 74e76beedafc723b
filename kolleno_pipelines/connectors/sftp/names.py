"""What a file's name says: its type, the moment it speaks for, its fix number, and whether to take it now.

Nothing here looks into a file, at a clock or at a folder.

A name is `<type>_YYYY-MM-DDTHH:MM:SS[.fixN].csv` (article 11647004); `-` may stand for each `:`, which Windows forbids
(design 8). Names that begin with a dot or end in `.part` or `.tmp` are of files still being written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import Finding, printable, shown
from kolleno_pipelines.schemas.sftp_tables import TableName

# No zone is further than 14 hours ahead of UTC: a name up to that far ahead may be honest local time.
AHEAD_TAKEN = timedelta(hours=14)

# Longest type first: `payments_` begins `payments_invoices_` too.
_TYPES = "|".join(sorted((table.value for table in TableName), key=len, reverse=True))
# A file of ours that was put beside the drop folder instead of into it: one of the seven types, then a separator.
_LOOKS_LIKE_OURS = re.compile(rf"({_TYPES})[_ .-].*\.csv", re.IGNORECASE | re.DOTALL)
_NAME = re.compile(
    rf"(?P<type>{_TYPES})_"
    r"(?P<time>(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<h>[0-9]{2})(?P<s>[:-])(?P<m>[0-9]{2})(?P=s)(?P<sec>[0-9]{2}))"
    r"(?:\.fix(?P<fix>[1-9][0-9]{0,3}))?\.csv"
)


@dataclass(frozen=True, slots=True)
class FileName:
    """A name that says what it should: `name_time` is aware and in UTC, `fix` is 0 for an original file."""

    type: TableName
    name_time: datetime
    fix: int
    time_text: str

    @property
    def canonical(self) -> str:
        """The name with colons: `-` and `:` spellings of one moment are one name."""
        day, _, time = self.time_text.partition("T")
        return _spell(self.type, f"{day}T{time.replace('-', ':')}", self.fix)


class Standing(StrEnum):
    """What to do with a listed name now."""

    READY = "ready"
    HELD = "held"  # looked at again later
    IGNORED = "ignored"  # never read under this name, and said so
    UNFINISHED = "unfinished"  # not a file yet: a dot name, .part or .tmp


@dataclass(frozen=True, slots=True)
class Classified:
    """One name's standing; `finding` is set for everything that is not simply ready or unfinished."""

    standing: Standing
    file: FileName | None = None
    finding: Finding | None = None


def is_unfinished(name: str) -> bool:
    """Whether the name is of a file that is still being written (design 8)."""
    return name.startswith(".") or name.lower().endswith((".part", ".tmp"))


def looks_like_ours(exact: bytes) -> bool:
    """Whether a name outside the drop folder reads like one of the seven CSV files."""
    return _LOOKS_LIKE_OURS.fullmatch(exact.decode("utf-8", "replace")) is not None


def parse_name(name: str, *, timezone: str | tzinfo = UTC) -> FileName | Code | None:
    """Return what the name says, `unexpected_name` or `not_csv` when it says nothing, None when it is no file yet.

    The time is read in the connection's zone; where a clock change makes it ambiguous or impossible, the offset before
    the change holds, so that the same name always means the same moment.
    """
    if is_unfinished(name):
        return None
    if not name.lower().endswith(".csv"):
        return Code.NOT_CSV
    match = _NAME.fullmatch(name)
    if match is None:
        return Code.UNEXPECTED_NAME
    zone = ZoneInfo(timezone) if isinstance(timezone, str) else timezone
    try:
        text = f"{match['day']}T{match['h']}:{match['m']}:{match['sec']}"
        moment = datetime.fromisoformat(text).replace(tzinfo=zone, fold=0).astimezone(UTC)
    except (ValueError, OverflowError):
        return Code.UNEXPECTED_NAME
    return FileName(TableName(match["type"]), moment, int(match["fix"] or 0), match["time"])


def classify(name: str, *, now: datetime, first_day: date, timezone: str | tzinfo = UTC) -> Classified:
    """Return whether a listed name is taken now, held, ignored or not yet a file (design 8).

    `now` is aware; `first_day` is the first partition. A name up to 14 hours ahead is ready and carries a finding.
    """
    parsed = parse_name(name, timezone=timezone)
    if parsed is None:
        return Classified(Standing.UNFINISHED)
    if isinstance(parsed, Code):
        return Classified(Standing.IGNORED, finding=_name_finding(name, parsed))
    if parsed.name_time.date() < first_day:
        message = (
            f"the name's day {parsed.name_time.date()} (UTC) lies before {first_day}, the first day of this pipeline"
        )
        finding = _finding(name, Code.BEFORE_START, f"{message}; expected a later day, or an earlier KOLLENO_FIRST_DAY")
        return Classified(Standing.IGNORED, parsed, finding)
    ahead = parsed.name_time - now
    if ahead > AHEAD_TAKEN:
        message = f"the time in the name is {_hours(ahead)} ahead of now; the file is held, expected at most 14 hours"
        return Classified(Standing.HELD, parsed, _finding(name, Code.DATED_IN_FUTURE, message))
    if ahead > timedelta(0):
        message = f"the time in the name is {_hours(ahead)} ahead of now; taken, expected the time of upload"
        return Classified(Standing.READY, parsed, _finding(name, Code.DATED_IN_FUTURE, message))
    return Classified(Standing.READY, parsed)


def partition_day(name_time: datetime, today: date) -> date:
    """Return the day a file belongs to: the earlier of its name's day in UTC and today (design 8)."""
    return min(name_time.astimezone(UTC).date(), today)


def fix_name(name: FileName, number: int = 1) -> str:
    """Return the name under which corrected rows of a file are sent: `<type>_<origin time>.fixN.csv` (design 8)."""
    if number < 1:
        msg = f"a fix number is 1 or more, not {number}"
        raise ValueError(msg)
    return _spell(name.type, name.time_text, number)


def printable_name(name: str) -> str:
    """Return a hostile name so that it can stand in a message, a log line or a terminal (at most 255 characters)."""
    return printable(name[:255])


def _spell(type_: TableName, time_text: str, fix: int) -> str:
    return f"{type_.value}_{time_text}{f'.fix{fix}' if fix else ''}.csv"


def _hours(ahead: timedelta) -> str:
    minutes = int(ahead.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _name_finding(name: str, code: Code) -> Finding:
    if code is Code.NOT_CSV:
        return _finding(name, code, f"'{shown(name)}' is not a .csv file, expected CSV (UTF-8, commas)")
    types = ", ".join(table.value for table in TableName)
    expected = f"expected <type>_YYYY-MM-DDTHH:MM:SS.csv with a type of {types}"
    return _finding(name, code, f"'{shown(name)}' names no type and time of upload, {expected}")


def _finding(name: str, code: Code, message: str) -> Finding:
    return Finding(None, None, shown(name), code, message)
