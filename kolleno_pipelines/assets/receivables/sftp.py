"""`receivables/<connection>/<entity>`: the AR model as the fold of all CSV rows makes it, in one go. No result."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from kolleno_pipelines.assets.partitions import RANGES, days_of_run
from kolleno_pipelines.assets.presentation import Metadata, model_schema, money, rows_table
from kolleno_pipelines.assets.sftp_csv.tables import table_key
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.connectors.errors import ConnectorError
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.overview import (
    DayTable,
    EntityTotal,
    by_table_and_day,
    entity_totals,
    files_of,
    waiting,
)
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.model_columns import ENTITIES
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.fold import Changes

#: Which CSV tables an entity is folded from.
SOURCES: dict[str, tuple[TableName, ...]] = {
    "customers": (TableName.CUSTOMERS,),
    "contacts": (TableName.CONTACTS,),
    "contact_links": (TableName.CONTACTS,),
    "invoices": (TableName.INVOICES,),
    "credit_notes": (TableName.CREDIT_NOTES,),
    "payments": (TableName.PAYMENTS,),
    "allocations": (TableName.PAYMENTS_INVOICES, TableName.CREDIT_NOTES_INVOICES),
}


def entity_key(connection: SftpConnection, entity: str) -> dg.AssetKey:
    """Return the key of one entity."""
    return dg.AssetKey(["receivables", connection.name, entity])


def receivables(connection: SftpConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the entities as one asset definition: one fold makes them all, and can be run again alone."""

    @dg.multi_asset(
        name=f"receivables_{connection.name}",
        specs=[_spec(connection, entity, days) for entity in SOURCES],
        can_subset=False,
        backfill_policy=RANGES,
        partitions_def=days,
    )
    def entities(
        context: dg.AssetExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.MaterializeResult[None]]:
        from kolleno_pipelines.pipeline.fold import Changes, fold

        run_days = days_of_run(context)
        with deployment.working(connection, run_days) as opened:
            report = fold(opened, connection, run_id=context.run.run_id)
        unanswered = _answer(opened, connection)
        sums = by_table_and_day(files_of(opened, connection, run_days[0], run_days[-1]))
        totals = entity_totals(opened, connection)
        parked, _ = waiting(opened, connection, 0)
        for entity in SOURCES:
            key = entity_key(connection, entity)
            for day in run_days:
                scalars = _per_day(entity, day, sums)
                context.add_asset_metadata(scalars, asset_key=key, partition_key=day.isoformat())
            once = _per_run(entity, report.entities.get(entity, Changes()), totals, parked)
            if unanswered:
                once["sender not answered"] = unanswered
            context.add_asset_metadata(once, asset_key=key, partition_key=run_days[-1].isoformat())
            yield dg.MaterializeResult(asset_key=key)

    return entities


def _answer(deployment: Deployment, connection: SftpConnection) -> str | None:
    """Answer the sender; return why it could not be done. The next run tries again: no data depends on it."""
    from kolleno_pipelines.pipeline.answer import answer

    try:
        answer(deployment, connection)
    except ConnectorError as error:
        return str(error)
    return None


def _spec(connection: SftpConnection, entity: str, days: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        entity_key(connection, entity),
        # One fold reads all seven; and a backfill refuses keys of one definition that have different parents: it
        # compares their days with a count that only the merging of several parents' days leaves out.
        deps=[table_key(table) for table in TABLES.values()],
        group_name="receivables",
        owners=["team:receivables"],
        kinds={connection.system, "python", "postgres"},
        partitions_def=days,
        metadata={
            "dagster/column_schema": model_schema(ENTITIES[entity]),
            "dagster/table_name": f"receivables.{entity}",
        },
        description=(
            f"{entity.replace('_', ' ').capitalize()} of {connection.name}: each record folded from all rows received"
            f" about it in {' and '.join(f'`{source.value}_*.csv`' for source in SOURCES[entity])}, newest wins; the"
            " state does not depend on the order of files. The partition counts the rows that the day's files"
            " brought; the table holds the present state."
        ),
    )


def _per_day(entity: str, day: date, sums: Mapping[tuple[str, date], DayTable]) -> Metadata:
    own = [sums[source.value, day] for source in SOURCES[entity] if (source.value, day) in sums]
    return {
        "dagster/partition_row_count": sum(table.rows_accepted for table in own),
        "rows rejected": sum(table.rows_rejected for table in own),
    }


def _per_run(entity: str, changes: "Changes", totals: Sequence[EntityTotal], parked: Mapping[str, int]) -> Metadata:
    own = [total for total in totals if total.entity == entity]
    shown: Metadata = {
        "dagster/row_count": sum(total.rows for total in own),
        "new": changes.new,
        "changed": changes.changed,
        "fields changed": changes.fields,
        "gone": changes.gone,
        "rows parked": sum(parked.get(source.value, 0) for source in SOURCES[entity]),
    }
    shown |= money("amount", {t.currency_iso: t.amount for t in own if t.amount is not None})
    shown |= money("open", {t.currency_iso: t.balance_open for t in own if t.balance_open is not None})
    if any(total.currency_iso for total in own):
        shown["by currency"] = rows_table(own, ("currency_iso", "rows", "amount", "balance_open"))
    return shown
