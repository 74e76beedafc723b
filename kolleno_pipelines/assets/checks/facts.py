"""One fact that should hold: its verdict in words, and the rows that speak against it. No fact is judged here."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from kolleno_pipelines.pipeline.runs import judging
from kolleno_pipelines.resources.deployment import DeploymentResource


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
    def key(self) -> dg.AssetCheckKey:
        """Which check it is the verdict of."""
        return dg.AssetCheckKey(self.asset_key, self.name)

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


def told(
    context: dg.AssetCheckExecutionContext, deployment: DeploymentResource, judge: Callable[[], Iterable[Fact]]
) -> list[dg.AssetCheckResult]:
    """Judge facts now and return the results of the checks that the run asks for.

    Dagster shows of a check what was planned last, and "Not evaluated" when its asset was materialised after that. So
    where another run was planned after this one, or a sensor spoke meanwhile, the verdict is told without a run too.
    """
    opened, wanted = deployment.deployment, context.selected_asset_check_keys
    with judging(opened):
        facts = {fact.key: fact for fact in judge() if fact.key in wanted}
        newest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(facts))
        for key, fact in facts.items():
            if key in newest and newest[key].run_id != context.run.run_id:
                context.instance.report_runless_asset_event(fact.evaluation())
    return [fact.result() for fact in facts.values()]


def told_one(
    context: dg.AssetCheckExecutionContext, deployment: DeploymentResource, judge: Callable[[], Fact]
) -> dg.AssetCheckResult:
    """Judge the one fact of a check and return its result, as `told` does."""
    (result,) = told(context, deployment, lambda: [judge()])
    return result
