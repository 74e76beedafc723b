"""`receivables/<connection>/<entity>` of an API system: the fold of all its payloads. The vendor is not asked."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from kolleno_pipelines.assets.partitions import RANGES, days_of_run
from kolleno_pipelines.assets.presentation import Metadata, model_schema, money, rows_table
from kolleno_pipelines.assets.raw.api import extract_keys
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.pipeline.api_facts import EntityTotal, day_extracts, entity_totals, parked_rows
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.api_systems import API_ENTITIES, API_SYSTEMS

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.api_runs import Changes


class FoldConfig(dg.Config):
    """How the run normalises its days."""

    reload: bool = Field(
        default=True,
        description="Normalise once more, from the archive, what was received for the days. The sensor passes false:"
        " what is normalised already stays as it is.",
    )


def api_entity_key(connection: ApiConnection, entity: str) -> dg.AssetKey:
    """Return the key of one entity."""
    return dg.AssetKey(["receivables", connection.name, entity])


def fold_step(connection: ApiConnection) -> str:
    """Return the name of the step that folds a connection, for its configuration."""
    return f"receivables_{connection.name}"


def api_receivables(connection: ApiConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the entities of a connection as one asset definition: one fold makes them all."""
    entities = API_SYSTEMS[connection.system].entities

    @dg.multi_asset(
        name=fold_step(connection),
        specs=[_spec(connection, entity, days) for entity in entities],
        can_subset=False,
        backfill_policy=RANGES,
        partitions_def=days,
    )
    def folded(
        context: dg.AssetExecutionContext, config: FoldConfig, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.MaterializeResult[None]]:
        from kolleno_pipelines.pipeline.api_runs import Changes, fold_days

        run_days = days_of_run(context)
        with deployment.working(connection, run_days) as opened:
            done = fold_days(opened, connection, run_days, again=config.reload, run_id=context.run.run_id)
        totals, (parked, _) = entity_totals(opened, connection), parked_rows(opened, connection, 0)
        received = day_extracts(opened, connection, run_days)
        for entity in entities:
            key = api_entity_key(connection, entity)
            for day in run_days:
                scalars: Metadata = {"payloads received": sum(one.payloads for one in received if one.day == day)}
                context.add_asset_metadata(scalars, asset_key=key, partition_key=day.isoformat())
            once = _per_run(entity, done.folded.entities.get(entity, Changes()), totals, parked.get(entity, 0))
            once["parts normalised"] = done.parts
            context.add_asset_metadata(once, asset_key=key, partition_key=_last(run_days))
            yield dg.MaterializeResult(asset_key=key)

    return folded


def _last(days: Sequence[date]) -> str:
    return days[-1].isoformat()


def _spec(connection: ApiConnection, entity: str, days: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        api_entity_key(connection, entity),
        deps=extract_keys(connection),  # the same for all: a backfill refuses different parents (receivables/sftp.py)
        group_name="receivables",
        owners=["team:receivables"],
        kinds={connection.system, "python", "postgres"},
        partitions_def=days,
        metadata={
            "dagster/column_schema": model_schema(API_ENTITIES[entity]),
            "dagster/table_name": f"receivables.{entity}",
        },
        description=(
            f"{entity.replace('_', ' ').capitalize()} of {connection.name}: each record folded from all payloads"
            " received about its object, newest modified wins; the order in which they came does not matter. The"
            " archive is read, the vendor is not asked.\n\n"
            "**The records are those of now, whatever the partition.** A partition is a day on which payloads were"
            " received, not the day of a document. Materialising one normalises once more what was received on it, then"
            " folds: records change where a newer version of kolleno reads payloads otherwise, or where something new"
            " was received. It moves no watermark."
        ),
    )


def _per_run(entity: str, changes: "Changes", totals: Sequence[EntityTotal], parked: int) -> Metadata:
    own = [total for total in totals if total.entity == entity]
    shown: Metadata = {
        "dagster/row_count": sum(total.rows for total in own),
        "new": changes.new,
        "changed": changes.changed,
        "fields changed": changes.fields,
        "gone": changes.gone,
        "rows parked": parked,
    }
    shown |= money("amount", {t.currency_iso: t.amount for t in own if t.amount is not None})
    shown |= money("open", {t.currency_iso: t.balance_open for t in own if t.balance_open is not None})
    if any(total.currency_iso for total in own):
        shown["by currency"] = rows_table(own, ("currency_iso", "rows", "amount", "balance_open"))
    return shown
