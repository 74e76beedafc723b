"""Why a run failed, and runs whose process is gone though they are said to work. Nobody is told here."""

from datetime import datetime, timedelta

import dagster as dg

from kolleno_pipelines.automation.own_runs import moment, own_runs
from kolleno_pipelines.pipeline.runs import runs_without_process
from kolleno_pipelines.resources.deployment import DeploymentResource

#: How long a run may be without a mark: its process starts, or writes its last events.
GRACE = timedelta(seconds=60)
_LONGEST_REASON = 500


def mark_orphans(
    context: dg.SensorEvaluationContext, deployment: DeploymentResource, suspects: dict[str, str], now: datetime
) -> list[tuple[dg.DagsterRun, str]]:
    """Mark runs as failed that are said to work, while no process holds their mark for longer than GRACE.

    `suspects` (run id to the moment when its mark was first missed) is brought up to date. Returns the runs marked.
    """
    started = {
        record.dagster_run.run_id: record
        for record in own_runs(
            context, deployment.settings, [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
        )
    }
    unmarked = runs_without_process(deployment.deployment, started)
    for run_id in set(suspects) - unmarked:
        del suspects[run_id]
    lost = []
    for run_id in sorted(unmarked):
        since = datetime.fromisoformat(suspects.setdefault(run_id, now.isoformat()))
        begun = moment(started[run_id].start_time) or since
        if now - max(since, begun) < GRACE:
            continue
        run = started[run_id].dagster_run
        why = "it is marked as failed, its days are free again; what it had committed stays, and nothing is lost."
        context.instance.report_run_failed(run, f"The process of this run is gone: {why}")
        del suspects[run_id]
        lost.append((run, why))
    return lost


def reason_of(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return the innermost message of the first failed step of a run, else what the run itself says."""
    kinds = (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE)
    for kind in kinds:
        for record in instance.get_records_for_run(run_id, of_type=kind, limit=1).records:
            event = record.event_log_entry.get_dagster_event()
            error = getattr(event.event_specific_data, "error", None)
            step = f"step {event.step_key}: " if event.step_key else ""
            while error is not None and error.cause is not None:
                error = error.cause
            text = " ".join((error.message if error is not None else event.message or "").split())
            if text:
                return f"{step}{text}"[:_LONGEST_REASON]
    return "no reason was recorded; open the run in the Dagster UI."
