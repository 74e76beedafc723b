"""Options that several commands share. What the commands do does not belong here."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer


def parse_day(text: str) -> date:
    """Return the day that `YYYY-MM-DD` names. Raises BadParameter."""
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise typer.BadParameter(f"{text!r} is not a day such as 2026-03-31")


def parse_moment(text: str) -> datetime:
    """Return the moment that an ISO text with offset names. Raises BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a moment such as 2026-03-31T12:00:00+00:00") from None
    if moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} states no offset from UTC: write it as in 2026-03-31T12:00:00+00:00")
    return moment


def Day(flag: str, text: str) -> Any:  # noqa: N802 - reads as a type where it is used
    """Return the option for one day."""
    return typer.Option(flag, parser=parse_day, metavar="DAY", help=f"{text} YYYY-MM-DD.")


def refuse_two_forms(csv_file: Path | None, *, as_json: bool) -> None:
    """Refuse --json beside --csv: a command gives its data in one form. Raises BadParameter."""
    if as_json and csv_file is not None:
        raise typer.BadParameter("it does not go with --csv; choose one of them", param_hint="--json")


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
