"""When a listed file is complete and whether it must be fetched (design 8). Pure: moments are arguments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kolleno_pipelines.schemas.sightings import Sighting

_OLD_ENOUGH = timedelta(seconds=60)


def is_complete(sighting: Sighting, server_now: datetime, settle: timedelta) -> bool:
    """Tell whether the sender has finished: unchanged over two looks `settle` apart, or not touched for a minute."""
    if sighting.modified_at <= server_now - _OLD_ENOUGH:
        return True
    return sighting.seen_at - sighting.changed_at >= settle


def is_new(sighting: Sighting, seen: tuple[int, datetime | None] | None) -> bool:
    """Tell whether the content noted last of this name is not this one, judged by size and time of change."""
    return seen != (sighting.size, sighting.modified_at)


@dataclass(frozen=True)
class Arrived:
    """A complete file that waits to be taken: its day, and whether its batch is complete or it replaces another."""

    name: str
    day: date
    urgent: bool
    complete_since: datetime


def due_days(arrived: Iterable[Arrived], now: datetime, patience: timedelta) -> dict[date, list[str]]:
    """Return the days that need a run, with the names that are the reason.

    A day is due when a file completes its batch or replaces another, or when a file has waited `patience` for its
    companions: it is then read early, so that its faults are known while the sender is still at work.
    """
    days: dict[date, list[str]] = {}
    for file in arrived:
        if file.urgent or now - file.complete_since >= patience:
            days.setdefault(file.day, []).append(file.name)
    return days
