"""`kolleno compare-report` over an account that was read from the sandbox's server: what it prints and how it ends."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.stripe.access import no_limits
from kolleno_pipelines.sandbox.stripe.filling import filled_from
from kolleno_pipelines.sandbox.stripe.report import payout_reconciliation
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.sandbox.vendor_clock import VendorClock
from kolleno_pipelines.settings import Settings
from tests.canaries import CANARY
from tests.command_line import Site, make_site
from tests.report_files import compare
from tests.stripe_deployment import NAME, SECRET_VARIABLE, StripeDeployment


class Read(Site):
    """A site whose connection has read the whole account; `text` is the provider's report of it."""

    text: str
    reader: StripeDeployment

    def write(self, text: str) -> str:
        (self.folder / "report.csv").write_text(text)
        return "report.csv"


@pytest.fixture
def site(settings: Settings, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Read]:
    ledger = filled_from(Company.build(3, customers=20, days=20, history_days=30, expressible=True)).ledger
    with SandboxStripe(ledger, clock=VendorClock(ledger.now), limits=no_limits(), mark=CANARY) as vendor:
        monkeypatch.setenv(SECRET_VARIABLE, vendor.key)
        reader = StripeDeployment(vendor, settings, tmp_path / "reader")
        for _ in range(2):  # what a payout holds is asked for once the payout is known
            reader.read()
        made = make_site(tmp_path / "site", database)
        site = Read(made.folder, made.variables | {SECRET_VARIABLE: vendor.key})
        (site.folder / "connections.yaml").write_text(reader.file.read_text())
        site.reader = reader
        site.text = payout_reconciliation(ledger, vendor.clock.now, ledger.opened, ledger.now + timedelta(days=7))
        yield site


def test_the_report_of_an_account_that_was_read(site: Read) -> None:
    rows = list(csv.DictReader(io.StringIO(site.text)))
    assert len(rows) > 40
    file = site.write(site.text)
    compared = compare(site.reader.deployment, NAME, site.folder / file)
    assert (compared.told, compared.asks) == ([], False)
    said = site.data("compare-report", NAME, file)
    assert (said["rows"], said["findings"], said["codes"]) == (len(rows), [], {})
    assert {each["payout_source_id"] for each in said["payouts"]} == {row["automatic_payout_id"] for row in rows}
    for each in said["payouts"]:
        assert each["outcome"] == "agrees"
        assert (each["report_net"], each["report_rows"]) == (each["api_net"], each["api_rows"])
    assert sum(each["report_rows"] for each in said["payouts"]) == len(rows)


def test_what_differs_is_printed_and_ends_with_1(site: Read) -> None:
    lines = site.text.splitlines()
    first = next(csv.DictReader(lines))
    wrong = lines[1].replace(f",{first['net']},", ",0.01,", 1)
    file = site.write("\n".join([lines[0], wrong, *lines[2:]]))
    shown = site.run("compare-report", NAME, file, code=1)
    assert "Payouts" in shown.stdout
    assert f"The report says net 0.01, both lists of the API {first['net']}." in shown.stdout
    assert f"{len(lines) - 1:,} rows of report.csv were compared with {NAME}" in shown.stderr
    written = site.run("compare-report", NAME, file, "--csv", "found.csv", code=1)
    assert "1 findings are in found.csv." in written.stderr
    (found,) = csv.DictReader((site.folder / "found.csv").read_text().splitlines())
    assert (found["code"], found["line"], found["column"], found["report_value"], found["api_value"]) == (
        "differs",
        "2",
        "net",
        "0.01",
        first["net"],
    )
    assert found["balance_transaction_source_id"] == first["balance_transaction_id"]
    many = "\n".join([lines[0], *[line.replace(",charge,", ",refund,") for line in lines[1:]]])
    said = site.data("compare-report", NAME, site.write(many), "--max-findings", "3", code=1)
    assert len(said["findings"]) == 3
    assert said["codes"]["differs"] > 30


def test_what_cannot_be_compared_ends_with_2(site: Read) -> None:
    lines = site.text.splitlines()
    file = site.write("\n".join([lines[0], *[line.replace(",usd,", ",usdollar,") for line in _dollars(lines)[:3]]]))
    shown = site.run("compare-report", NAME, file, code=2)
    assert "report.csv was not compared, since it cannot be read: line 2: currency 'usdollar'" in shown.stderr
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:]] == [
        [str(line), "currency", "usdollar"] for line in (2, 3, 4)
    ]
    said = site.data("compare-report", NAME, file, code=2)
    assert (said["faults"], [each["line"] for each in said["findings"]]) == (3, [2, 3, 4])
    file = site.write(lines[0].replace("gross", "brutto"))
    assert "The column gross is missing; download the itemized" in site.refusal("compare-report", NAME, file)
    assert "books is no payment provider" in site.refusal("compare-report", "books", file)
    assert "--from and --to go together" in site.refusal("compare-report", NAME, file, "--from", "2026-01-01")
    assert "'localtime' is no time zone" in site.refusal("compare-report", NAME, file, "--timezone", "localtime")
    assert "--json: it does not go with --csv" in site.refusal("compare-report", NAME, file, "--json", "--csv", "-")
    assert "'Moon' is no time zone" in site.refusal("compare-report", NAME, file, "--timezone", "Moon")
    assert "cannot be read: Permission" in _unreadable(site, file) or os.getuid() == 0


def _unreadable(site: Read, file: str) -> str:
    (site.folder / file).chmod(0)
    return site.run("compare-report", NAME, file, code=2).stderr


def _dollars(lines: list[str]) -> list[str]:
    return [line for line in lines if ",usd," in line]
