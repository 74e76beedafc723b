"""What tests of the HTTP client share: a small vendor, waits that do not wait."""

from __future__ import annotations

from dataclasses import dataclass, field

from kolleno_pipelines.connectors.http import Timing


@dataclass
class Waits:
    """Takes the pauses instead of sleeping; chance is always the most there is."""

    slept: list[float] = field(default_factory=list)
    draw: float = 1.0

    @property
    def timing(self) -> Timing:
        return Timing(sleep=self.slept.append, draw=lambda: self.draw)
