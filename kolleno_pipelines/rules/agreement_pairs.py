"""Documents of a ledger and a mirror that are known by one key: usually one on each side. Nothing is compared here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kolleno_pipelines.schemas.agreement import SideDocument


class Key(NamedTuple):
    """What a document is known by on both sides; one without a ref, by its customer too."""

    kind: str
    ref: str
    currency: str
    day: str
    customer: str


@dataclass
class Pair:
    """Documents that are known by one key: usually one on each side.

    Sums are compared, since one system may keep as one payment what another keeps as several.
    """

    ledger: list[SideDocument] = field(default_factory=list)
    mirror: list[SideDocument] = field(default_factory=list)

    @property
    def counts(self) -> tuple[bool, bool]:
        """Whether each side has a posted document."""
        return any(one.is_posted for one in self.ledger), any(one.is_posted for one in self.mirror)

    @property
    def every(self) -> list[SideDocument]:
        """The documents of both sides."""
        return [*self.ledger, *self.mirror]


def paired(ledger: Iterable[SideDocument], mirror: Iterable[SideDocument]) -> dict[Key, Pair]:
    """Return the documents of both sides by key."""
    found: dict[Key, Pair] = {}
    for name, documents in (("ledger", ledger), ("mirror", mirror)):
        for one in documents:
            ref = one.ref or ""
            key = Key(one.kind, ref, one.currency_iso, one.date_issued.isoformat(), "" if ref else one.customer)
            getattr(found.setdefault(key, Pair()), name).append(one)
    return found
