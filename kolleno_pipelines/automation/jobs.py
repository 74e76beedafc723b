"""The jobs: a connection's way to the results, everything but raw, the results alone. When they start is not here."""

from typing import TYPE_CHECKING

import dagster as dg

from kolleno_pipelines.connections import ApiConnection, Connection, Connections, SftpConnection, api_connections

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


def read_job(connection: ApiConnection) -> str:
    """Return the name of the job that reads an API connection."""
    return f"read_{connection.name}"


def build_jobs(connections: Connections) -> list["UnresolvedAssetJobDefinition"]:
    """Return the jobs; a range of days is given by the run (partition, range tags, backfill)."""
    everything = dg.AssetSelection.all()
    sftp = [each for each in connections.values() if isinstance(each, SftpConnection)]
    return [
        *(
            dg.define_asset_job(
                SFTP,
                _way_of(each) | dg.AssetSelection.groups("sftp_csv"),
                executor_def=EXECUTOR,
                description="From the drop folder to reconciled receivables, for a day or a range of days.",
            )
            for each in sftp
        ),
        *(
            dg.define_asset_job(
                read_job(each),
                _way_of(each),
                executor_def=EXECUTOR,
                description=f"From {each.name} to reconciled receivables: today what is due, a past day once more.",
            )
            for each in api_connections(connections)
        ),
        dg.define_asset_job(
            REPROCESS,
            everything - dg.AssetSelection.groups("raw"),
            executor_def=EXECUTOR,
            description="Validate, load, fold and reconcile again from the archive; no server is asked.",
        ),
        dg.define_asset_job(
            RECONCILIATION,
            dg.AssetSelection.groups("reconciliation"),
            executor_def=EXECUTOR,
            description="The results alone, from the receivables as they are.",
        ),
    ]


def _way_of(connection: Connection) -> dg.AssetSelection:
    """What leads from one connection to the results; other connections are neither asked nor folded."""
    own = dg.AssetSelection.key_prefixes(["raw", connection.name], ["receivables", connection.name])
    return own | dg.AssetSelection.groups("reconciliation")
