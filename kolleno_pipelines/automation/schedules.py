"""The daily refresh of the results when nothing arrives. Arrivals are the sensor's."""

from datetime import UTC, timedelta

import dagster as dg

from kolleno_pipelines.assets.partitions import range_tags
from kolleno_pipelines.automation.jobs import RECONCILIATION


def build_schedules() -> list[dg.ScheduleDefinition]:
    """Return the daily schedule: shortly after midnight UTC, for the day that ended and the one that began."""

    @dg.schedule(
        name="reconciliation_daily",
        job_name=RECONCILIATION,
        cron_schedule="20 0 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Ageing and roll-forward of yesterday (final) and today, and the present results.",
    )
    def reconciliation_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        today = context.scheduled_execution_time.astimezone(UTC).date()
        return dg.RunRequest(run_key=today.isoformat(), tags=range_tags(today - timedelta(days=1), today))

    return [reconciliation_daily]
