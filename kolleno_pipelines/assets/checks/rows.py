"""Facts about rows: none is kept aside, none waits for a parent. Amounts are not judged here."""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from kolleno_pipelines.assets.checks.facts import Fact, told
from kolleno_pipelines.assets.presentation import rows_table
from kolleno_pipelines.assets.receivables.sftp import SOURCES, entity_key
from kolleno_pipelines.assets.sftp_csv.tables import table_key
from kolleno_pipelines.connections import SftpConnection
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.pipeline.overview import KeptAside, Waiting, kept_aside, waiting
from kolleno_pipelines.resources.deployment import DeploymentResource
from kolleno_pipelines.schemas.sftp_tables import TABLES, CsvTable

NO_REJECTS, NONE_PARKED = "no_rejects", "none_parked"
_SHOWN_PARKED = 500


def reject_checks(connection: SftpConnection) -> dg.AssetChecksDefinition:
    """Return `no_rejects` of the seven CSV tables."""
    text = (
        "No row is kept aside. A rejected row counts until a later file brings its record, or a"
        " `<type>_<origin time>.fix1.csv` corrects it, or its file is past the retention. The newest thousand of the"
        " table are looked into."
    )

    @dg.multi_asset_check(
        name=f"rejects_of_{connection.name}",
        specs=[dg.AssetCheckSpec(NO_REJECTS, asset=table_key(t), description=text) for t in TABLES.values()],
        can_subset=True,
    )
    def rejects(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from told(context, deployment, lambda: _reject_facts(deployment.deployment, connection))

    return rejects


def _reject_facts(deployment: Deployment, connection: SftpConnection) -> Iterator[Fact]:
    kept = kept_aside(deployment, connection)
    for table in TABLES.values():
        yield _no_rejects(table, [row for row in kept if row.table == table.name.value])


def _no_rejects(table: CsvTable, kept: list[KeptAside]) -> Fact:
    words = "No row is kept aside."
    if kept:
        words = f"Rows kept aside: {len(kept)}; `kolleno rejects {kept[0].file} --out FILE` writes them out."
    shown = {"rejected rows": rows_table(kept, ("file", "line", "codes", "reasons"))}
    return Fact(table_key(table), NO_REJECTS, not kept, words, shown)


def parked_checks(connection: SftpConnection) -> dg.AssetChecksDefinition:
    """Return `none_parked` of the entities whose rows name a parent."""
    text = "No row waits for a parent; one that does loads by itself when the parent comes."
    entities = [entity for entity, sources in SOURCES.items() if any(TABLES[s].references for s in sources)]

    @dg.multi_asset_check(
        name=f"parked_of_{connection.name}",
        specs=[
            dg.AssetCheckSpec(NONE_PARKED, asset=entity_key(connection, entity), description=text)
            for entity in entities
        ],
        can_subset=True,
    )
    def parked(
        context: dg.AssetCheckExecutionContext, deployment: dg.ResourceParam[DeploymentResource]
    ) -> Iterator[dg.AssetCheckResult]:
        yield from told(context, deployment, lambda: _parked_facts(deployment.deployment, connection, entities))

    return parked


def _parked_facts(deployment: Deployment, connection: SftpConnection, entities: Iterable[str]) -> Iterator[Fact]:
    counts, rows = waiting(deployment, connection, _SHOWN_PARKED)
    for entity in entities:
        yield _none_parked(connection, entity, counts, rows)


def _none_parked(connection: SftpConnection, entity: str, counts: Mapping[str, int], rows: list[Waiting]) -> Fact:
    tables = {source.value for source in SOURCES[entity]}
    number = sum(counts.get(table, 0) for table in tables)
    words = f"Rows that wait for a parent: {number}." if number else "No row waits for a parent."
    shown = {"parked rows": rows_table(row for row in rows if row.table in tables)}
    return Fact(entity_key(connection, entity), NONE_PARKED, not number, words, shown, is_red=False)
