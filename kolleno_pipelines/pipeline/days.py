"""Which days a person may ask for. What is done with them does not belong here."""

from datetime import date


class DaysError(ValueError):
    """The range cannot be worked on; the text is one sentence."""


def require_days(first: date, last: date, first_day: date, today: date) -> None:
    """Raise DaysError unless [first, last] is a range within `first_day` and today."""
    if last < first:
        raise DaysError(f"--to {last} lies before --from {first}.")
    if first < first_day or last > today:
        raise DaysError(
            f"{first} to {last} is not within {first_day} (KOLLENO_FIRST_DAY) and today, {today}: choose other days."
        )
