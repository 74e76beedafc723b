"""The books of the simulated QuickBooks: what it says of the sandbox company is what the company says itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from kolleno_pipelines.sandbox.answers import Answers
from kolleno_pipelines.sandbox.company import Company
from kolleno_pipelines.sandbox.quickbooks.book import QuickBooksBook
from kolleno_pipelines.sandbox.quickbooks.filling import Filling, filled_from
from kolleno_pipelines.sandbox.quickbooks.receivable_lines import home_amount, paid_links, posted
from kolleno_pipelines.sandbox.quickbooks.wire import to_text

ZERO = Decimal(0)
OPEN_FIELD = {"Invoice": "Balance", "CreditMemo": "RemainingCredit", "Payment": "UnappliedAmt"}
KIND = {"invoice": "Invoice", "credit_note": "CreditMemo", "payment": "Payment"}


@pytest.fixture(scope="module", params=(2, 6))
def filling(request: pytest.FixtureRequest) -> Filling:
    company = Company.build(
        request.param, customers=24, days=30, invoices_per_day=6, history_days=40, late_batches=True, expressible=True
    )
    return filled_from(company)


def test_every_document_is_stated_with_its_own_amount_and_balance(filling: Filling) -> None:
    answers = Answers.of(filling.company)
    seen = 0
    for kind, vendor_kind in KIND.items():
        for source_id, record in answers.records(kind).items():  # type: ignore[arg-type]
            stated = filling.file.ledger.get(vendor_kind, filling.ids[kind, source_id])
            assert stated[OPEN_FIELD[vendor_kind]] == record.balance_open, (kind, source_id)
            assert stated["TotalAmt"] == (ZERO if record.posting_status == "voided" else record.amount)
            assert (stated.get("PrivateNote") == "Voided") == (record.posting_status == "voided")
            assert stated["TxnDate"] == record.date_issued.isoformat()
            assert stated.get("DocNumber", stated.get("PaymentRefNum", "")) == record.ref
            assert stated["CustomerRef"]["value"] == filling.ids["customer", record.customer]
            seen += 1
    assert seen > 200


def test_control_totals_are_the_companys(filling: Filling) -> None:
    ledger, answers = filling.file.ledger, Answers.of(filling.company)
    net: dict[str, Decimal] = {}
    for line in answers.ageing(by_customer=True):
        net[line.customer] = net.get(line.customer, ZERO) + line.amount
    for customer in filling.company.books().customers:
        assert ledger.get("Customer", filling.ids["customer", customer])["Balance"] == net.get(customer, ZERO)
    accounts = filling.file.accounts.receivable
    for total in answers.control_totals():
        customers = [
            each for each in ledger.current["Customer"].values() if each["CurrencyRef"]["value"] == total.currency_iso
        ]
        assert sum((each["Balance"] for each in customers), ZERO) == total.net
        open_home = ZERO
        for kind, field in OPEN_FIELD.items():
            for each in ledger.current[kind].values():
                if each["ARAccountRef"]["value"] == accounts[total.currency_iso]:
                    open_home += home_amount(each, each[field]) * (1 if kind == "Invoice" else -1)
        assert ledger.get("Account", accounts[total.currency_iso])["CurrentBalance"] == open_home
        if total.currency_iso == "USD":
            assert open_home == total.net


def test_what_is_posted_sums_to_the_balances(filling: Filling) -> None:
    ledger = filling.file.ledger
    sums: dict[str, Decimal] = {}
    for kind in OPEN_FIELD:
        for content in ledger.current[kind].values():
            for item in posted(kind, content, ledger.receivable_accounts):
                sums[item.customer] = sums.get(item.customer, ZERO) + item.amount
    for source_id, customer in ledger.current["Customer"].items():
        assert customer["Balance"] == sums.get(source_id, ZERO)


def test_each_payment_ties_and_credits_are_applied_by_payments_of_0(filling: Filling) -> None:
    ledger = filling.file.ledger
    applied = 0
    for payment in ledger.current["Payment"].values():
        signs = {"Invoice": -1, "CreditMemo": 1}
        used = sum((signs[each.kind] * each.amount for each in paid_links(payment)), ZERO)
        assert payment["TotalAmt"] + used == payment["UnappliedAmt"] >= 0
        applied += any(each.kind == "CreditMemo" for each in paid_links(payment))
    assert applied == len(filling.applications) > 5


def test_a_parents_balance_with_jobs_holds_its_childrens(filling: Filling) -> None:
    customers = filling.file.ledger.current["Customer"]
    assert {each.get("Level") for each in customers.values()} == {None, 1, 2}
    for source_id, customer in customers.items():
        below = [each for each in customers.values() if each.get("ParentRef", {}).get("value") == source_id]
        assert customer["BalanceWithJobs"] == customer["Balance"] + sum((b["BalanceWithJobs"] for b in below), ZERO)
        for child in below:
            assert child["FullyQualifiedName"] == f"{customer['FullyQualifiedName']}:{child['DisplayName']}"


def test_the_book_shows_each_moment(filling: Filling) -> None:
    book, company = filling.book, filling.company
    batch = company.batches[12]
    early = filled_from(company, until=batch.name_time)
    for kind in ("Customer", "Invoice", "CreditMemo", "Payment", "Account"):
        assert book.objects(kind, batch.name_time) == early.book.objects(kind, batch.name_time)
        assert len(book.objects(kind, company.batches[-1].name_time)) >= len(book.objects(kind, batch.name_time))
    early.advance()
    now = company.batches[-1].name_time
    assert early.book.objects("Payment", now) == book.objects("Payment", now)
    assert book.objects("Invoice", company.batches[0].name_time - timedelta(seconds=1)) == []


def test_a_company_that_no_erp_can_state_is_refused() -> None:
    with pytest.raises(ValueError, match="expressible"):
        filled_from(Company.build(1, customers=2, days=2))


def test_moments_carry_the_offset_of_their_day_and_tokens_rise() -> None:
    book = QuickBooksBook()
    winter, summer = datetime(2026, 1, 5, 20, 0, 0, 5, tzinfo=UTC), datetime(2026, 7, 5, 20, tzinfo=UTC)
    book.put("Customer", {"Id": "1", "DisplayName": "A"}, winter)
    book.put("Customer", {"Id": "1", "DisplayName": "B"}, summer)
    stated = book.one("Customer", "1", summer)
    assert stated is not None
    assert stated["SyncToken"] == "1"
    assert stated["MetaData"] == {
        "CreateTime": "2026-01-05T12:00:00-08:00",
        "LastUpdatedTime": "2026-07-05T13:00:00-07:00",
    }
    assert book.one("Customer", "1", winter) is not None
    with pytest.raises(ValueError, match="before"):
        book.put("Customer", {"Id": "1"}, winter)


def test_money_is_written_exactly_and_without_trailing_zeros() -> None:
    amounts = [Decimal("100.00"), Decimal("477.50"), Decimal("0.00"), Decimal("-62.5"), Decimal("1E+3"), 7, "é"]
    assert to_text(amounts) == '[100,477.5,0,-62.5,1000,7,"é"]'
    assert to_text({"a": None, "b": True}) == '{"a":null,"b":true}'
