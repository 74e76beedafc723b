"""`sftp_csv/<table>`: the seven CSV tables of a day, typed and validated, one transaction per batch. No fold here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import dagster as dg
from pydantic import Field

from kolleno_pipelines.assets.partitions import RANGES, days_of_run, ranges
from kolleno_pipelines.assets.presentation import Metadata, csv_schema, money, rows_table, say_calmly
from kolleno_pipelines.assets.raw.sftp import FILE_COLUMNS, files_key
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.overview import DayTable, LedgerFile, by_table_and_day, files_of
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable

STEP = "sftp_csv"
SHOWN_FAILED = 5


class LoadConfig(dg.Config):
    """How the run loads its days."""

    reload: bool = Field(
        default=True,
        description="Validate and load again what is loaded already, from the archive. The sensor passes false, so that"
        " a second batch of a day does not load the first again.",
    )


def table_key(table: CsvTable) -> dg.AssetKey:
    """Return the key of one CSV table."""
    return dg.AssetKey(["sftp_csv", table.name.value])


def csv_tables(connection: SftpConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the seven tables as one asset definition that cannot be run in parts: readers never see half a batch."""

    @dg.multi_asset(
        name=STEP,
        specs=[_spec(table, connection, days) for table in TABLES.values()],
        can_subset=False,
        backfill_policy=RANGES,
        partitions_def=days,
    )
    def tables(
        context: dg.AssetExecutionContext, config: LoadConfig, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.MaterializeResult[None]]:
        from kolleno_pipelines.pipeline.load import load

        run_days = days_of_run(context)
        progress = say_calmly(context.log.info)
        for first, last in ranges(run_days):
            with deployment.working(connection, [day for day in run_days if first <= day <= last]) as opened:
                load(
                    opened,
                    connection,
                    first=first,
                    last=last,
                    reload=config.reload,
                    run_id=context.run.run_id,
                    progress=progress,
                )
        ledger = files_of(deployment.deployment, connection, run_days[0], run_days[-1])
        sums = by_table_and_day(ledger)
        for table in TABLES.values():
            _describe(context, table, run_days, sums, ledger)
            yield dg.MaterializeResult(asset_key=table_key(table))

    return tables


def _spec(table: CsvTable, connection: SftpConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    return dg.AssetSpec(
        table_key(table),
        deps=[files_key(connection)],
        group_name="sftp_csv",
        owners=["team:receivables"],
        kinds={"python", "postgres"},
        partitions_def=days,
        metadata={"dagster/column_schema": csv_schema(table), "dagster/table_name": f"sftp_csv.{table.name.value}"},
        description=(
            f"Accepted rows of `{table.name.value}_*.csv`, typed, by file and line; rejected rows with every reason are"
            " in `sftp_csv.rejected_rows`. A batch of seven files loads whole or not at all."
        ),
    )


def _describe(
    context: dg.AssetExecutionContext,
    table: CsvTable,
    days: Sequence[date],
    sums: Mapping[tuple[str, date], DayTable],
    ledger: Sequence[LedgerFile],
) -> None:
    key = table_key(table)
    own = [file for file in ledger if file.type == table.name.value]
    own.sort(key=lambda file: (file.status != "failed", not file.rows_rejected, -file.id))
    once: Metadata = {"files of the run": rows_table(own, FILE_COLUMNS)}
    context.add_asset_metadata(once, asset_key=key, partition_key=days[-1].isoformat())
    for day in days:
        scalars = _scalars(sums.get((table.name.value, day), DayTable()))
        failed = [file for file in own if file.status == "failed" and file.partition_day == day]
        if failed:
            told = [f"{file.name}: {file.message}" for file in failed[:SHOWN_FAILED]]
            if len(failed) > SHOWN_FAILED:
                told.append(f"and {len(failed) - SHOWN_FAILED} more")
            scalars["failed"] = " | ".join(told)
        context.add_asset_metadata(scalars, asset_key=key, partition_key=day.isoformat())


def _scalars(day: DayTable) -> Metadata:
    scalars: Metadata = {
        "dagster/partition_row_count": day.rows_accepted,
        "rows rejected": day.rows_rejected,
        "files": day.files,
        "files failed": day.failed,
    }
    for name, amounts in sorted(day.money.items()):
        scalars |= money(name, amounts)
    return scalars
