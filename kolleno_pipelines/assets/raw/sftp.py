"""`raw/<connection>/files`: the files that the sender dropped for a day, in the archive. Nothing is parsed here."""

from collections.abc import Iterable, Sequence
from datetime import date

import dagster as dg

from kolleno_pipelines.assets.partitions import RANGES, days_of_run
from kolleno_pipelines.assets.presentation import Metadata, model_schema, rows_table, say_calmly
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.overview import DayTable, LedgerFile, by_table_and_day, files_of
from kolleno_pipelines.pipeline.take import Taken, take
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.model_columns import LEDGER

FILE_COLUMNS = ("name", "status", "size", "rows_read", "rows_accepted", "rows_rejected", "message")


def files_key(connection: SftpConnection) -> dg.AssetKey:
    """Return the key of the connection's files."""
    return dg.AssetKey(["raw", connection.name, "files"])


def raw_files(connection: SftpConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the asset that takes what is new in the drop folder for the days of the run."""
    key = files_key(connection)
    spec = dg.AssetSpec(
        key,
        group_name="raw",
        owners=["team:receivables"],
        kinds={"sftp"},
        partitions_def=days,
        metadata={"dagster/column_schema": model_schema(LEDGER), "dagster/table_name": "raw.files"},
        description=(
            "Files dropped for the day, byte for byte in the archive, a ledger row (`raw.files`) for each content of a"
            " name. The day is fixed when a file is first taken. One row is one file; a day without files has 0."
        ),
    )

    @dg.multi_asset(
        name=f"raw_{connection.name}", specs=[spec], backfill_policy=RANGES, partitions_def=days, can_subset=False
    )
    def files(
        context: dg.AssetExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> dg.MaterializeResult[None]:
        run_days = days_of_run(context)
        with deployment.working(connection, run_days) as opened:
            taken = take(
                opened, connection, days=set(run_days), run_id=context.run.run_id, progress=say_calmly(context.log.info)
            )
        ledger = files_of(opened, connection, run_days[0], run_days[-1])
        for day, metadata in _per_day(ledger, run_days):
            context.add_asset_metadata(metadata, asset_key=key, partition_key=day.isoformat())
        last = run_days[-1].isoformat()
        context.add_asset_metadata(_per_run(ledger, taken), asset_key=key, partition_key=last)
        return dg.MaterializeResult(asset_key=key)

    return files


def _per_day(ledger: Sequence[LedgerFile], days: Iterable[date]) -> list[tuple[date, Metadata]]:
    sums: dict[date, DayTable] = {}
    for (_, day), table in by_table_and_day(ledger).items():
        sums.setdefault(day, DayTable()).join(table)
    unread = {file.partition_day for file in ledger if file.status == "taken"}
    return [(day, _scalars(sums.get(day, DayTable()), is_read=day not in unread)) for day in days]


def _scalars(day: DayTable, *, is_read: bool) -> Metadata:
    """Return the totals of a day; rows only when every file was read, which the next stage does."""
    totals: Metadata = {"dagster/partition_row_count": day.files, "files failed": day.failed, "bytes": day.bytes}
    if is_read:
        totals |= {
            "rows read": day.rows_read,
            "rows accepted": day.rows_accepted,
            "rows rejected": day.rows_rejected,
        }
    return totals


def _per_run(ledger: Sequence[LedgerFile], taken: Taken) -> Metadata:
    newest = sorted(ledger, key=lambda file: (file.status != "failed", -file.id))
    return {
        "files in all": len(ledger),
        "bytes in all": sum(file.size for file in ledger),
        "files taken now": len(taken.file_ids),
        "taken before, same content": len(taken.duplicates),
        "still being written": len(taken.settling),
        "names not taken": rows_table(taken.notices, ("name", "code", "message")),
        "files of the run": rows_table(newest, FILE_COLUMNS),
    }
