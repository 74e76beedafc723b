"""Payloads of QuickBooks that make no sense: each is set aside alone, with its reason; the others go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.import_extracts import import_extracts
from kolleno_pipelines.pipeline.normalise import normalise_pending
from kolleno_pipelines.storage.readings import quarantined
from tests.integration.test_quickbooks_records import STAMP, Company, company, invoice, payment, stamped

__all__ = ["company"]

LATER = "2026-02-19T00:00:00-08:00"


def _quarantined(company: Company) -> list[tuple[int, str | None, str]]:
    with company.deployment.transaction() as conn:
        return conn.execute(
            "SELECT line, source_id, reason FROM raw.quarantined_payloads ORDER BY extract_id, line"
        ).fetchall()


def test_a_payload_that_makes_no_sense_is_quarantined_alone(company: Company) -> None:
    bad = [invoice("B", 1, 1) | {"TotalAmt": "ten"}, invoice("C", 1, 1, TxnDate="soon"), stamped("D", TotalAmt=1)]
    company.take(invoices=[invoice("A", 100, 75), *bad, invoice("E", 5, 5)])
    assert set(company.rows("invoices")) == {"A", "E"}
    kept = _quarantined(company)
    assert [line for line, *_ in kept] == [2, 3, 4]
    assert "CustomerRef.value" in kept[2][2]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"TxnDate": ""}, "the payload lacks TxnDate"),
        ({"DocNumber": "a\0b"}, "ref holds a NUL character"),
        ({"TxnDate": "0000-01-01"}, "date_issued lies outside the years"),
        ({"TotalAmt": 1e16}, "amount has more than 14 digits"),
        ({"Id": ""}, "the payload lacks Id"),
        ({"Id": "B\0x"}, "source_id holds a NUL character"),
        ({"Id": "9" * 501}, "source_id has more than 500 bytes"),
        ({"CustomerRef": {"value": "9" * 501}}, "customer_source_id has more than 500 bytes"),
        ({"MetaData": {"LastUpdatedTime": "2026-02-18T13:13:33"}}, "a value cannot be read"),
    ],
    ids=["empty", "nul", "year 0", "too much", "no id", "nul in id", "long id", "long customer", "no offset"],
)
def test_what_no_column_can_hold_is_quarantined_alone(company: Company, fields: dict[str, Any], reason: str) -> None:
    company.take(invoices=[invoice("B", 1, 1) | fields, invoice("A", 5, 5)])
    assert set(company.rows("invoices")) == {"A"}
    ((line, _, said),) = _quarantined(company)
    assert line == 1
    assert said.startswith(reason)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"CurrencyRef": {"value": "ZZZ"}}, "currency_iso 'ZZZ' of invoices is not a currency code, expected"),
        ({"CurrencyRef": {"value": "usd"}}, "currency_iso 'usd' of invoices is not a currency code, expected"),
        ({"TotalAmt": -1, "Balance": 0}, "amount '-1' of invoices is negative, expected an amount of 0 or more"),
        ({"ExchangeRate": 0}, "exchange_rate '0' of invoices is no rate, expected home units"),
    ],
    ids=["no currency", "no capitals", "negative", "rate"],
)
def test_what_our_model_does_not_have_is_quarantined_alone(
    company: Company, fields: dict[str, Any], reason: str
) -> None:
    company.take(invoices=[invoice("B", 1, 1) | fields, invoice("A", 5, 5), invoice("C", 0, 0)])
    assert {name: row["currency_iso"] for name, row in company.rows("invoices").items()} == {"A": "USD", "C": "USD"}
    ((line, source_id, said),) = _quarantined(company)
    assert (line, source_id) == (1, "B")
    assert said.startswith(reason)


def test_a_payment_that_is_quarantined_leaves_no_allocation_behind(company: Company) -> None:
    odd = payment("P", 20, 0, ("Invoice", "A", 20), CurrencyRef={"value": "ZZZ"})
    company.take(invoices=[invoice("A", 20, 20)], payments=[odd, payment("Q", 5, 5)])
    assert set(company.rows("payments")) == {"Q"}
    assert company.allocations() == {}
    company.take(payments=[odd | {"CurrencyRef": {"value": "USD"}, "MetaData": {"LastUpdatedTime": LATER}}])
    assert company.allocations() == {("payment P", "invoice A"): 20}


def test_a_link_with_a_nul_is_quarantined_and_the_others_of_its_part_go_on(company: Company) -> None:
    odd = payment("P", 20, 0, ("Estimate", "a\0b", 20))
    company.take(payments=[odd, payment("Q", 5, 5)])
    assert set(company.rows("payments")) == {"Q"}
    ((line, _, said),) = _quarantined(company)
    assert line == 1
    assert said.startswith('extra \'{"unread_links"')


def test_a_lone_surrogate_is_quarantined_alone(company: Company) -> None:
    company.take(invoices=[invoice("B", 1, 1, DocNumber="a\ud800b"), invoice("A", 5, 5)])
    assert set(company.rows("invoices")) == {"A"}
    assert [line for line, *_ in _quarantined(company)] == [1]


def test_a_rate_is_kept_as_exact_as_it_is_stated(company: Company) -> None:
    company.take(invoices=[invoice("A", 1, 1, ExchangeRate=0.9174311926605505)])
    assert str(company.rows("invoices")["A"]["exchange_rate"]) == "0.9174311926605505"


def test_a_line_that_a_transaction_states_twice_is_quarantined(company: Company) -> None:
    detail = {"AccountRef": {"value": "84"}, "Entity": {"value": "1", "type": "CUSTOMER"}}
    lines = [{"Id": "1", "Amount": amount, "DepositLineDetail": detail} for amount in (10, 20)]
    unnumbered = [{"Amount": amount, "DepositLineDetail": detail} for amount in (10, 20)]
    company.take(
        deposits=[
            stamped("D", TxnDate="2026-01-25", Line=lines),
            stamped("E", TxnDate="2026-01-25", Line=unnumbered),
        ]
    )
    assert _quarantined(company) == [(1, "D", "it says Deposit:D:1 of journals twice")]
    amounts = {name: row["amount"] for name, row in company.rows("journals").items()}
    assert amounts == {"Deposit:E:line-1": -10, "Deposit:E:line-2": -20}


@pytest.mark.parametrize("link", [{"TxnType": "Invoice"}, None, {}, {"TxnType": "Estimate", "TxnId": "7"}])
def test_a_link_that_says_nothing_known_is_kept_in_words(company: Company, link: Any) -> None:
    odd = payment("P", 20, 0) | {"Line": [{"Amount": 20, "LinkedTxn": [link]}]}
    company.take(payments=[odd, payment("Q", 5, 5)])
    rows = company.rows("payments")
    assert set(rows) == {"P", "Q"}
    (told,) = rows["P"]["extra"]["unread_links"]
    assert told.endswith("20.000000")


def test_a_part_that_cannot_be_stored_does_not_stop_the_others(company: Company) -> None:
    folder = company.folder / "gone"
    folder.mkdir()
    (folder / "invoices.jsonl").write_text(json.dumps(invoice("B", 1, 1)) + "\n")
    import_extracts(company.deployment, "qb", QUICKBOOKS, folder)
    with company.deployment.transaction() as conn:
        conn.execute(
            "UPDATE raw.extracts SET status = 'landed', sha256 = repeat('0', 64)"
            " WHERE id = (SELECT max(id) FROM raw.extracts)"
        )
    company.take(invoices=[invoice("A", 5, 5)])
    assert "A" in company.rows("invoices")
    with company.deployment.transaction() as conn:
        failed = conn.execute("SELECT message FROM raw.extracts WHERE status = 'failed'").fetchall()
    assert len(failed) == 1
    assert failed[0][0]
    assert normalise_pending(company.deployment, "qb", QUICKBOOKS) == 0


def test_a_deletion_at_the_second_of_a_change_wins(company: Company) -> None:
    gone = {"Id": "Z", "status": "Deleted", "MetaData": {"LastUpdatedTime": STAMP}}
    company.take(invoices=[invoice("Z", 10, 10), gone])
    assert company.rows("invoices")["Z"]["posting_status"] == "deleted"


def test_a_deletion_without_a_time_happened_when_it_was_observed(company: Company) -> None:
    company.take(invoices=[invoice("A", 10, 10)])
    folder = company.folder / "deleted"
    folder.mkdir()
    (folder / "invoices.jsonl").write_text(json.dumps({"Id": "A", "status": "Deleted"}) + "\n")
    observed = datetime(2026, 6, 1, tzinfo=UTC)
    import_extracts(company.deployment, "qb", QUICKBOOKS, folder, observed_at=observed)
    row = company.rows("invoices")["A"]
    assert (row["posting_status"], row["deleted_at"]) == ("deleted", observed)


def test_a_good_version_makes_a_payload_good_that_could_not_be_read(company: Company) -> None:
    bad = [invoice("B", 1, 1) | {"TotalAmt": "ten"}, invoice("C", 1, 1, TxnDate="soon")]
    company.take(invoices=[*bad, invoice("A", 5, 5)])
    assert [(source_id, line) for line, source_id, _ in _quarantined(company)] == [("B", 1), ("C", 2)]
    with company.deployment.session() as session:
        assert len(quarantined(session, "qb", 10)) == 2
    later = {"MetaData": {"LastUpdatedTime": LATER}}
    company.take(invoices=[invoice("B", 10, 10) | later, invoice("C", 1, 1) | later])
    with company.deployment.session() as session:
        assert quarantined(session, "qb", 10) == []
