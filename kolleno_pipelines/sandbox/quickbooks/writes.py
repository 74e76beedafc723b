"""What the QuickBooks API lets an app write, and what it refuses. How books change is in ledger.py, HTTP in app.py."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.quickbooks.company_file import CompanyFile
from kolleno_pipelines.sandbox.quickbooks.receivable_lines import (
    CHECK_TYPES,
    ZERO,
    PaidLink,
    deposit_total,
    moved_payments,
    paid_links,
)
from kolleno_pipelines.sandbox.quickbooks.refusals import QuickBooksRefusal
from kolleno_pipelines.sandbox.quickbooks.wire import Json, money

_EVERYWHERE = {"Id", "SyncToken", "MetaData", "domain", "sparse", "TxnDate", "PrivateNote", "CurrencyRef", "DocNumber"}
_TRANSACTION = _EVERYWHERE | {"ExchangeRate", "TotalAmt", "Line", "LinkedTxn"}
_SALE = _TRANSACTION | {"CustomerRef", "DueDate", "Balance", "BillEmail", "ARAccountRef", "HomeTotalAmt", "HomeBalance"}
_SALE |= {"CustomField", "PrintStatus", "EmailStatus", "TxnTaxDetail"}
_NAMES = {"DisplayName", "CompanyName", "GivenName", "FamilyName", "FullyQualifiedName", "PrintOnCheckName", "Active"}
WRITABLE: Mapping[str, set[str]] = {
    "Payment": _TRANSACTION
    | {"CustomerRef", "ARAccountRef", "DepositToAccountRef", "PaymentMethodRef", "PaymentRefNum"}
    | {"UnappliedAmt", "ProcessPayment"},
    "Deposit": _TRANSACTION | {"DepositToAccountRef", "CashBack"},
    "Invoice": _SALE | {"Deposit"},
    "CreditMemo": _SALE | {"RemainingCredit"},
    "Customer": _NAMES
    | _EVERYWHERE
    | {"ParentRef", "Job", "Level", "BillWithParent", "PrimaryEmailAddr", "PrimaryPhone", "AlternatePhone", "Mobile"}
    | {"Fax", "BillAddr", "Balance", "BalanceWithJobs", "Taxable", "Notes"},
}
_TAKEN = (
    "Business Validation Error: Transaction cannot be applied to Deposit. Either Referenced Transaction's Account is "
    "incorrect or the Transaction has already been applied to another Deposit"
)


def post(file: CompanyFile, kind: str, body: Json, operation: str, at: datetime) -> Json:
    """Carry out one write (`create`, `update`, `void` or `delete`) and return the object as the vendor answers it.

    Raises QuickBooksRefusal, and then nothing has changed.
    """
    if kind not in WRITABLE:
        raise QuickBooksRefusal(500, f"Operation {operation} is not supported for entity {kind}")
    unknown = sorted(set(body) - WRITABLE[kind])
    if unknown:
        raise QuickBooksRefusal(2010, f"Property Name:{unknown[0]} specified is unsupported or invalid")
    with file.book.lock:
        if operation == "create":
            return _written(file, kind, {**body, "Id": file.book.next_id()}, None, at)
        before = _present(file, kind, body)
        if kind == "Payment" and before["LinkedTxn"]:
            raise QuickBooksRefusal(6540, "Deposited Transaction cannot be changed. Edit the deposit first.")
        if operation == "delete":
            if kind == "Customer":
                raise QuickBooksRefusal(500, "Operation delete is not supported for entity Customer")
            file.ledger.remove(at, kind, body["Id"])
            return {"domain": "QBO", "status": "Deleted", "Id": body["Id"]}
        if operation == "void":
            if kind not in {"Payment", "Invoice", "CreditMemo"}:
                raise QuickBooksRefusal(500, f"Operation void is not supported for entity {kind}")
            file.ledger.void(at, kind, body["Id"])
            return _stated(file, kind, body["Id"])
        content = {**before, **body} if body.get("sparse") is True else {**body}
        return _written(file, kind, content, before, at)


def _present(file: CompanyFile, kind: str, body: Json) -> Json:
    """The object that a write names, with the SyncToken that it names."""
    for name in ("Id", "SyncToken"):
        if name not in body:
            raise QuickBooksRefusal(2020, f"Required parameter {name} is missing in the request", element=name)
    stored = file.book.latest(kind, str(body["Id"]))
    if stored is None:
        raise QuickBooksRefusal(610, f"Object Not Found : {kind} {body['Id']} was not found or is inactive.")
    if stored["SyncToken"] != body["SyncToken"]:
        raise QuickBooksRefusal(5010, "Stale Object Error : You and another user were working on this at once.")
    return file.ledger.get(kind, str(body["Id"]))


def _stated(file: CompanyFile, kind: str, source_id: str) -> Json:
    found = file.book.latest(kind, source_id)
    assert found is not None  # noqa: S101 - it was just written
    return found


def _written(file: CompanyFile, kind: str, content: Json, before: Json | None, at: datetime) -> Json:
    check = {"Payment": _payment, "Deposit": _deposit, "Customer": _customer}.get(kind, _sale)
    made = check(file, kind, content, at)
    deactivates = kind == "Customer" and before is not None and before["Active"] and made["Active"] is False
    file.ledger.write(at, (kind, {**made, "Active": True} if deactivates else made))
    if deactivates:
        file.deactivate(at, made["Id"])
    return _stated(file, kind, made["Id"])


def _payment(file: CompanyFile, kind: str, content: Json, at: datetime) -> Json:
    del kind
    customer = _reference(file, content, "CustomerRef", "Customer")
    amount = _amount(content, "TotalAmt")
    made = {
        "TxnDate": at.astimezone(file.book.zone).date().isoformat(),
        "DepositToAccountRef": {"value": file.accounts.undeposited},
        "ProcessPayment": False,
        "Line": [],
        "LinkedTxn": [],
        **file.money(file.currency_of(customer), at.date()).fields(),
        **content,
        "ARAccountRef": {"value": file.receivable(file.currency_of(customer), at)},
    }
    _reference(file, made, "DepositToAccountRef", "Account")
    before = {(each.kind, each.id): each.amount for each in _links_before(file, content["Id"])}
    left = amount
    for line in made["Line"]:
        _amount(line, "Amount")
    for paid in paid_links(made):
        linked = file.ledger.current.get(paid.kind, {}).get(paid.id)
        if linked is None or paid.kind not in {
            "Invoice",
            "CreditMemo",
            "JournalEntry",
            *CHECK_TYPES.values(),
            "Deposit",
        }:
            raise QuickBooksRefusal(610, f"Object Not Found : linked transaction {paid.id} was not found.")
        if paid.kind in {"Invoice", "CreditMemo"} and not _is_below(file, linked["CustomerRef"]["value"], customer):
            raise QuickBooksRefusal(6000, "Business Validation Error: The linked transaction is another customer's.")
        if paid.amount > abs(file.ledger.open_amount(paid.kind, paid.id)) + before.get((paid.kind, paid.id), ZERO):
            raise QuickBooksRefusal(6000, "Business Validation Error: The amount is more than the open balance.")
        left += paid.amount if file.ledger.is_credit(paid.kind, paid.id) else -paid.amount
    if left < 0:
        raise QuickBooksRefusal(6000, "Business Validation Error: The lines are more than the payment's total.")
    return made


def _links_before(file: CompanyFile, source_id: str) -> list[PaidLink]:
    return list(paid_links(file.ledger.current.get("Payment", {}).get(source_id, {})))


def _deposit(file: CompanyFile, kind: str, content: Json, at: datetime) -> Json:
    _reference(file, content, "DepositToAccountRef", "Account")
    _is_new_number(file, kind, content)
    before = moved_payments(file.ledger.current.get("Deposit", {}).get(content["Id"], {}))
    for line in content.get("Line", []):
        _amount(line, "Amount")
        if "LinkedTxn" not in line:
            detail = line.get("DepositLineDetail", {})
            account = _reference(file, detail, "AccountRef", "Account")
            if account in file.ledger.receivable_accounts:
                _reference(file, {"Entity": detail.get("Entity")}, "Entity", "Customer")
    for source_id in moved_payments(content):
        payment = file.ledger.current.get("Payment", {}).get(source_id)
        if payment is None:
            raise QuickBooksRefusal(610, f"Object Not Found : Payment {source_id} was not found.")
        taken = payment["LinkedTxn"] and source_id not in before
        if taken or payment["DepositToAccountRef"]["value"] != file.accounts.undeposited:
            raise QuickBooksRefusal(6000, _TAKEN)
    total = deposit_total(content)
    if total < 0:
        raise QuickBooksRefusal(6000, "Business Validation Error: The total of a deposit cannot be negative.")
    lines = [{"Id": str(n), "LineNum": n, **line} for n, line in enumerate(content.get("Line", []), 1)]
    day = {"TxnDate": at.astimezone(file.book.zone).date().isoformat()}
    return {**day, **file.money(file.book.home, at.date()).fields(), **content, "Line": lines, "TotalAmt": total}


def _customer(file: CompanyFile, kind: str, content: Json, at: datetime) -> Json:
    del kind, at
    name = content.get("DisplayName")
    if not name:
        raise QuickBooksRefusal(2020, "Required parameter DisplayName is missing in the request")
    for source_id, other in file.ledger.current.get("Customer", {}).items():
        if other["DisplayName"] == name and source_id != content["Id"]:
            raise QuickBooksRefusal(6240, f"The name supplied already exists. : Id={source_id}")
    empty = {"Active": True, "Job": "ParentRef" in content, "Balance": ZERO, "BalanceWithJobs": ZERO}
    return {**empty, "FullyQualifiedName": name, **file.currency(file.book.home), **content}


def _sale(file: CompanyFile, kind: str, content: Json, at: datetime) -> Json:
    customer = _reference(file, content, "CustomerRef", "Customer")
    _is_new_number(file, kind, content)
    lines = content.get("Line", [])
    total = sum((_amount(each, "Amount") for each in lines if each.get("DetailType") != "SubTotalLineDetail"), ZERO)
    day = {"TxnDate": at.astimezone(file.book.zone).date().isoformat()}
    currency = file.currency_of(customer)
    mine = {"TotalAmt": total, "ARAccountRef": {"value": file.receivable(currency, at)}}
    return {**day, **file.money(currency, at.date()).fields(), **content, **mine}


def _is_new_number(file: CompanyFile, kind: str, content: Json) -> None:
    number = content.get("DocNumber")
    for source_id, other in file.ledger.current.get(kind, {}).items():
        if number and other.get("DocNumber") == number and source_id != content["Id"]:
            detail = f"DocNumber={number} is assigned to TxnType={kind} with TxnId={source_id}"
            raise QuickBooksRefusal(6140, f"You must specify a different number. {detail}", element="DocNumber")


def _reference(file: CompanyFile, content: Json, name: str, kind: str) -> str:
    """The id that a reference names; the object must be there and active."""
    told = content.get(name)
    if not isinstance(told, dict) or "value" not in told:
        raise QuickBooksRefusal(2020, f"Required parameter {name} is missing in the request", element=name)
    found = file.ledger.current.get(kind, {}).get(told["value"])
    if found is None:
        raise QuickBooksRefusal(2500, f"Invalid Reference Id : {kind} element id {told['value']} not found")
    if not found["Active"]:
        raise QuickBooksRefusal(610, f"Object Not Found : {kind} {told['value']} has been made inactive.")
    return str(told["value"])


def _amount(content: Json, name: str) -> Decimal:
    value = content.get(name)
    if value is None:
        raise QuickBooksRefusal(2020, f"Required parameter {name} is missing in the request", element=name)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise QuickBooksRefusal(2080, f"{name} is not a number", element=name)
    return money(value)


def _is_below(file: CompanyFile, customer: str, top: str) -> bool:
    """Whether a customer is `top` or one of its jobs."""
    place: str | None = customer
    while place and place != top:
        place = file.ledger.get("Customer", place).get("ParentRef", {}).get("value")
    return place == top
