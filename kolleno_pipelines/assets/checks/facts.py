"""One fact that should hold: its verdict in words, and the rows that speak against it. No fact is judged here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg


@dataclass(frozen=True)
class Fact:
    """The verdict of a check: `name` on `asset_key`; `is_red` tells an error from a warning."""

    asset_key: dg.AssetKey
    name: str
    holds: bool
    words: str
    metadata: Mapping[str, int | str | dg.MetadataValue[Any]] = field(default_factory=dict)
    is_red: bool = True

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """What a fact that does not hold means."""
        return dg.AssetCheckSeverity.ERROR if self.is_red else dg.AssetCheckSeverity.WARN

    def result(self) -> dg.AssetCheckResult:
        """Return the fact as the result of a check in a run."""
        return dg.AssetCheckResult(
            asset_key=self.asset_key,
            check_name=self.name,
            passed=self.holds,
            severity=self.severity,
            description=self.words,
            metadata=self.metadata,
        )

    def evaluation(self) -> dg.AssetCheckEvaluation:
        """Return the fact as a sensor reports it, without a run."""
        return dg.AssetCheckEvaluation(
            asset_key=self.asset_key,
            check_name=self.name,
            passed=self.holds,
            severity=self.severity,
            description=self.words,
            metadata=self.metadata,
        )


def wanted_results(context: dg.AssetCheckExecutionContext, facts: Iterable[Fact]) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the checks that the run asks for."""
    wanted = context.selected_asset_check_keys
    for fact in facts:
        if dg.AssetCheckKey(fact.asset_key, fact.name) in wanted:
            yield fact.result()
