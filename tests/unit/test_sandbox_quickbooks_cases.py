"""The cases of the simulated QuickBooks, figure by figure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.cases import Case, write_all
from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.receivable_lines import posted
from kolleno_pipelines.sandbox.quickbooks.wire import to_text

AT = datetime(2026, 3, 10, 18, tzinfo=UTC)
DAY = date(2026, 3, 10)
ZERO = Decimal(0)


@pytest.fixture(scope="module", params=(True, False), ids=("several currencies", "one currency"))
def file(request: pytest.FixtureRequest) -> CompanyFile:
    return CompanyFile(QuickBooksBook(multi_currency=request.param), AT)


@pytest.fixture(scope="module")
def cases(file: CompanyFile) -> dict[str, Case]:
    return write_all(file, AT, DAY)


def _found(file: CompanyFile, source_id: str) -> tuple[str, Any]:
    for kind, contents in file.ledger.current.items():
        if source_id in contents:
            return kind, contents[source_id]
    raise AssertionError(source_id)


def test_customers_and_documents_have_the_figures_of_their_cases(file: CompanyFile, cases: dict[str, Case]) -> None:
    fields = {"Invoice": "Balance", "CreditMemo": "RemainingCredit", "Payment": "UnappliedAmt"}
    for name, case in cases.items():
        assert file.ledger.get("Customer", case.ids["customer"])["Balance"] == case.balance, name
        for document, amount in case.open.items():
            kind, content = _found(file, case.ids[document])
            if kind in fields:
                assert content[fields[kind]] == amount, (name, document)
            else:
                sign = -1 if kind == "Deposit" else 1
                assert file.ledger.open_amount(kind, case.ids[document]) * sign == amount, (name, document)


def test_customers_hold_what_was_posted(file: CompanyFile, cases: dict[str, Case]) -> None:
    """A parent that pays for its job has a balance of its own only by what is left, so both are summed together."""
    sums: dict[str, Decimal] = {}
    for kind in ("Invoice", "CreditMemo", "Payment", "JournalEntry", "Purchase", "Deposit"):
        for content in file.ledger.current[kind].values():
            for item in posted(kind, content, file.ledger.receivable_accounts):
                sums[item.customer] = sums.get(item.customer, ZERO) + item.amount
    job = cases["parent_pays_for_child"].ids
    sums[job["customer"]] += sums.pop(job["parent"])
    for source_id, customer in file.ledger.current["Customer"].items():
        assert customer["Balance"] == sums.get(source_id, ZERO), customer["DisplayName"]
    home = file.ledger.get("Account", file.accounts.receivable["USD"])["CurrentBalance"]
    euro = cases["foreign_currency"].balance if "foreign_currency" in cases else ZERO
    assert home == sum((case.balance for case in cases.values()), ZERO) - euro
    assert home == Decimal("417.50")


def test_the_payment_of_0_and_the_mixed_one_look_like_the_vendors(file: CompanyFile, cases: dict[str, Case]) -> None:
    mixed = cases["mixed_payment"].ids
    payment = file.ledger.get("Payment", mixed["payment"])
    assert [(each["Amount"], each["LinkedTxn"]) for each in payment["Line"]] == [
        (70, [{"TxnId": mixed["invoice_a"], "TxnType": "Invoice"}]),
        (30, [{"TxnId": mixed["invoice_b"], "TxnType": "Invoice"}]),
        (40, [{"TxnId": mixed["memo"], "TxnType": "CreditMemo"}]),
    ]
    assert (payment["TotalAmt"], payment["UnappliedAmt"]) == (60, 0)
    invoice = file.ledger.get("Invoice", mixed["invoice_a"])
    assert invoice["LinkedTxn"] == [{"TxnId": mixed["payment"], "TxnType": "Payment"}]
    applied = file.ledger.get("Payment", cases["memo_applied"].ids["payment"])
    assert (applied["TotalAmt"], applied["UnappliedAmt"], len(applied["Line"])) == (0, 0, 2)


def test_voids_deletions_and_merges(file: CompanyFile, cases: dict[str, Case]) -> None:
    voided = file.ledger.get("Payment", cases["voided_payment"].ids["payment"])
    assert (voided["TotalAmt"], voided["UnappliedAmt"], voided["PrivateNote"], voided["Line"]) == (0, 0, "Voided", [])
    invoice = file.ledger.get("Invoice", cases["voided_invoice"].ids["invoice"])
    assert (invoice["TotalAmt"], invoice["Balance"], invoice["PrivateNote"]) == (0, 0, "Voided")
    assert all(each["Amount"] == 0 for each in invoice["Line"])
    assert file.book.latest("Payment", cases["voided_credited_invoice"].ids["payment"]) is None
    assert file.book.latest("Invoice", cases["deleted_invoice"].ids["invoice"]) is None
    merged = cases["merged_customers"].ids
    assert file.book.latest("Customer", merged["gone"]) is None
    assert file.ledger.get("Invoice", merged["moved"])["CustomerRef"]["value"] == merged["customer"]
    inactive = file.ledger.get("Customer", cases["inactive_customer"].ids["customer"])
    assert (inactive["Active"], inactive["DisplayName"]) == (False, "Inactive (deleted)")


def test_a_deposited_payment_names_its_deposit(file: CompanyFile, cases: dict[str, Case]) -> None:
    ids = cases["deposited_payment"].ids
    assert file.ledger.get("Payment", ids["payment"])["LinkedTxn"] == [{"TxnId": ids["deposit"], "TxnType": "Deposit"}]
    deposit = file.ledger.get("Deposit", ids["deposit"])
    assert deposit["TotalAmt"] == Decimal("254.39")
    assert "DetailType" not in deposit["Line"][0]


def test_currencies_are_stated_only_where_there_are_several(file: CompanyFile, cases: dict[str, Case]) -> None:
    texts = "".join(to_text(each) for contents in file.ledger.current.values() for each in contents.values())
    if not file.book.multi_currency:
        assert "CurrencyRef" not in texts
        assert "ExchangeRate" not in texts
        return
    invoice = file.ledger.get("Invoice", cases["foreign_currency"].ids["invoice"])
    assert (invoice["ExchangeRate"], invoice["HomeTotalAmt"], invoice["HomeBalance"]) == (Decimal("1.1"), 110, 44)
    account = file.ledger.get("Account", file.accounts.receivable["EUR"])
    assert (account["CurrentBalance"], account["CurrencyRef"]["value"]) == (44, "EUR")
    home = file.ledger.get("Invoice", cases["overpayment"].ids["invoice"])
    assert "ExchangeRate" not in home
    assert "null" not in texts
