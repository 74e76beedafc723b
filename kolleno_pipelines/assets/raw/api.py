"""`raw/<connection>/<extract>`: what a system with an API answered, in the archive.

Nothing is normalised here, unless a person must sign in: then no step follows that would do it.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from kolleno_pipelines.assets.partitions import RANGES, days_of_run
from kolleno_pipelines.assets.presentation import Metadata, model_schema, rows_table, say_calmly
from kolleno_pipelines.connections import ApiConnection
from kolleno_pipelines.pipeline.api_facts import DayExtract, changes_reached, day_extracts
from kolleno_pipelines.pipeline.clock import utc_now
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS, EXTRACTS

if TYPE_CHECKING:
    from kolleno_pipelines.pipeline.api_runs import ReadConnection

_PARTITIONS = (
    "**A partition is the day on which something was asked for**, not the day of a document: what is read today lands"
    " in today, however old it is. So a first reading lies in one day, and the days before it show as not materialised"
    " although nothing is missing.\n\n"
    "- **Today** reads every pass that is due: changes, deletions, sweep, missing parents.\n"
    "- **A day that is over** (a backfill) asks once more for what was last modified on it (UTC). It moves no"
    " watermark: the next poll reads what it would have read anyway. It costs a request at least for each extract and"
    " day.\n"
    "- To take again what is in the archive, without asking, run the job `reprocess`."
)
_PASS_COLUMNS = ("extract", "pass_", "records", "bytes", "error", "finding")


def extract_key(connection: ApiConnection, extract: str) -> dg.AssetKey:
    """Return the key of an extract."""
    return dg.AssetKey(["raw", connection.name, extract])


def extract_keys(connection: ApiConnection) -> list[dg.AssetKey]:
    """Return the keys of all extracts in the order of reading; what is read only where asked for comes last."""
    return [extract_key(connection, extract) for extract in _extracts(connection)]


def _extracts(connection: ApiConnection) -> tuple[str, ...]:
    return (*API_SYSTEMS[connection.system].extracts, *connection.also_read)


def raw_extracts(connection: ApiConnection, days: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """Return the extracts of a connection; each can be read alone."""

    @dg.multi_asset(
        name=f"raw_{connection.name}",
        specs=[_spec(connection, extract, days) for extract in _extracts(connection)],
        can_subset=True,
        backfill_policy=RANGES,
        partitions_def=days,
    )
    def extracts(
        context: dg.AssetExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.MaterializeResult[None]]:
        from kolleno_pipelines.connectors.errors import NeedsHuman
        from kolleno_pipelines.pipeline.api_runs import fold_days, read_days

        run_days, selected = days_of_run(context), context.selected_asset_keys
        names = [key.path[-1] for key in extract_keys(connection) if key in selected]
        wanted = None if len(names) == len(extract_keys(connection)) else names
        with deployment.working(connection, run_days) as opened:
            say, run_id = say_calmly(context.log.info), context.run.run_id
            try:
                done = read_days(opened, connection, run_days, wanted=wanted, run_id=run_id, progress=say)
            except NeedsHuman:
                fold_days(opened, connection, run_days, again=False, run_id=run_id)
                raise
        landed, reached = day_extracts(opened, connection, run_days), changes_reached(opened, connection)
        for name in names:
            _describe(context, connection, name, run_days, landed, done, reached)
            yield dg.MaterializeResult(asset_key=extract_key(connection, name))
        if done.failed and utc_now().date() not in run_days:
            told = "; ".join(dict.fromkeys(f"{one.extract}: {one.error}" for one in done.failed[:5]))
            raise dg.Failure(f"Not all of these days was read: {told}", allow_retries=False)

    return extracts


_WHEN_ASKED = (
    "Today asks, a call each, for the documents that were new or changed when it was last folded; a day that is over"
    " asks for nothing. Read since `also_read` of the connection names it."
)


def _spec(connection: ApiConnection, extract: str, days: dg.DailyPartitionsDefinition) -> dg.AssetSpec:
    when = _WHEN_ASKED if extract in connection.also_read else _PARTITIONS
    return dg.AssetSpec(
        extract_key(connection, extract),
        group_name="raw",
        owners=["team:receivables"],
        kinds={connection.system},
        partitions_def=days,
        metadata={"dagster/column_schema": model_schema(EXTRACTS), "dagster/table_name": "raw.extracts"},
        description=(
            f"`{extract}` of {API_SYSTEMS[connection.system].title} as received, a JSON line each in the archive, a"
            f" ledger row (`raw.extracts`) per part.\n\n{when}"
        ),
    )


def _describe(
    context: dg.AssetExecutionContext,
    connection: ApiConnection,
    extract: str,
    days: Sequence[date],
    landed: Sequence[DayExtract],
    done: "ReadConnection",
    reached: Mapping[str, str],
) -> None:
    key = extract_key(connection, extract)
    own = {one.day: one for one in landed if one.extract == extract}
    for day in days:
        scalars = _scalars(own.get(day))
        context.add_asset_metadata(scalars, asset_key=key, partition_key=day.isoformat())
    once: Metadata = {
        "asked for": _asked_for(days, utc_now().date()),
        "changes are read up to": reached.get(extract) or "never",
        "received now": sum(one.records for one in done.of(extract)),
        "passes of the run": rows_table(done.of(extract), _PASS_COLUMNS),
    }
    if errors := [one.error for one in done.of(extract) if one.error]:
        once["ended early"] = " | ".join(errors)
    context.add_asset_metadata(once, asset_key=key, partition_key=days[-1].isoformat())


def _asked_for(days: Sequence[date], today: date) -> str:
    """Say what the days of a run mean."""
    over = [day for day in days if day < today]
    said = [f"what was last modified from {over[0]} to {over[-1]}, once more; no watermark moves"] if over else []
    return " | ".join([*said, *(["what is due today"] if today in days else [])])


def _scalars(day: DayExtract | None) -> Metadata:
    return {
        "dagster/partition_row_count": day.payloads if day else 0,
        "parts": day.parts if day else 0,
        "bytes": day.bytes if day else 0,
        "quarantined": day.quarantined if day else 0,
    }
