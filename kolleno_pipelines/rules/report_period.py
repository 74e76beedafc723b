"""Which period a provider's report covers, and whether its moments are those of its time zone. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kolleno_pipelines.schemas.payout_report import Asked, Offsets, Period, ReportName

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_LAST = date.max - _DAY  # the end of a day beyond it cannot be told
#: Local times of the same moment are at most so far apart, where both are near where somebody works.
_FARTHEST = 15 * _HOUR


def report_period(
    asked: Asked, named: ReportName | None, zone: str, span: tuple[datetime, datetime] | None
) -> Period | None:
    """Return the period: as a person says, as the file's name says, or between the payouts that the file holds.

    span: when the first and the last of them take effect. Other payouts of these two days may be left out by intent,
    since a report may be of one payout: they are not missed. None: nothing tells.
    """
    if asked.first is not None and asked.last is not None:
        return _days(asked.first, asked.last, zone, "--from and --to")
    if named is not None:
        return _days(named.first, named.last, zone, "the file's name")
    if span is None:
        return None
    first, last = (datetime.combine(moment.astimezone(UTC).date(), time(), UTC) for moment in span)
    return Period(first + _DAY, last, "the payouts in it") if first + _DAY < last else None


def _days(first: date, last: date, zone: str, told_by: str) -> Period:
    start, end = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, min(last, _LAST) + _DAY))
    return Period(start, end, told_by)


def days_of(period: Period, zone: str) -> str:
    """Return the first and the last day of a period, as a person would say it in a time zone."""
    start, last = (moment.astimezone(ZoneInfo(zone)) for moment in (period.start, period.end - timedelta(seconds=1)))
    return f"{start:%Y-%m-%d} to {last:%Y-%m-%d} ({zone})"


def zone_fault(offsets: Offsets) -> str | None:
    """Return how far the moments are from the API's, in words, where every one is off as those of another zone are."""
    least, most = offsets.least, offsets.most
    if least is None or most is None or offsets.equal or not offsets.in_quarters:
        return None
    sizes = sorted({abs(least), abs(most)})
    if sizes[-1] >= _FARTHEST or (least < timedelta(0) < most):
        return None
    told = " to ".join(f"{size // _HOUR}:{size % _HOUR // timedelta(minutes=1):02d}" for size in sizes)
    return f"{told} hours {'before' if least < timedelta(0) else 'after'}"
