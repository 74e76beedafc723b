"""Debits and credits that a payment of QuickBooks names beside invoices: which it settles and which it uses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.integration.test_quickbooks_records import Company, company, invoice, payment, stamped

__all__ = ["company"]

Payload = dict[str, Any]


def _deposit(source_id: str, amount: float) -> Payload:
    detail = {"AccountRef": {"value": "84"}, "Entity": {"value": "1", "type": "CUSTOMER"}}
    line = {"Id": "1", "Amount": amount, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}
    return stamped(source_id, TxnDate="2026-01-25", TotalAmt=amount, Line=[line])


def _cheque(source_id: str, amount: float, **fields: Any) -> Payload:
    line = {"Id": "1", "Amount": amount, "AccountBasedExpenseLineDetail": {"AccountRef": {"value": "84"}}}
    payee = {"EntityRef": {"value": "1", "type": "Customer"}, "TxnDate": "2026-01-25"}
    return stamped(source_id, **payee, TotalAmt=amount, Line=[line], **fields)


def _entry(source_id: str, *lines: tuple[str, float, str]) -> Payload:
    """A journal entry with lines on receivables: (Debit or Credit, amount, customer)."""
    made = [
        {
            "Id": str(number),
            "Amount": amount,
            "JournalEntryLineDetail": {
                "PostingType": side,
                "AccountRef": {"value": "84"},
                "Entity": {"Type": "Customer", "EntityRef": {"value": who}},
            },
        }
        for number, (side, amount, who) in enumerate(lines)
    ]
    return stamped(source_id, TxnDate="2026-01-15", Line=made)


def _open(company: Company) -> dict[str, Decimal]:
    return {name: row["balance_open"] for name, row in company.rows("journals").items()}


def test_a_deposit_settles_a_cheque(company: Company) -> None:
    links = (("Deposit", "D", 30), ("Check", "C", 30))
    company.take(deposits=[_deposit("D", 30)], purchases=[_cheque("C", 30)], payments=[payment("P", 0, 0, *links)])
    assert _open(company) == {"Deposit:D:1": 0, "Purchase:C:1": 0}
    assert company.allocations() == {("journal Deposit:D:1", "journal Purchase:C:1"): 30}


def test_a_deposit_and_money_pay_an_invoice_and_a_cheque(company: Company) -> None:
    links = (("Invoice", "A", 50), ("Deposit", "D", 30), ("Check", "C", 10))
    company.take(
        invoices=[invoice("A", 50, 0)],
        deposits=[_deposit("D", 30)],
        purchases=[_cheque("C", 10)],
        payments=[payment("P", 30, 0, *links)],
    )
    assert set(_open(company).values()) == {0}
    assert company.allocations() == {
        ("journal Deposit:D:1", "invoice A"): 30,
        ("payment P", "invoice A"): 20,
        ("payment P", "journal Purchase:C:1"): 10,
    }


def test_money_back_on_a_card_is_a_credit(company: Company) -> None:
    links = (("Invoice", "A", 50), ("CreditCardCredit", "C", 20))
    company.take(
        invoices=[invoice("A", 50, 0)],
        purchases=[_cheque("C", 20, Credit=True)],
        payments=[payment("P", 30, 0, *links)],
    )
    assert _open(company) == {"Purchase:C:1": 0}


def test_the_sum_tells_which_entries_are_credits(company: Company) -> None:
    """120 for an invoice of 100 and a debit of 45, with a credit of 25: 100 + 45 - 25 = 120."""
    links = (("Invoice", "A", 100), ("JournalEntry", "J", 45), ("JournalEntry", "K", 25))
    company.take(
        invoices=[invoice("A", 100, 0)],
        journal_entries=[_entry("J", ("Debit", 45, "1")), _entry("K", ("Credit", 25, "1"))],
        payments=[payment("P", 120, 0, *links)],
    )
    assert set(_open(company).values()) == {0}
    assert company.allocations()[("journal JournalEntry:K:0", "invoice A")] == 25


def test_the_credit_line_of_an_entry_pays_its_debit_line(company: Company) -> None:
    """The payment names the entry twice, without a line: what pays and what is paid have one name."""
    entry = _entry("J", ("Debit", 25, "1"), ("Credit", 25, "1"))
    paid = payment("P", 0, 0, ("JournalEntry", "J", 25), ("JournalEntry", "J", 25))
    company.take(journal_entries=[entry], payments=[paid])
    assert _open(company) == {"JournalEntry:J:0": 0, "JournalEntry:J:1": 0}
    assert company.allocations() == {("journal JournalEntry:J:1", "journal JournalEntry:J:0"): 25}


def test_an_entry_of_two_customers_is_paid_by_the_one_whose_payment_it_is(company: Company) -> None:
    entry = _entry("J", ("Debit", 50, "1"), ("Debit", 20, "2"))
    paid = payment("P", 20, 0, ("JournalEntry", "J", 20)) | {"CustomerRef": {"value": "2"}}
    company.take(journal_entries=[entry], payments=[paid])
    assert _open(company) == {"JournalEntry:J:0": 50, "JournalEntry:J:1": 0}


def test_a_voided_cheque_counts_no_more(company: Company) -> None:
    company.take(purchases=[_cheque("C", 20)])
    later = {"LastUpdatedTime": "2026-02-19T00:00:00-08:00"}
    company.take(purchases=[_cheque("C", 0, PrivateNote="Voided") | {"MetaData": later}])
    (row,) = company.rows("journals").values()
    assert (row["posting_status"], row["balance_open"]) == ("voided", 0)


def test_a_link_to_a_statement_charge_is_kept(company: Company) -> None:
    company.take(payments=[payment("P", 20, 0, ("StatementCharge", "S", 20))])
    assert company.allocations() == {("payment P", "finance_charge StatementCharge:S"): 20}


def test_the_amount_of_a_line_with_several_links_counts_once(company: Company) -> None:
    links = [{"TxnId": "A", "TxnType": "Invoice"}, {"TxnId": "B", "TxnType": "Invoice"}]
    paid = payment("P", 20, 0) | {"Line": [{"Amount": 20, "LinkedTxn": links}]}
    company.take(invoices=[invoice("A", 20, 0), invoice("B", 20, 20)], payments=[paid])
    assert company.allocations() == {("payment P", "invoice A"): 20}


def test_a_deposit_of_a_vendor_is_no_customers_and_other_accounts_wait_for_nobody(company: Company) -> None:
    def line(number: str, account: str, who: str, kind: str) -> Payload:
        detail = {"AccountRef": {"value": account}, "Entity": {"value": who, "type": kind}}
        return {"Id": number, "Amount": 10, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}

    lines = [line("1", "84", "1", "VENDOR"), line("2", "35", "56", "CUSTOMER"), line("3", "84", "1", "Customer")]
    company.take(deposits=[stamped("D", TxnDate="2026-01-25", Line=lines)])
    assert set(company.rows("journals")) == {"Deposit:D:3"}
    with company.deployment.transaction() as conn:
        assert conn.execute("SELECT count(*) FROM normalised.parked_rows").fetchone() == (0,)
