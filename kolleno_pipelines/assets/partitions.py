"""The one partition dimension, days, and how a range of them is cut into runs. No asset is defined here.

Partitioned assets are written as `multi_asset`, also where they are one: `asset` warns about `backfill_policy` (beta).
"""

from datetime import date

import dagster as dg

from kolleno_pipelines.pipeline.days import ranges as cut

#: Days in one run of a backfill: bounded memory and few starts (docs/decisions.md).
RUN_DAYS = 31

#: Every partitioned asset has it: a job that mixes policies runs with the smallest one.
RANGES = dg.BackfillPolicy.multi_run(RUN_DAYS)


def days_from(first_day: date) -> dg.DailyPartitionsDefinition:
    """Return the days in UTC from `first_day` to today, today included (by default Dagster ends with yesterday)."""
    return dg.DailyPartitionsDefinition(start_date=first_day.isoformat(), timezone="UTC", end_offset=1)


def days_of_run(context: dg.AssetExecutionContext) -> list[date]:
    """Return the partition days of the run in order: one, or those of a range."""
    return [date.fromisoformat(key) for key in context.partition_keys]


def ranges(days: list[date], longest: int = RUN_DAYS) -> list[tuple[date, date]]:
    """Return sorted days as ranges (first, last) without gaps, none longer than `longest` days."""
    return cut(days, longest)


def range_tags(first: date, last: date) -> dict[str, str]:
    """Return the run tags that make a run cover [first, last]."""
    from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

    return {ASSET_PARTITION_RANGE_START_TAG: first.isoformat(), ASSET_PARTITION_RANGE_END_TAG: last.isoformat()}
