"""Recorded payloads of Stripe: with sources as objects and as ids, unknown words, each extract by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kolleno_pipelines.connections import StripeConnection, load_connections
from kolleno_pipelines.connectors.contract import Extract
from kolleno_pipelines.connectors.stripe.connector import STRIPE
from kolleno_pipelines.pipeline.api_delivery import deliver_from_folder
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.import_extracts import ImportFolderError, import_extracts
from kolleno_pipelines.sandbox.stripe import charging, disputes, movements
from kolleno_pipelines.sandbox.stripe.book import Json
from kolleno_pipelines.sandbox.stripe.categories import UNKNOWN_TYPE
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.payouts import open_account
from kolleno_pipelines.sandbox.stripe.scenes import AT, NOW
from kolleno_pipelines.settings import Settings
from tests.databases import fresh_database
from tests.record_payloads import Row, by_id, state_of
from tests.stripe_client import Client, served

FIXTURES = Path(__file__).parents[1] / "contract" / "fixtures" / "stripe"
DAY = timedelta(days=1)
LISTS = ("events", "customers", "payment_intents", "charges", "refunds", "disputes", "payouts")
#: What a bare id does not tell: the charge behind a refund or dispute, and what a charge was.
UNTOLD = {"charge_source_id", "charge_amount", "charge_currency_iso"}


@pytest.fixture(scope="module")
def recorded() -> Iterator[Client]:
    """An account with a charge, a refund, a dispute, a fee, a row of a type that nobody knows, and their payouts."""
    ledger = open_account("recorded", AT - DAY)
    who = charging.add_customer(ledger, AT, name="Recorded")["id"]
    made = [charging.charge(ledger, AT, Payment(amount, customer=who))["id"] for amount in (10_000, 20_000)]
    charging.charge(ledger, AT, Payment(30_000, method="us_bank_account"))
    movements.unheard_of(ledger, AT, -123, "usd")
    movements.bill(ledger, AT, 500, "usd")
    charging.refund(ledger, AT + DAY, made[0], 2_500)
    disputes.open_dispute(ledger, AT + DAY, made[1])
    ledger.advance(NOW - timedelta(hours=1))
    with served(ledger) as client:
        yield client


def _record(client: Client, folder: Path, *, expanded: bool) -> None:
    """Write what somebody would have recorded with a client of their own."""
    folder.mkdir()
    expand = {"expand[]": "data.source"} if expanded else {}
    rows = client.data("balance_transactions", params=expand)
    assert {type(row["source"]) for row in rows if row["source"]} == {dict if expanded else str}
    extracts: dict[str, list[Json]] = {name: client.data(name) for name in LISTS}
    extracts["balance_transactions"] = rows
    extracts["payout_members"] = [
        {"id": f"{payout['id']}|{item['id']}", "payout": payout["id"], "item": item}
        for payout in extracts["payouts"]
        for item in client.data("balance_transactions", params={"payout": payout["id"]})
    ]
    for name, payloads in extracts.items():
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(payload)}\n" for payload in payloads))


def _deployment(url: str, folder: Path) -> Deployment:
    folder.mkdir()
    file = folder / "connections.yaml"
    file.write_text("connections:\n  books:\n    system: quickbooks\n    role: ledger\n  stripe:\n    system: stripe\n")
    return open_deployment(Settings(home=folder, database_url=url, connections=file), load_connections(file))


def _take(deployment: Deployment, folder: Path, at: datetime = NOW) -> dict[str, list[Row]]:
    connection = deployment.connections["stripe"]
    assert isinstance(connection, StripeConnection)
    done = deliver_from_folder(deployment, connection, folder, observed_at=at)
    assert done.quarantined == []
    with deployment.transaction() as conn:
        return state_of(conn, "stripe")


def _results(deployment: Deployment) -> tuple[list[Any], list[Any]]:
    """The outcome of each payout, and its exceptions."""
    outcomes = "SELECT source_id, outcome, items_outcome FROM reporting.payouts ORDER BY 1"
    exceptions = "SELECT code, balance_transaction_source_id, amount FROM reporting.payout_exceptions ORDER BY 1, 2"
    with deployment.transaction() as conn:
        return conn.execute(outcomes).fetchall(), conn.execute(exceptions).fetchall()


def test_sources_as_ids_tell_the_same_of_payouts_as_sources_as_objects(
    recorded: Client, database: str, postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_url, migrated_template, "stripe_bare") as bare_database:
        states, results = [], []
        for url, expanded in ((database, True), (bare_database, False)):
            folder = tmp_path / f"recorded {expanded}"
            _record(recorded, folder, expanded=expanded)
            deployment = _deployment(url, tmp_path / f"home {expanded}")
            states.append(_take(deployment, folder))
            assert _take(deployment, folder) == states[-1], "taken once more it changes nothing"
            results.append(_results(deployment))
    objects, ids = states
    assert {entity for entity in objects if objects[entity] != ids[entity]} == {"balance_transactions"}
    rows = by_id(ids, "balance_transactions")
    for source_id, row in by_id(objects, "balance_transactions").items():
        differs = {name for name, cell in row.items() if cell != rows[source_id][name]}
        assert differs <= UNTOLD, (source_id, differs)
        assert row["source_kind"] == rows[source_id]["source_kind"]
    assert results[0] == results[1]
    assert results[0][0]


def test_a_type_that_nobody_knows_is_kept_and_counted(recorded: Client, database: str, tmp_path: Path) -> None:
    _record(recorded, tmp_path / "recorded", expanded=True)
    deployment = _deployment(database, tmp_path / "home")
    state = _take(deployment, tmp_path / "recorded")
    (row,) = [row for row in state["balance_transactions"] if row["type"] == UNKNOWN_TYPE]
    assert (row["reporting_category"], row["net"]) == (UNKNOWN_TYPE, Decimal("-1.23"))
    payouts, exceptions = _results(deployment)
    unknown = [one for one in exceptions if one[0] == "unknown_category"]
    assert unknown == [("unknown_category", row["source_id"], row["net"])]
    assert [one[2] for one in payouts].count("blocked_unknown_category") == 1


@pytest.mark.parametrize("extract", STRIPE.extracts, ids=lambda extract: extract.name)
def test_each_extract_can_be_imported_by_itself(extract: Extract, database: str, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    content = (FIXTURES / f"{extract.name}.jsonl").read_bytes()
    (folder / f"{extract.name}.jsonl").write_bytes(content)
    deployment = _deployment(database, tmp_path / "home")
    done = import_extracts(deployment, "stripe", STRIPE, folder)
    assert done.payloads == {extract.name: content.count(b"\n")}
    assert done.folded.files == 1
    with deployment.transaction() as conn:
        said = conn.execute("SELECT extract, status, quarantined FROM raw.extracts").fetchall()
    assert said == [(extract.name, "folded", 0)]


def test_a_file_of_another_name_is_refused_with_the_names_that_there_are(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "transfers.jsonl").write_text("{}\n")
    with pytest.raises(
        ImportFolderError, match=r"transfers\.jsonl names no extract of stripe: events, .*payout_members"
    ):
        import_extracts(_deployment(database, tmp_path / "home"), "stripe", STRIPE, folder)
