"""What QuickBooks objects mean in our model: the rules of the model with their figures, from recorded payloads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.pipeline.deployment import Deployment, open_deployment
from kolleno_pipelines.pipeline.import_extracts import Imported, ImportFolderError, import_extracts
from kolleno_pipelines.pipeline.normalise import fold, normalise_again
from kolleno_pipelines.settings import Settings

Payload = dict[str, Any]
STAMP = "2026-02-18T13:13:33-08:00"


class Company:
    """Recorded payloads of one company, written to a folder and imported."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment, self.folder = deployment, folder
        self.number = 0

    def take(self, **extracts: list[Payload]) -> Imported:
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir(parents=True)
        for name, payloads in extracts.items():
            (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(payload)}\n" for payload in payloads))
        return import_extracts(self.deployment, "qb", QUICKBOOKS, folder)

    def rows(self, entity: str) -> dict[str, dict[str, Any]]:
        with self.deployment.transaction() as conn, conn.cursor(row_factory=dict_row) as cursor:
            found = cursor.execute(f"SELECT * FROM receivables.{entity} WHERE connection = 'qb'").fetchall()
        return {row["source_id"]: row for row in found}

    def allocations(self) -> dict[tuple[str, str], Decimal]:
        """Amount by (what pays, what is paid), as `payment 1` and `invoice 2`."""
        return {
            (f"{row['from_kind']} {row['from_source_id']}", f"{row['to_kind']} {row['to_source_id']}"): row["amount"]
            for row in self.rows("allocations").values()
        }


@pytest.fixture
def company(database: str, tmp_path: Path) -> Company:
    deployment = open_deployment(Settings(home=tmp_path / "home", database_url=database), {})
    made = Company(deployment, tmp_path / "recorded")
    made.take(preferences=[PREFERENCES], accounts=[account("84", "Accounts Receivable"), account("35", "Bank")])
    made.take(customers=[customer("1"), customer("2", ParentRef={"value": "1"}, Job=True)])
    return made


def stamped(source_id: str, at: str = STAMP, **fields: Any) -> Payload:
    return {"Id": source_id, "SyncToken": "0", "MetaData": {"CreateTime": at, "LastUpdatedTime": at}, **fields}


PREFERENCES = stamped("1", CurrencyPrefs={"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "USD"}})


def account(source_id: str, kind: str) -> Payload:
    return stamped(source_id, Name=f"{kind} {source_id}", AccountType=kind, Active=True, CurrentBalance=0)


def customer(source_id: str, **fields: Any) -> Payload:
    return stamped(source_id, DisplayName=f"Customer {source_id}", Active=True, Balance=0, **fields)


def invoice(source_id: str, amount: float, balance: float, **fields: Any) -> Payload:
    ref = {"CustomerRef": {"value": "1"}, "DocNumber": f"INV{source_id}", "TxnDate": "2026-01-10"}
    return stamped(source_id, **(ref | {"TotalAmt": amount, "Balance": balance, "DueDate": "2026-02-10"} | fields))


def memo(source_id: str, amount: float, left: float) -> Payload:
    ref = {"CustomerRef": {"value": "1"}, "TxnDate": "2026-01-11"}
    return stamped(source_id, **ref, TotalAmt=amount, RemainingCredit=left, Balance=left)


def payment(source_id: str, amount: float, unapplied: float, *links: tuple[str, str, float], **fields: Any) -> Payload:
    lines = [{"Amount": part, "LinkedTxn": [{"TxnId": to, "TxnType": kind}]} for kind, to, part in links]
    ref = {"CustomerRef": {"value": "1"}, "TxnDate": "2026-01-20"}
    return stamped(source_id, **ref, TotalAmt=amount, UnappliedAmt=unapplied, Line=lines, **fields)


def test_a_payment_that_mixes_a_credit_memo_and_money_uses_the_credit_first(company: Company) -> None:
    """60 with invoice A 70, invoice B 30, credit memo 40: memo to A 40, money to A 30, money to B 30."""
    links = (("Invoice", "A", 70), ("Invoice", "B", 30), ("CreditMemo", "M", 40))
    company.take(
        invoices=[invoice("A", 70, 0), invoice("B", 30, 0)],
        credit_memos=[memo("M", 40, 0)],
        payments=[payment("P", 60, 0, *links)],
    )
    assert company.allocations() == {
        ("credit_note M", "invoice A"): 40,
        ("payment P", "invoice A"): 30,
        ("payment P", "invoice B"): 30,
    }
    assert {row["is_inferred"] for row in company.rows("allocations").values()} == {True}


def test_a_credit_memo_applied_alone_is_a_payment_of_0(company: Company) -> None:
    company.take(
        invoices=[invoice("A", 100, 60)],
        credit_memos=[memo("M", 40, 0)],
        payments=[payment("P", 0, 0, ("Invoice", "A", 40), ("CreditMemo", "M", 40))],
    )
    assert company.allocations() == {("credit_note M", "invoice A"): 40}
    assert company.rows("payments")["P"]["amount"] == 0


def test_all_links_are_kept_and_those_past_fifteen_are_marked(company: Company) -> None:
    links = [("Invoice", f"I{n}", 1.0) for n in range(1, 17)]
    company.take(invoices=[invoice(f"I{n}", 1, 0) for n in range(1, 17)], payments=[payment("P", 16, 0, *links)])
    marked = {row["to_source_id"]: row["beyond_cap"] for row in company.rows("allocations").values()}
    assert len(marked) == 16
    assert [name for name, beyond in marked.items() if beyond] == ["I16"]


def test_a_voided_payment_and_a_deleted_invoice(company: Company) -> None:
    void = payment("P", 0, 0, PrivateNote="Voided")
    later = "2026-02-19T00:00:00-08:00"
    company.take(invoices=[invoice("A", 100, 40)], payments=[void])
    company.take(invoices=[{"Id": "A", "status": "Deleted", "MetaData": {"LastUpdatedTime": later}}])
    assert company.rows("payments")["P"]["posting_status"] == "voided"
    gone = company.rows("invoices")["A"]
    assert (gone["posting_status"], gone["balance_open"], gone["balance"]) == ("deleted", 0, 40)
    assert gone["deleted_at"] == datetime(2026, 2, 19, 8, tzinfo=UTC)


def test_an_overpayment_that_goes_back_by_cheque(company: Company) -> None:
    """A payment of 100 for an invoice of 70; 30 goes back by a cheque on the receivables account, which it settles."""
    detail = {"AccountRef": {"value": "84"}, "CustomerRef": {"value": "1"}}
    line = {"Id": "1", "Amount": 30, "DetailType": "AccountBasedExpenseLineDetail"}
    fields = {"EntityRef": {"value": "1", "type": "Customer"}, "TxnDate": "2026-01-25", "TotalAmt": 30}
    cheque = stamped("C", Line=[{**line, "AccountBasedExpenseLineDetail": detail}], **fields)
    company.take(
        invoices=[invoice("A", 70, 0)],
        purchases=[cheque],
        payments=[payment("P", 100, 0, ("Invoice", "A", 70), ("Check", "C", 30))],
    )
    (item,) = company.rows("journals").values()
    assert (item["amount"], item["balance_open"], item["customer_source_id"]) == (30, 0, "1")
    assert company.allocations()["payment P", "journal Purchase:C:1"] == 30


def test_journal_lines_on_receivables_count_and_others_do_not(company: Company) -> None:
    def line(number: str, posting: str, account_id: str, amount: float) -> Payload:
        detail = {"PostingType": posting, "AccountRef": {"value": account_id}}
        detail |= {"Entity": {"Type": "Customer", "EntityRef": {"value": "1"}}}
        return {"Id": number, "Amount": amount, "JournalEntryLineDetail": detail}

    lines = [line("0", "Debit", "84", 50.25), line("1", "Credit", "35", 50.25), line("2", "Credit", "84", 20)]
    company.take(journal_entries=[stamped("J", TxnDate="2026-01-15", Line=lines)])
    amounts = {name: row["balance_open"] for name, row in company.rows("journals").items()}
    assert amounts == {"JournalEntry:J:0": Decimal("50.25"), "JournalEntry:J:2": -20}


def test_customers_their_contacts_and_their_own_balance(company: Company) -> None:
    phones = {"PrimaryPhone": {"FreeFormNumber": "+1 555 0100"}, "Mobile": {"FreeFormNumber": "+1 555 0101"}}
    named = {"GivenName": "Ada", "FamilyName": "Byron", "PrimaryEmailAddr": {"Address": "ada@example.com"}}
    company.take(customers=[customer("3", ParentRef={"value": "2"}, **named, **phones) | {"Balance": 477.5}])
    row = company.rows("customers")["3"]
    assert (row["group_source_id"], row["parent_source_id"]) == ("1", "2")
    assert (row["balance_stated"], row["balance_currency_iso"]) == (Decimal("477.5"), "USD")
    assert {p["number"] for p in company.rows("phones").values()} == {"+1 555 0100", "+1 555 0101"}
    later = "2026-02-19T00:00:00-08:00"
    company.take(
        customers=[customer("3", PrimaryPhone=phones["PrimaryPhone"]) | {"MetaData": {"LastUpdatedTime": later}}]
    )
    assert {p["number"] for p in company.rows("phones").values()} == {"+1 555 0100"}


def test_a_deposit_taken_with_an_invoice_explains_its_balance(company: Company) -> None:
    company.take(invoices=[invoice("A", 100, 75, Deposit=25)])
    assert company.allocations() == {("invoice_deposit A", "invoice A"): 25}


def test_importing_or_normalising_again_changes_nothing(company: Company) -> None:
    def state() -> list[Any]:
        with psycopg.connect(company.deployment.database_url) as conn:
            return [conn.execute(f"SELECT * FROM receivables.{name} ORDER BY 1, 2").fetchall() for name in names]

    names = ("customers", "invoices", "payments", "allocations", "balance_moves", "audit")
    payloads = {"invoices": [invoice("A", 100, 40)], "payments": [payment("P", 60, 0, ("Invoice", "A", 60))]}
    company.take(**payloads)
    before = state()
    again = company.take(**payloads)
    assert again.folded.is_empty
    assert state() == before
    day = again.observed_at.date()
    assert normalise_again(company.deployment, "qb", QUICKBOOKS, day, day) == 7
    assert fold(company.deployment, "qb").is_empty
    assert state() == before


def test_a_folder_that_cannot_be_imported_is_told_why(company: Company, tmp_path: Path) -> None:
    (tmp_path / "orders.jsonl").write_text("{}\n")
    with pytest.raises(ImportFolderError, match="names no extract of quickbooks"):
        import_extracts(company.deployment, "qb", QUICKBOOKS, tmp_path)
    with pytest.raises(ImportFolderError, match="is not a folder"):
        import_extracts(company.deployment, "qb", QUICKBOOKS, tmp_path / "nowhere")
    (tmp_path / "orders.jsonl").rename(tmp_path / "invoices.jsonl")
    with pytest.raises(ImportFolderError, match="--observed-at"):
        import_extracts(company.deployment, "qb", QUICKBOOKS, tmp_path)
