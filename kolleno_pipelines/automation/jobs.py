"""The three jobs: everything, everything but raw, the results alone. When they start is decided elsewhere."""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
    from dagster._core.executor.base import Executor

SFTP, REPROCESS, RECONCILIATION = "sftp", "reprocess", "reconciliation"


def _prepared(context: dg.InitExecutorContext) -> "Executor":
    """Load what every run needs while its process starts: definitions load without pandas, pyarrow and pandera."""
    from kolleno_pipelines.automation.kept_connections import keep_connections
    from kolleno_pipelines.pipeline.preparation import load_libraries

    load_libraries()
    keep_connections(context.instance)
    return dg.in_process_executor.executor_creation_fn(context)  # type: ignore[misc]


#: All steps in one process: a step of its own process would import everything again (docs/decisions.md).
EXECUTOR = dg.ExecutorDefinition(
    name="in_process",
    config_schema=dg.in_process_executor.config_schema,  # type: ignore[arg-type]
    executor_creation_fn=_prepared,
    description="All steps in one process, after its libraries are loaded.",
)


def build_jobs() -> list["UnresolvedAssetJobDefinition"]:
    """Return the jobs; a range of days is given by the run (partition, range tags, backfill)."""
    everything = dg.AssetSelection.all()
    return [
        dg.define_asset_job(
            SFTP,
            everything,
            executor_def=EXECUTOR,
            description="From the drop folder to reconciled receivables, for a day or a range of days.",
        ),
        dg.define_asset_job(
            REPROCESS,
            everything - dg.AssetSelection.groups("raw"),
            executor_def=EXECUTOR,
            description="Validate, load, fold and reconcile again from the archive; the server is not asked.",
        ),
        dg.define_asset_job(
            RECONCILIATION,
            dg.AssetSelection.groups("reconciliation"),
            executor_def=EXECUTOR,
            description="The results alone, from the receivables as they are.",
        ),
    ]
