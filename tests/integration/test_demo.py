"""`kolleno demo` for real: three systems of one company, the figures, what agreement names, how it goes on."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from cryptography.fernet import Fernet

from kolleno_pipelines.cli.demo_company import DROP_FOLDER, PLANTED, make_company
from kolleno_pipelines.sandbox import drops
from kolleno_pipelines.schemas.api_systems import API_SYSTEMS
from kolleno_pipelines.schemas.sftp_tables import TableName
from kolleno_pipelines.storage.embedded import start
from kolleno_pipelines.storage.tokens import StoredTokens
from tests.command_line import ROOT, Site, make_site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
AGREE = "sftp and xero agree with quickbooks."
PAID_OUT = re.compile(r"\d+ charges are in quickbooks, \d+ payouts are .* proven in 3 currencies\.")
ARRIVED = re.compile(r"\d{2,} payouts are at the bank as they should, \d+ are awaited there\.")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site on its own embedded server, whose operator has a key of real sign-ins."""
    for folder in (tmp_path, tmp_path.parent):
        folder.chmod(0o711)
    site = make_site(tmp_path / "site", None)
    site.variables["KOLLENO_SECRET_KEY"] = Fernet.generate_key().decode()
    yield site
    site.run("db", "stop", code=None, KOLLENO_HOME=str(home_of(site)))


def home_of(site: Site) -> Path:
    return site.folder / "home" / "demo"


def own_variables(site: Site) -> dict[str, str]:
    """The variables of the demo, as far as reading what it left needs them."""
    home = home_of(site)
    files = {"KOLLENO_CONNECTIONS": home / "connections.yaml", "KOLLENO_ENV_FILE": home / "secrets.env"}
    return {"KOLLENO_HOME": str(home), "KOLLENO_SECRET_KEY": "", **{name: str(path) for name, path in files.items()}}


def test_the_demo_agrees_with_the_company_s_own_books(site: Site) -> None:
    first = site.run_slowly("demo", "--no-ui", "--with-faults")
    assert "all agree with the sandbox's own answers." in first.stdout
    assert AGREE in first.stdout
    assert "DISAGREES" not in first.stdout
    assert "Breaks" not in first.stdout
    assert "missing_columns" in first.stdout
    assert PAID_OUT.search(first.stdout)
    assert ARRIVED.search(first.stdout)
    assert "opening difference" in first.stdout
    for gap in (r"sftp +zero_payment +EUR \d+", r"xero +zero_payment +EUR \d+", r"xero +no_groups +\d+ customers"):
        assert re.search(gap, first.stdout), gap
    assert not re.search("sftp +no_groups", first.stdout)
    _assert_it_goes_on_as_printed(site, first.stderr)
    assert "Traceback" not in first.stderr


@pytest.mark.nightly
def test_the_same_demo_again_says_the_same(site: Site) -> None:
    first = site.run_slowly("demo", "--no-ui", "--with-faults")
    files = json.loads(site.run("files", "--json", **own_variables(site)).stdout)
    again = site.run_slowly("demo", "--no-ui", "--with-faults")
    assert "0 of them new" in again.stderr
    assert again.stdout == first.stdout
    assert json.loads(site.run("files", "--json", **own_variables(site)).stdout)[0]["receipt"] == files[0]["receipt"]
    assert "Traceback" not in first.stderr + again.stderr


def _assert_it_goes_on_as_printed(site: Site, told: str) -> None:
    """The printed commands, in a shell and a folder whose own settings are of a real deployment, away from here."""
    lines = [line.strip() for line in told.splitlines() if line.startswith("  ")]
    assert (len(lines), lines[0][:7]) == (9, "export ")
    (site.folder / ".env").write_text("KOLLENO_DATABASE_URL=postgresql://real@127.0.0.1:9/real\nKOLLENO_HOME=real\n")
    variables = {name: value for name, value in site.variables.items() if name != "KOLLENO_ENV_FILE"}
    variables |= {"KOLLENO_DATABASE_URL": "postgresql://real@127.0.0.1:9/real", "KOLLENO_HOME": "real"}
    for command, words in zip(
        lines[1:],
        ("connected", "invoices_", "not_due", "zero_payment", "reconciled", "", "What the files say", ""),
        strict=True,
    ):
        done = subprocess.run(
            ["sh", "-c", f"{lines[0]}\n{command}"],
            env=variables,
            cwd=site.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert words in done.stdout, command
    (site.folder / ".env").unlink()


def test_the_planted_break_is_named_and_no_other(site: Site) -> None:
    planted = site.run_slowly("demo", "--no-ui", "--with-break")
    named = re.search(
        r"The planted break is named, and no other: invoice (\S+) is (\S+) USD in quickbooks and (\S+) in xero\.",
        planted.stdout,
    )
    assert named is not None, planted.stdout
    assert Decimal(named[3].replace(",", "")) - Decimal(named[2].replace(",", "")) == PLANTED
    assert "all agree with the sandbox's own answers, 3 of them with the planted break." in planted.stdout
    assert re.search(r"^xero +USD +\d+ +\S+ +\S+ +-10\.00 +0\.00$", planted.stdout, re.MULTILINE)
    (row,) = [
        row
        for row in json.loads(site.run("report", "agreement", "--json", code=1, **own_variables(site)).stdout)
        if row["breaks"]
    ]
    (found,) = row["breaks"]
    assert (row["mirror"], found["kind"], found["ref"], found["differs"]) == (
        "xero",
        "invoice",
        named[1],
        "amount, balance",
    )
    _assert_the_planted_fee_is_named(site, planted.stdout)
    _assert_the_readme_shows(planted.stdout)
    _assert_it_went_the_real_way(site)


@pytest.mark.nightly
def test_a_break_that_nobody_planted_fails(site: Site) -> None:
    site.run_slowly("demo", "--no-ui", "--with-break")
    _plant_another(site)
    other = site.run("demo", "--no-ui", "--with-break", code=1, timeout=300)
    assert "0 of them new" in other.stderr
    assert "1 break that nobody planted." in other.stdout
    assert "DISAGREES" in other.stdout


def _assert_the_planted_fee_is_named(site: Site, told: str) -> None:
    """As the last word of the demo, in the report of payouts, and beside the planted break in the list of breaks."""
    named = re.search(
        r"The planted errors are named, and no other: the fee of (txn_\w+) is one cent too high, in payout (po_\w+);"
        r" (po_\w+) is not at the bank\.",
        told,
    )
    assert named is not None, told
    item, payout, missing = named.groups()
    payouts = json.loads(site.run("report", "payouts", "--json", code=1, **own_variables(site)).stdout)
    told_of = {
        row["source_id"]: (row["outcome"], one["code"], one["balance_transaction_source_id"], one["amount"])
        for row in payouts
        for one in row["exceptions"]
    }
    (amount,) = [row["amount"] for row in payouts if row["source_id"] == missing]
    assert told_of == {
        payout: ("fee_mismatch", "fee_differs", item, "-0.01"),
        missing: ("not_at_bank", "no_bank_line", "", amount),
    }
    breaks = json.loads(site.run("report", "differences", "--json", code=1, **own_variables(site)).stdout)
    assert sorted(one["kind"] for one in breaks) == ["agreement", "payout", "payout"]


def _assert_the_readme_shows(told: str) -> None:
    """Each line of the README's example came, whatever its figures are today."""
    (example,) = re.findall(r"```text\n(figure .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    def shapes(text: str) -> list[list[str]]:
        told = re.sub(r"\b(txn|po)_[0-9A-Za-z]{24}\b", "#", text)
        return [re.sub(r"[\d,.]*\d", "#", line).split() for line in told.splitlines()]

    missing = [shape for shape in shapes(example) if shape not in [["..."], *shapes(told)]]
    assert not missing


def _plant_another(site: Site) -> None:
    """Correct one invoice in the files alone, beside the company's own batches."""
    dropped = make_company(datetime.now(UTC), with_faults=False, with_break=True)
    (batch,) = [each for each in drops.versions(dropped.company) if each.number == dropped.company.batches[-1].number]
    row = next(row for row in batch.rows[TableName.INVOICES] if Decimal(row["balance"]) > 1)
    changed = {**row, "amount": str(Decimal(row["amount"]) + 1), "balance": str(Decimal(row["balance"]) + 1)}
    name = drops.file_name(TableName.INVOICES, batch.time_of(TableName.INVOICES), fix=1)
    path = home_of(site) / "sftp" / DROP_FOLDER / name
    path.write_bytes(drops.csv_bytes(batch.columns[TableName.INVOICES], [changed]))
    os.utime(path, (time.time() - 600,) * 2)


def _assert_it_went_the_real_way(site: Site) -> None:
    """Everything is materialised, and the sign-ins are kept encrypted with a key that nobody else may read."""
    home = home_of(site)
    secrets = home / "secrets.env"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    key = re.search("^KOLLENO_SECRET_KEY=(.+)$", secrets.read_text(), re.MULTILINE)
    assert key is not None
    assert key[1] != site.variables["KOLLENO_SECRET_KEY"]
    url = start(home)
    for name in ("quickbooks", "xero"):
        tokens = StoredTokens(url, name, [key[1]]).read()
        with psycopg.connect(url) as conn:
            kept = conn.execute("SELECT sealed FROM raw.oauth_tokens WHERE connection = %s", [name]).fetchone()
        assert kept is not None
        assert tokens.access_token.encode() not in bytes(kept[0])
    wanted = [dg.AssetKey(["reconciliation", "agreement"]), dg.AssetKey(["raw", "sftp", "files"])]
    for name, system in (("quickbooks", "quickbooks"), ("xero", "xero"), ("bank", "bank_files")):
        wanted += [dg.AssetKey(["raw", name, extract]) for extract in API_SYSTEMS[system].extracts]
    wanted += [dg.AssetKey(["receivables", name, "invoices"]) for name in ("quickbooks", "sftp", "xero")]
    with dg.DagsterInstance.from_config(str(home)) as instance:
        missing = [key for key in wanted if instance.get_latest_materialization_event(key) is None]
        (check,) = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(["reconciliation", "agreement"]), "agrees_with_ledger"), limit=1
        )
    assert not missing
    assert check.status.value == "FAILED"
