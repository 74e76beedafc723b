"""Facts about what the sender dropped: no file failed, no batch has stalled, nobody is silent. No facts about rows."""

from collections.abc import Iterator

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told
from kolleno_pipelines.assets.presentation import rows_table
from kolleno_pipelines.assets.raw.sftp import files_key
from kolleno_pipelines.assets.receivables.sftp import entity_key
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.batches import refresh_batches
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.overview import BatchRow, failed_files
from kolleno_pipelines.pipeline.silence import Quiet, silence
from kolleno_pipelines.resources.deployment import DeploymentResource

DESCRIPTIONS = {
    "no_failed_file": "Every file could be read; a failed one keeps its batch open until a good one follows.",
    "no_stalled_batch": "No batch misses a type for longer than `stall_after`.",
    "not_silent": "A complete batch came within `expect_every`.",
}
_BATCH_COLUMNS = ("batch_id", "begins_at", "status", "missing", "failed", "names")


def arrival_checks(connection: SftpConnection) -> dg.AssetChecksDefinition:
    """Return the checks on the files of a connection."""
    key = files_key(connection)

    @dg.multi_asset_check(
        name=f"arrivals_of_{connection.name}",
        specs=[
            # After the receivables, so that nothing stands between a batch and its commit.
            dg.AssetCheckSpec(name, asset=key, description=text, additional_deps=[entity_key(connection, "customers")])
            for name, text in DESCRIPTIONS.items()
        ],
        can_subset=True,
    )
    def arrivals(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.AssetCheckResult]:
        opened = deployment.deployment
        yield from told(
            context,
            deployment,
            lambda: arrival_facts(opened, connection, refresh_batches(opened, connection), silence(opened, connection)),
        )

    return arrivals


def arrival_facts(
    deployment: Deployment, connection: SftpConnection, batches: list[BatchRow], quiet: Quiet
) -> list[Fact]:
    """Judge the three facts now; `batches` as just computed."""
    key = files_key(connection)
    failed = failed_files(deployment, connection)
    stalled = [batch for batch in batches if batch.status == "stalled"]
    return [
        Fact(
            key,
            "no_failed_file",
            not failed,
            f"Failed files whose batch waits for a good one: {len(failed)}."
            if failed
            else "No file waits for a good one.",
            {"failed files": rows_table(reversed(failed), ("name", "message", "partition_day"))},
        ),
        Fact(
            key,
            "no_stalled_batch",
            not stalled,
            f"Stalled batches: {len(stalled)}." if stalled else "No batch has stalled.",
            {"stalled batches": rows_table(stalled, _BATCH_COLUMNS)},
        ),
        Fact(
            key,
            "not_silent",
            not quiet.is_silent,
            quiet.sentence,
            {"last complete batch": quiet.last_batch or "none", "folder last listed": quiet.listed},
        ),
    ]
