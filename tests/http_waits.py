"""What tests of the HTTP client share: waits that do not wait, limits that remember."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kolleno_pipelines.connectors.http import Timing
from kolleno_pipelines.schemas.rates import LimitNotice


@dataclass
class Waits:
    """Takes the pauses instead of sleeping; chance is always the most there is."""

    slept: list[float] = field(default_factory=list)
    draw: float = 1.0

    @property
    def timing(self) -> Timing:
        return Timing(sleep=self.slept.append, draw=lambda: self.draw)


@dataclass
class Noted:
    """Limits that remember what they were told."""

    notices: list[LimitNotice] = field(default_factory=list)
    turns: int = 0
    received: list[int] = field(default_factory=list)

    @contextmanager
    def acquire(self) -> Iterator[None]:
        self.turns += 1
        yield

    def note(self, notice: LimitNotice) -> None:
        self.notices.append(notice)

    def count(self, received: int) -> None:
        self.received.append(received)
