"""The code location as Dagster's tools load it: by module, by workspace, by dg; what is in it, how fast. No runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from kolleno_pipelines.connections import ConnectionsError, load_connections
from kolleno_pipelines.connectors.registry import CONNECTORS
from kolleno_pipelines.definitions import build_definitions
from kolleno_pipelines.schemas.api_systems import API_ENTITIES, API_SYSTEMS
from kolleno_pipelines.schemas.model_columns import ENTITIES, LEDGER, RESULTS
from kolleno_pipelines.schemas.payout_columns import PROVIDER_RESULTS
from kolleno_pipelines.schemas.payout_words import BANK_IS_TOLD_APART
from kolleno_pipelines.schemas.sftp_tables import TABLES
from kolleno_pipelines.settings import Settings

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "connections.example.yaml"
TARGET_SECONDS = 3.0

KEYS = {
    "raw/sftp/files",
    *(f"sftp_csv/{table}" for table in TABLES),
    *(
        f"receivables/sftp/{entity}"
        for entity in (
            *("customers", "contacts", "contact_links", "invoices", "credit_notes", "payments", "allocations"),
        )
    ),
    *(
        f"reconciliation/{result}"
        for result in ("balances", "control_totals", "ageing", "roll_forward", "unapplied_cash", "differences")
    ),
}
CHECKS = {
    "raw/sftp/files no_failed_file",
    "raw/sftp/files no_stalled_batch",
    "raw/sftp/files not_silent",
    *(f"sftp_csv/{table} no_rejects" for table in TABLES),
    *(
        f"receivables/sftp/{entity} none_parked"
        for entity in ("contacts", "contact_links", "invoices", "credit_notes", "payments", "allocations")
    ),
    "reconciliation/differences no_open_break",
    "reconciliation/control_totals agrees_with_source",
    "reconciliation/roll_forward roll_forward_explained",
    "reconciliation/ageing ties_with_control_totals",
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    """The definitions of the example file: no database, no secret, no network is there."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), connections=EXAMPLE, first_day=date(2026, 1, 1))
    return build_definitions(settings)


def _environment(tmp_path: Path, connections: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "KOLLENO_HOME": str(tmp_path / "home"),
        "KOLLENO_CONNECTIONS": str(connections),
        "PYTHONPATH": str(ROOT),
        "DAGSTER_HOME": str(tmp_path),
    }


def _specs(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return list(definitions.resolve_all_asset_specs())


def test_the_graph_holds_these_assets_and_no_other(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    assert {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()} == KEYS
    assert repository.asset_graph.external_asset_keys == set()
    assert {f"{k.asset_key.to_user_string()} {k.name}" for k in repository.asset_graph.asset_check_keys} == CHECKS
    assert {job.name for job in repository.get_all_jobs()} == {"__ASSET_JOB", "sftp", "reprocess", "reconciliation"}
    assert {sensor.name for sensor in repository.sensor_defs} == {"sftp_arrivals", "sftp_watch"}
    assert {schedule.name for schedule in repository.schedule_defs} == {"reconciliation_daily"}


def test_every_asset_says_what_it_is(definitions: dg.Definitions) -> None:
    for spec in _specs(definitions):
        assert spec.description
        assert spec.owners == ["team:receivables"]
        assert spec.kinds
        assert spec.group_name == spec.key.path[0]
        assert all(column.description for column in spec.metadata["dagster/column_schema"].columns)
        assert spec.metadata["dagster/table_name"]


def test_the_flow_leads_from_the_drop_to_the_results(definitions: dg.Definitions) -> None:
    graph = definitions.get_repository_def().asset_graph
    for key in KEYS - {"raw/sftp/files"}:
        ancestors = graph.get_ancestor_asset_keys(dg.AssetKey(key.split("/")))
        assert dg.AssetKey(["raw", "sftp", "files"]) in ancestors


def test_partitions_are_days_in_utc_today_included(definitions: dg.Definitions) -> None:
    today = datetime.now(UTC).date().isoformat()
    present = {"balances", "control_totals", "unapplied_cash", "differences"}
    for spec in _specs(definitions):
        if spec.key.path[-1] in present:
            assert spec.partitions_def is None
        else:
            assert spec.partitions_def is not None
            assert spec.partitions_def.get_first_partition_key() == "2026-01-01"
            assert spec.partitions_def.get_last_partition_key() == today
    policies = {
        a.backfill_policy for a in definitions.get_repository_def().assets_defs_by_key.values() if a.partitions_def
    }
    assert policies == {dg.BackfillPolicy.multi_run(31)}


# Dagster's own code calls what it deprecates.
@pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("left_out", [(), ("raw",), ("raw", "reconciliation"), ("raw", "sftp_csv")])
def test_a_backfill_of_whole_stages_is_not_refused(definitions: dg.Definitions, left_out: tuple[str, ...]) -> None:
    """The UI refuses a backfill in which keys of one definition differ in their days, counts left out included."""
    from dagster._core.execution.asset_backfill import AssetBackfillData

    graph = definitions.get_repository_def().asset_graph
    with dg.DagsterInstance.ephemeral() as instance:
        data = AssetBackfillData.from_asset_partitions(
            asset_graph=graph,
            partition_names=["2026-01-01", "2026-01-02"],
            asset_selection=[key for key in graph.get_all_asset_keys() if key.path[0] not in left_out],
            dynamic_partitions_store=instance,
            backfill_start_timestamp=datetime.now(UTC).timestamp(),
            all_partitions=False,
        )
    subsets = data.target_subset.partitions_subsets_by_asset_key
    compared = 0
    for key, subset in subsets.items():
        for other in graph.get(key).execution_set_asset_keys - {key}:
            assert subset == subsets[other], (key, other)
            compared += 1
    assert compared >= 42  # seven entities with each other, and seven tables where they are in


def test_reprocessing_leaves_the_server_alone(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def("reprocess")
    assert {key.to_user_string() for key in job.asset_layer.selected_asset_keys} == KEYS - {"raw/sftp/files"}


def test_the_daily_schedule_asks_for_yesterday_and_today(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("reconciliation_daily")
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 3, 1, 0, 20, tzinfo=UTC))
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.tags["dagster/asset_partition_range_start"] == "2026-02-28"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-03-01"


def test_the_connections_name_is_in_the_keys(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text("connections:\n  acme_drop: {system: sftp, location: 'file:///srv/acme'}\n")
    definitions = build_definitions(Settings(home=tmp_path, connections=path))
    keys = {spec.key.to_user_string() for spec in _specs(definitions)}
    assert keys == {key.replace("/sftp/", "/acme_drop/") for key in KEYS}


def test_an_absent_bad_or_empty_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    settings = Settings(home=tmp_path, connections=path)
    for text, words in (
        (None, "copy connections.example.yaml"),
        ("connections:\n  sftp: {system: sftp, locatoin: x}\n", "line 2"),
        ("connections: {}\n", "holds no connection: add one"),
    ):
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConnectionsError, match=words) as raised:
            build_definitions(settings)
        assert "\n" not in str(raised.value)


def test_a_fresh_clone_shows_the_graph_before_anything_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = build_definitions(Settings()).resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["reconciliation", "differences"]) in keys


def test_the_columns_shown_are_those_of_the_database(database: str) -> None:
    shown = {"receivables": ENTITIES, "reconciliation": RESULTS | PROVIDER_RESULTS}
    kinds = {"timestamp with time zone": "timestamptz", "ARRAY": "text[]"}
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema IN ('raw', 'receivables', 'reconciliation')"
        ).fetchall()
    stored: dict[tuple[str, str], dict[str, str]] = {}
    for schema, table, name, kind in rows:
        stored.setdefault((schema, table), {})[name] = kinds.get(kind, kind)
    for schema, tables in shown.items():
        for table, columns in tables.items():
            assert {column.name: column.type for column in columns} == stored[schema, table], table
    ledger = stored["raw", "files"]
    assert {column.name: column.type for column in LEDGER} == {column.name: ledger[column.name] for column in LEDGER}


def test_loading_takes_seconds_and_needs_nothing(tmp_path: Path) -> None:
    """Seconds of the processor, which other processes do not lengthen; the second start finds compiled modules."""
    code = (
        "from kolleno_pipelines.definitions import defs; r = defs().get_repository_def();"
        "import resource, sys; used = resource.getrusage(resource.RUSAGE_SELF);"
        "print(len(list(r.asset_graph.get_all_asset_keys())), used.ru_utime + used.ru_stime,"
        " *sorted({'pandas', 'pandera', 'pyarrow', 'paramiko', 'requests'} & set(sys.modules)))"
    )
    seconds = []
    for _ in range(2):
        environment = _environment(tmp_path, EXAMPLE)
        ended = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        number, used, *heavy = ended.stdout.split()
        assert (int(number), heavy) == (len(KEYS), [])
        seconds.append(float(used))
    assert min(seconds) < TARGET_SECONDS
    assert not (tmp_path / "home").exists()


def test_dagsters_workspace_loads_it(tmp_path: Path) -> None:
    code = """
import json
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
import dagster as dg
with dg.DagsterInstance.local_temp() as instance:
    with WorkspaceProcessContext(instance, WorkspaceFileTarget(paths=["workspace.yaml"])) as process:
        (entry,) = process.create_request_context().get_code_location_entries().values()
        assert entry.load_error is None, entry.load_error
        (repository,) = entry.code_location.get_repositories().values()
        print(json.dumps([entry.origin.location_name, len(repository.asset_graph.get_all_asset_keys())]))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=_environment(tmp_path, EXAMPLE),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    assert json.loads(line) == ["kolleno_pipelines", len(KEYS)]


def test_dg_finds_no_fault(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "dg"
    if not command.exists():
        pytest.skip("needs the package dagster-dg-cli")
    ended = subprocess.run(
        [str(command), "check", "defs"],
        env=_environment(tmp_path, EXAMPLE) | {"PATH": f"{command.parent}:{os.environ['PATH']}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "All definitions loaded successfully" in ended.stdout + ended.stderr


def test_the_example_connection_is_what_the_tests_mean() -> None:
    assert list(load_connections(EXAMPLE)) == ["sftp"]
    assert shutil.which("git") is None or "connections.yaml" in (ROOT / ".gitignore").read_text().split()


MIXED = """connections:
  books: {system: quickbooks}
  xero: {system: xero, role: mirror}
"""


def test_a_deployment_without_a_drop_folder(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text(MIXED)
    repository = build_definitions(Settings(home=tmp_path, connections=path)).get_repository_def()
    graph = repository.asset_graph
    assert graph.external_asset_keys == set()
    names = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {
        "raw/books/invoices",
        "raw/xero/credit_notes",
        "receivables/books/journals",
        "receivables/xero/payments",
    } < names
    assert not [name for name in names if name.startswith(("sftp_csv/", "raw/sftp"))]
    assert {job.name for job in repository.get_all_jobs()} == {
        *("__ASSET_JOB", "read_books", "read_xero", "reprocess", "reconciliation")
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {"books_polls", "xero_polls", "run_watch"}
    balances = graph.get(dg.AssetKey(["reconciliation", "balances"]))
    assert {key.path[1] for key in balances.parent_keys} == {"books", "xero"}
    read = repository.get_job("read_books").asset_layer.selected_asset_keys
    assert not [key for key in read if key.path[0] in {"raw", "receivables"} and key.path[1] != "books"]
    test_every_asset_says_what_it_is(build_definitions(Settings(home=tmp_path, connections=path)))


def test_a_payment_provider_brings_charges_and_payouts(tmp_path: Path) -> None:
    path = tmp_path / "connections.yaml"
    path.write_text(
        f"{MIXED}  stripe: {{system: stripe, ledger: books}}\n".replace("quickbooks}", "quickbooks, role: ledger}")
    )
    definitions = build_definitions(Settings(home=tmp_path, connections=path))
    graph = definitions.get_repository_def().asset_graph
    checks = {key.name for key in graph.asset_check_keys if key.asset_key.path[-1] in {"charges", "payouts"}}
    assert {"charges_in_ledger", "payouts_tie", "payouts_itemised", "balance_proven"} <= checks
    for result in ("charges", "payouts"):
        parents = graph.get(dg.AssetKey(["reconciliation", result])).parent_keys
        assert {key.path[1] for key in parents} == {"stripe", "books"}
        assert graph.get(dg.AssetKey(["reconciliation", "differences"])).parent_keys > {
            dg.AssetKey(["reconciliation", result])
        }
    assert BANK_IS_TOLD_APART in str(graph.get(dg.AssetKey(["reconciliation", "payouts"])).description)
    test_every_asset_says_what_it_is(definitions)


def test_what_hangs_on_documents_is_shown_where_it_is_asked_for(tmp_path: Path) -> None:
    def shown(more: str) -> set[str]:
        path = tmp_path / "connections.yaml"
        path.write_text(f"connections:\n  xero:\n    system: xero\n{more}")
        repository = build_definitions(Settings(home=tmp_path, connections=path)).get_repository_def()
        test_every_asset_says_what_it_is(build_definitions(Settings(home=tmp_path, connections=path)))
        read = repository.get_job("read_xero").asset_layer.selected_asset_keys
        return {key.path[-1] for key in read if key.path[0] == "raw"} - set(API_SYSTEMS["xero"].extracts)

    assert shown("") == set()
    assert shown("    also_read: [invoice_history]\n") == {"invoice_history"}


def test_what_the_graph_shows_of_a_system_is_what_its_connector_has(database: str) -> None:
    for system, make in CONNECTORS.items():
        shown = API_SYSTEMS[system]
        read = [extract.name for extract in make().extracts if extract.hangs_on is None]
        assert list(shown.extracts) == read, system
        assert set(shown.entities) <= set(API_ENTITIES)
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'receivables'"
        ).fetchall()
    kinds = {"timestamp with time zone": "timestamptz"}
    for entity, columns in API_ENTITIES.items():
        stored = {name: kinds.get(kind, kind) for table, name, kind in rows if table == entity}
        assert {column.name: column.type for column in columns} == stored, entity
