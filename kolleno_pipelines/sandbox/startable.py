"""What runs between a start and a stop, as a context manager. What runs is said by those who derive from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Startable(ABC):
    """Use as a context manager, or `start` and `stop`."""

    @abstractmethod
    def start(self) -> None:
        """Begin, and return when it runs."""

    @abstractmethod
    def stop(self) -> None:
        """End; it may be started again."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
