"""Which days may be asked for, and days as ranges. What is done with them does not belong here."""

from collections.abc import Iterable
from datetime import date, timedelta


class DaysError(ValueError):
    """The range cannot be worked on; the text is one sentence."""


def days_within(first: date, last: date, first_day: date, today: date) -> tuple[date, date]:
    """Return what of [first, last] lies within `first_day` and today. Raises DaysError when nothing does.

    A range may reach beyond: "everything until the end of the year" is asked for in November too.
    """
    if last < first:
        raise DaysError(f"--to {last} lies before --from {first}.")
    if last < first_day or first > today:
        raise DaysError(
            f"No day from {first} to {last} lies within {first_day} (KOLLENO_FIRST_DAY) and today, {today}:"
            " choose other days."
        )
    return max(first, first_day), min(last, today)


def ranges(days: Iterable[date], longest: int | None = None) -> list[tuple[date, date]]:
    """Return days as ranges (first, last) without gaps, none longer than `longest` days."""
    cut: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if cut and day - cut[-1][1] == timedelta(days=1) and (longest is None or (day - cut[-1][0]).days < longest):
            cut[-1] = (cut[-1][0], day)
        else:
            cut.append((day, day))
    return cut


def days_of(first: date, last: date) -> list[date]:
    """Return every day of [first, last]."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
