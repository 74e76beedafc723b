"""What the arrivals sensor remembers between ticks: which day it started for which files, how often. No Dagster."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

VERSION = 1
MOST_ATTEMPTS = 5
_FIRST_PAUSE = timedelta(minutes=1)


@dataclass
class Attempt:
    """Starts for the same files of one day: `signature` names files and contents, `since` when they became due."""

    signature: str
    since: str
    number: int = 0
    last: str = ""
    has_given_up: bool = False

    def may_start(self, now: datetime) -> bool:
        """Whether another start is due: at once, then after 1, 2, 4, 8 minutes."""
        if self.number == 0:
            return True
        pause: timedelta = _FIRST_PAUSE * (1 << (self.number - 1))
        return now >= datetime.fromisoformat(self.last) + pause


@dataclass
class Decision:
    """Days to start now, and days given up just now."""

    start: list[date] = field(default_factory=list)
    given_up: list[date] = field(default_factory=list)


@dataclass
class Memory:
    """The sensor's cursor as a value: attempts by day, and alerts that the webhook did not take."""

    days: dict[str, Attempt] = field(default_factory=dict)
    unsent: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, cursor: str | None) -> "Memory":
        """Read a cursor; an unknown version or damaged text is forgotten: what is due is decided by the ledger."""
        try:
            stored = json.loads(cursor or "{}")
            if stored.get("version") != VERSION:
                return cls()
            days = {day: Attempt(**attempt) for day, attempt in stored["days"].items()}
            return cls(days, list(stored.get("unsent", [])))
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls()

    def write(self) -> str:
        """Return the cursor to keep."""
        days = {day: asdict(attempt) for day, attempt in sorted(self.days.items())}
        return json.dumps({"version": VERSION, "days": days, "unsent": self.unsent})

    def decide(self, due: Mapping[date, str], busy: Iterable[date], now: datetime) -> Decision:
        """Take the days due (with the signature of their files) and decide which to start; counts those.

        A day on which somebody works waits. The same files are started MOST_ATTEMPTS times, then given up until they
        change; a day that is no longer due is forgotten.
        """
        self.days = {key: attempt for key, attempt in self.days.items() if date.fromisoformat(key) in due}
        decision, working = Decision(), set(busy)
        for day, signature in sorted(due.items()):
            attempt = self.days.get(day.isoformat())
            if attempt is None or attempt.signature != signature:
                attempt = self.days[day.isoformat()] = Attempt(signature, now.isoformat())
            if day in working or attempt.has_given_up:
                continue
            if attempt.number >= MOST_ATTEMPTS:
                if attempt.may_start(now):
                    attempt.has_given_up = True
                    decision.given_up.append(day)
            elif attempt.may_start(now):
                attempt.number += 1
                attempt.last = now.isoformat()
                decision.start.append(day)
        return decision

    def run_key(self, first: date, last: date) -> str:
        """Return a key for one start of [first, last]: never the same for another start."""
        parts = [
            f"{day} {attempt.signature} {attempt.since} {attempt.number}"
            for day, attempt in sorted(self.days.items())
            if first.isoformat() <= day <= last.isoformat()
        ]
        return f"{first} {last} {hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}"


def signature_of(contents: Mapping[str, tuple[int, datetime | None] | None]) -> str:
    """Return a short name of files with their contents: size and time of change; None for what is in the archive."""
    text = json.dumps(sorted((name, _seen(content)) for name, content in contents.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _seen(content: tuple[int, datetime | None] | None) -> str:
    if content is None:
        return "taken"
    size, modified = content
    return f"{size} {modified.astimezone(UTC).isoformat() if modified else ''}"
