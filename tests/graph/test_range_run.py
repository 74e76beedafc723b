"""A range of days through the whole graph on a real instance: figures, metadata, checks, events. No sensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from kolleno_pipelines.automation.launch import Launched, launch
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.schemas.sftp_tables import TableName
from tests.graph.conftest import days_between, drop_all

Shown = Mapping[str, dg.MetadataValue]
_MONEY = {"amount", "balance", "net", "closing"}
#: Links have no currency of their own; the documents on both sides are added up.
_WITHOUT_TOTALS = {"allocations"}


def _launch(
    instance: dg.DagsterInstance, definitions: dg.Definitions, company: Company, job: str = "sftp", **options: bool
) -> Launched:
    first = company.plan.first_day - timedelta(days=1)
    launched = launch(instance, definitions, job, first, company.last_day, **options)
    assert launched.success, launched.runs
    return launched


def _metadata(instance: dg.DagsterInstance, run: Mapping[str, object], key: str) -> dict[str | None, Shown]:
    """Metadata of an asset's materialisations in a run, by partition."""
    records = instance.get_records_for_run(str(run["run_id"]), of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    found = [record.event_log_entry.asset_materialization for record in records.records]
    wanted = dg.AssetKey(key.split("/"))
    return {m.partition: m.metadata for m in found if m is not None and m.asset_key == wanted}


def _checks(instance: dg.DagsterInstance, run: Mapping[str, object]) -> dict[str, tuple[bool, str, Shown]]:
    records = instance.get_records_for_run(str(run["run_id"]), of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in records.records]
    return {
        f"{e.asset_key.to_user_string()} {e.check_name}": (e.passed, e.description or "", e.metadata) for e in events
    }


def test_a_range_gives_the_companys_own_answers(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    deployment: Deployment,
    company: Company,
    drop: Path,
) -> None:
    paths = drop_all(drop, company)
    run = _launch(instance, definitions, company).runs[0]

    files = _metadata(instance, run, "raw/sftp/files")
    before = company.plan.first_day - timedelta(days=1)
    assert sorted(files) == days_between(before, company.last_day)
    assert files[before.isoformat()]["dagster/partition_row_count"].value == 0
    assert sum(shown["dagster/partition_row_count"].value for shown in files.values()) == len(paths)
    assert sum(shown["bytes"].value for shown in files.values()) == sum(path.stat().st_size for path in paths)
    assert files[company.last_day.isoformat()]["bytes in all"].value == sum(path.stat().st_size for path in paths)
    assert "rows read" not in files[company.last_day.isoformat()]  # it is read only after it was taken
    _assert_every_asset_is_measured(instance, definitions, run, company.last_day.isoformat())

    last = company.last_day.isoformat()
    totals = {total.currency_iso: total for total in Answers.of(company).control_totals()}
    with deployment.session() as session:
        stored = session.execute("SELECT currency_iso, net FROM reconciliation.control_totals").fetchall()
    assert dict(stored) == {currency: total.net for currency, total in totals.items()}

    aged = _metadata(instance, run, "reconciliation/ageing")
    today = datetime.now(UTC).date().isoformat()
    assert sorted(aged) == [*days_between(before, company.last_day), today]
    assert "data:image/svg+xml;base64," in aged[today]["picture"].value
    for line in Answers.of(company).ageing(company.last_day):
        assert _amount(aged[last][f"{line.currency_iso} {line.bucket}"]) == line.amount

    invoices = _metadata(instance, run, "receivables/sftp/invoices")[last]
    assert invoices["dagster/row_count"].value == len(Answers.of(company).records("invoice"))
    _assert_counted_by_day(instance, run, company)

    files = _metadata(instance, _launch(instance, definitions, company).runs[0], "raw/sftp/files")
    sent = sum(len(rows) for batch in drops.versions(company) for rows in batch.rows.values())
    for count, number in (("rows read", sent), ("rows accepted", sent), ("rows rejected", 0)):
        assert sum(shown[count].value for shown in files.values()) == number


def _assert_every_asset_is_measured(
    instance: dg.DagsterInstance, definitions: dg.Definitions, run: Mapping[str, object], last: str
) -> None:
    """Every asset says how many rows it has, and what its money comes to where it has a column of money."""
    for spec in definitions.resolve_all_asset_specs():
        shown = _metadata(instance, run, spec.key.to_user_string())
        of_day = shown[last] if last in shown else shown[None]
        assert {"dagster/row_count", "dagster/partition_row_count"} & set(of_day), spec.key
        columns = {column.name for column in spec.metadata["dagster/column_schema"].columns}
        if columns & _MONEY and spec.key.path[-1] not in _WITHOUT_TOTALS:
            assert any(_is_money(value) for each in shown.values() for value in each.values()), spec.key


def _is_money(shown: dg.MetadataValue) -> bool:
    """An amount as text (of yen without decimals), or a table that has a column of amounts."""
    texts = [shown.value]
    if isinstance(shown, dg.TableMetadataValue):
        texts = [cell for record in shown.records for name, cell in record.data.items() if name in _MONEY]
    return any(isinstance(text, str) and re.fullmatch(r"-?[\d,]+(\.\d{2,})?", text) for text in texts)


def _amount(shown: dg.MetadataValue) -> Decimal:
    return Decimal(str(shown.value).replace(",", ""))


def _assert_counted_by_day(instance: dg.DagsterInstance, run: Mapping[str, object], company: Company) -> None:
    """Every row sent is counted on the day in its file's name, by table."""
    sent: dict[tuple[str, date], int] = {}
    for batch in drops.versions(company):
        for table in TableName:
            key = (table.value, batch.name_time.date())
            sent[key] = sent.get(key, 0) + len(batch.rows[table])
    for table in TableName:
        shown = _metadata(instance, run, f"sftp_csv/{table.value}")
        for day, metadata in shown.items():
            assert day is not None
            expected = sent.get((table.value, date.fromisoformat(day)), 0)
            assert metadata["dagster/partition_row_count"].value == expected
            assert metadata["rows rejected"].value == 0


def test_running_a_range_again_changes_nothing(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    deployment: Deployment,
    company: Company,
    drop: Path,
) -> None:
    drop_all(drop, company)
    _launch(instance, definitions, company)
    for path in drop.iterdir():
        path.unlink()
    drop.rmdir()  # re-processing must not ask the server
    run = _launch(instance, definitions, company, "reprocess").runs[0]
    last = company.last_day.isoformat()
    for entity in ("customers", "contacts", "contact_links", "invoices", "credit_notes", "payments", "allocations"):
        shown = _metadata(instance, run, f"receivables/sftp/{entity}")[last]
        assert {name: shown[name].value for name in ("new", "changed", "gone")} == {"new": 0, "changed": 0, "gone": 0}
    balances = _metadata(instance, run, "reconciliation/balances")[None]
    assert (balances["rows written"].value, balances["rows deleted"].value) == (0, 0)
    assert not _metadata(instance, run, "raw/sftp/files")


def test_a_failed_file_does_not_fail_the_run_and_says_why(
    instance: dg.DagsterInstance, definitions: dg.Definitions, company: Company, drop: Path
) -> None:
    drop_all(drop, company)
    name = f"payments_{company.last_day}T06:00:04.csv"
    others = [f"payments_{company.last_day}T{hour}:00:00.csv" for hour in range(10, 16)]
    for each in (name, *others):
        (drop / each).write_text("id,customer_id,amount\nP1,C1,10.00\n")
        _age(drop / each)
    run = _launch(instance, definitions, company).runs[0]
    shown = _metadata(instance, run, "sftp_csv/payments")[company.last_day.isoformat()]
    assert "currency_iso" in shown["failed"].value
    assert sum(each in shown["failed"].value for each in (name, *others)) == 5
    assert shown["failed"].value.endswith("and 2 more")
    assert shown["files failed"].value == 7
    holds, words, metadata = _checks(instance, run)["raw/sftp/files no_failed_file"]
    assert not holds
    assert "Failed files whose batch waits for a good one: 7." in words
    assert name in {record.data["name"] for record in metadata["failed files"].records}


def test_rejected_and_parked_rows_turn_checks_red_until_made_good(
    instance: dg.DagsterInstance, definitions: dg.Definitions, company: Company, drop: Path
) -> None:
    drop_all(drop, company)
    name = f"invoices_{company.last_day}T06:00:02.csv"
    lines = (drop / name).read_text(encoding="utf-8-sig").splitlines()
    header = lines[0].split(",")
    bad = dict(zip(header, lines[1].split(","), strict=True)) | {"id": "BAD-1", "amount": "12,50"}
    parked = dict(zip(header, lines[1].split(","), strict=True)) | {"id": "LOST-1", "customer_id": "nobody"}
    rows = [",".join(f'"{cell}"' for cell in row.values()) for row in (bad, parked)]
    (drop / name).write_text("\n".join([*lines, *rows]) + "\n")
    _age(drop / name)
    checks = _checks(instance, _launch(instance, definitions, company).runs[0])
    holds, words, metadata = checks["sftp_csv/invoices no_rejects"]
    assert not holds
    assert "kolleno rejects" in words
    assert metadata["rejected rows"].records[0].data["file"] == name
    assert "BAD-1" not in str(checks["sftp_csv/payments no_rejects"])
    holds, _, metadata = checks["receivables/sftp/invoices none_parked"]
    assert not holds
    assert metadata["parked rows"].records[0].data["parent_id"] == "nobody"

    fixed = dict(bad) | {"amount": bad["balance"]}
    fix = f"invoices_{company.last_day}T06:00:02.fix1.csv"
    (drop / fix).write_text(",".join(header) + "\n" + ",".join(f'"{cell}"' for cell in fixed.values()) + "\n")
    _age(drop / fix)
    checks = _checks(instance, _launch(instance, definitions, company, reload=False).runs[0])
    assert checks["sftp_csv/invoices no_rejects"][0]
    assert not checks["receivables/sftp/invoices none_parked"][0]


def test_an_open_break_is_red_and_an_accepted_one_is_not(
    instance: dg.DagsterInstance, definitions: dg.Definitions, deployment: Deployment, company: Company, drop: Path
) -> None:
    from kolleno_pipelines.pipeline.acceptance import accept

    drop_all(drop, company)
    _launch(instance, definitions, company)
    for row in _red(deployment):
        accept(deployment.database_url, str(row), why="known", by="tester", today=datetime.now(UTC).date())
    checks = _checks(instance, _launch(instance, definitions, company, "reconciliation").runs[0])
    assert checks["reconciliation/differences no_open_break"][0]
    assert checks["reconciliation/roll_forward roll_forward_explained"][0]

    name = f"invoices_{company.last_day}T06:00:02.csv"
    lines = (drop / name).read_text(encoding="utf-8-sig").splitlines()
    position = lines[0].split(",").index("balance")
    cells = lines[-1].split(",")
    cells[position] = str(Decimal(cells[position]) + 1)
    (drop / name).write_text("\n".join([*lines[:-1], ",".join(cells)]) + "\n")
    _age(drop / name)
    checks = _checks(instance, _launch(instance, definitions, company, reload=False).runs[0])
    holds, words, metadata = checks["reconciliation/differences no_open_break"]
    assert not holds
    assert "Breaks that ask for somebody" in words
    assert {record.data["left_source_id"] for record in metadata["largest breaks"].records} == {cells[0]}


def _red(deployment: Deployment) -> list[str]:
    from kolleno_pipelines.pipeline.result_facts import open_breaks

    return [row["break_id"] for row in open_breaks(deployment, [deployment.sftp.name]).worst]


def test_a_run_without_a_server_fails_with_one_clear_sentence(
    instance: dg.DagsterInstance, definitions: dg.Definitions, company: Company, drop: Path
) -> None:
    drop.rmdir()
    drop.parent.rmdir()
    first = company.plan.first_day
    launched = launch(instance, definitions, "sftp", first, first)
    assert not launched.success
    assert str(drop.parent) in str(launched.runs[0]["error"])


def test_a_table_of_the_seven_cannot_be_run_alone(definitions: dg.Definitions) -> None:
    job = dg.define_asset_job("one", dg.AssetSelection.assets(["sftp_csv", "invoices"]))
    with pytest.raises(dg.DagsterInvalidDefinitionError):
        dg.Definitions.merge(definitions, dg.Definitions(jobs=[job])).get_repository_def().get_all_jobs()


def _age(path: Path) -> None:
    """Let a file count as complete: not touched for an hour, yet changed."""
    import os

    moment = datetime.now(UTC).timestamp() - 3600
    os.utime(path, (moment, moment))
