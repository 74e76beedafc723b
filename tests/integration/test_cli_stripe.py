"""Every command on a connection to Stripe: what it prints for people, for scripts and spreadsheets, what it refuses."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kolleno_pipelines.sandbox.stripe.access import READ_ALL, no_limits
from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.scenes import Case
from kolleno_pipelines.sandbox.stripe.server import SandboxStripe
from kolleno_pipelines.schemas.payout_words import BANK_IS_TOLD_APART
from tests.canaries import CANARY
from tests.command_line import CUSTOMER, Site, make_site

VARIABLE = "STRIPE_API_KEY"


@pytest.fixture
def case() -> Case:
    """100.00 that the ledger has, and 80.00 of which it knows nothing: a payout of 174.18 that is blocked."""
    return CASES["unknown_member"]()


@pytest.fixture
def vendor(case: Case) -> Iterator[SandboxStripe]:
    with SandboxStripe(case.ledger, limits=no_limits(), mark=CANARY) as vendor:
        yield vendor


@pytest.fixture
def site(database: str, tmp_path: Path, vendor: SandboxStripe, case: Case) -> Site:
    """A drop folder with the ledger's payments, and a connection to the account that serves it."""
    site = make_site(tmp_path / "site", database)
    write(site, vendor)
    site.variables[VARIABLE] = vendor.new_key(permissions=READ_ALL).secret
    payments = [
        {"id": one.id, "customer_id": "C1", "ref": one.ref, "amount": str(one.amount), "balance": str(one.amount),
         "currency_iso": one.currency_iso, "date_paid": "2026-02-02"} for one in case.erp
    ]  # fmt: skip
    site.put_batch("2026-02-03T06:00:00", {"customers": [CUSTOMER], "payments": payments})
    return site


def write(site: Site, vendor: SandboxStripe, more: str = "", key: str = f"api_key: ${{{VARIABLE}}}") -> None:
    (site.folder / "connections.yaml").write_text(
        f"connections:\n  sftp:\n    system: sftp\n    location: file://{site.drop.parent}\n"
        f"  stripe:\n    system: stripe\n    api_url: {vendor.url}\n    {key}\n{more}",
        encoding="utf-8",
    )


def test_a_key_is_tried_list_by_list(site: Site, vendor: SandboxStripe) -> None:
    told = site.run("connections", "check", "stripe").stdout.splitlines()
    assert told[:2] == [
        "stripe: opens with a key; nobody signs in.",
        "stripe: answered: events, balance_snapshots, balance_transactions, customers, payment_intents, charges,"
        " refunds, disputes, payouts can be read.",
    ]
    some = {area: may for area, may in READ_ALL.items() if area not in {"charges", "payouts"}}
    lacking = site.run("connections", "check", "stripe", code=2, **{VARIABLE: vendor.new_key(permissions=some).secret})
    assert "stripe: The key may not read charges, payouts. " in lacking.stderr
    assert "give the restricted key read access to it in the dashboard" in lacking.stderr
    wrong = site.run("connections", "check", "stripe", code=2, **{VARIABLE: f"rk_test_{CANARY}"})
    assert wrong.stderr.startswith("stripe: The vendor does not take the key ")
    assert "correct it where connections.yaml says that it is kept" in wrong.stderr


def test_what_is_missing_is_said(site: Site, vendor: SandboxStripe) -> None:
    without = site.refusal("extract", "stripe", **{VARIABLE: ""})
    assert VARIABLE in without
    write(site, vendor, key="#")
    assert "api_key is missing: write it in connections.yaml" in site.refusal("extract", "stripe")
    write(site, vendor, key=f"api_key: rk_test_{CANARY}")
    assert "api_key: a secret is never written into this file" in site.refusal("extract", "stripe")
    write(site, vendor, "    ledger: books\n")
    assert "books is no ledger that it could serve; there is sftp" in site.refusal("connections")
    for line, told in (
        ("cutover: soon", "cutover: it is a day such as 2026-01-31."),
        ("cutover: 2026", "cutover: it is a day such as 2026-01-31."),
        ("cut_over: 2026-01-01", "unknown key cut_over (did you mean cutover?)."),
        (
            "payout_charge_id_field: note",
            "payout_charge_id_field: it is ref, psp_reference or extra.<key> (as extra.note)",
        ),
        ("account_id: 4711", "account_id: it is the id of an account, acct_ and what follows."),
        ("start_date: 2026-01-01", "start_date: leave it out: a balance is the sum of all its rows;"),
    ):
        write(site, vendor, f"    {line}\n")
        assert told in site.refusal("connections"), line
    write(site, vendor)
    assert "There is no connection strip" in site.refusal("connections", "check", "strip")
    assert "strip" in site.refusal("extract", "strip")
    assert "opens with a key; nobody signs in" in site.refusal("connections", "login", "stripe")
    assert "`kolleno extract stripe` reads it" in site.refusal("ingest", "stripe")
    assert "stripe has no chargers to be asked for by id" in site.refusal(
        "extract", "stripe", "--extract", "chargers", "--id", "ch_1"
    )


def test_from_the_account_to_the_reports(site: Site, case: Case) -> None:
    site.run("ingest")
    assert site.data("report", "payouts") == []
    read = site.run("extract", "stripe", code=None).stdout
    assert "stripe: " in read
    site.run("extract", "stripe", code=None)  # what a payout holds is asked for once the payout is known
    (payout,) = case.payouts
    told = site.run("report", "payouts", code=1)
    shown = told.stdout
    assert told.stderr.startswith(BANK_IS_TOLD_APART)
    columns, row = (re.split(r" {2,}", line.strip()) for line in shown.splitlines()[:2])
    assert dict(zip(columns, row, strict=True)) == {
        "date_arrival": "2026-02-05",
        "currency_iso": "USD",
        "charges": "180.00",
        "fees taken off": "-5.82",
        "payout": "174.18",
        "outcome": "blocked_unknown_member",
        "source_id": payout,
        "connection": "stripe",
    }
    assert f"sftp has no payment of charge {case.ids['stranger']}." in shown
    charges = site.run("report", "charges", code=1)
    assert "sftp has no payment of it; the charge carries no reference of the platform." in charges.stdout
    assert "docs/payouts.md" in charges.stderr
    assert site.run("report", "balance-proofs").stdout.count("tied") >= 1
    (spread,) = csv.DictReader(io.StringIO(site.run("report", "payouts", "--csv", "-", code=1).stdout))
    assert (spread["charges"], spread["fees_taken_off"], spread["refunds"], spread["amount"]) == (
        "180.00", "-5.82", "0.00", "174.18",
    )  # fmt: skip
    assert spread["exceptions"].startswith("no_payment txn_")
    _accept_everything(site)


def _accept_everything(site: Site) -> None:
    breaks = site.data("report", "differences", code=1)
    assert sorted(one["kind"] for one in breaks) == ["charge", "payout"]
    for one in breaks:
        site.run("differences", "accept", one["break_id"], "--why", "a test charge of the shop")
    for name in ("differences", "charges", "payouts"):
        site.run("report", name)
    (payout,) = site.data("report", "payouts")
    assert payout["outcome"] == "blocked_unknown_member"


def test_a_report_without_payouts_has_its_columns(site: Site) -> None:
    site.run("ingest")
    (header,) = csv.reader(io.StringIO(site.run("report", "payouts", "--csv", "-").stdout))
    assert header[:5] == ["connection", "source_id", "date_arrival", "currency_iso", "charges"]
    assert site.run("report", "payouts").stderr == "There is nothing to report.\n"


def test_what_was_read_is_traced_and_read_again_from_the_archive(site: Site, case: Case) -> None:
    site.run("ingest")
    site.run("extract", "stripe", code=None)
    charge = case.ids["charge"]
    assert charge in site.run("trace", "charges", charge).stdout
    assert "nothing" in site.run("reprocess", "--from", "2026-01-01", "--to", "2026-12-31", "--dry-run").stdout
    again = site.run("reprocess", "--from", "2026-01-01", "--to", "2026-12-31", code=None)
    assert "parts of extracts were normalised again from the archive" in again.stdout
    one = site.run("extract", "stripe", "--extract", "charges", "--id", charge, code=None).stdout
    assert "stripe: 1 payloads received." in one
