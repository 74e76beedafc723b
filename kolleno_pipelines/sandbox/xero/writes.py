"""What clients may write: bodies read, given to the ledger, and the vendor's answer. No addresses, no access."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from kolleno_pipelines.sandbox.xero.ledger import Ledger, WriteRefusedError
from kolleno_pipelines.sandbox.xero.objects import CENT, Kind, Record, object_id
from kolleno_pipelines.sandbox.xero.refusals import validation

_DOCUMENTS = {
    "Invoice": Kind.INVOICES,
    "CreditNote": Kind.CREDIT_NOTES,
    "Overpayment": Kind.OVERPAYMENTS,
    "Prepayment": Kind.PREPAYMENTS,
}


def read_body(raw: bytes) -> Record:
    """Return the object of a body, amounts exact. Raises ApiRefusalError when it is none."""
    try:
        body = json.loads(raw, parse_float=Decimal)
    except ValueError:
        raise validation("The request body is not JSON") from None
    if not isinstance(body, dict):
        raise validation("The request body must be an object")
    return body


def items_of(body: Record, list_name: str) -> list[Record]:
    """Return the items of a body: a list under its name, or one object by itself."""
    items = body.get(list_name, [body])
    if not isinstance(items, list) or not items or not all(isinstance(each, dict) for each in items):
        raise validation(f"{list_name} must be a list of objects")
    return items


class Writes:
    """Writes what clients ask for. With `summarize` one wrong item refuses all; without, each says how it went."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def payments(self, body: Record, at: datetime, *, summarize: bool) -> list[Record]:
        """Create payments of invoices, and refunds of credits."""
        return self._each(items_of(body, "Payments"), lambda item: self._pay(item, at), summarize=summarize)

    def delete_payment(self, identity: str, body: Record, at: datetime) -> list[Record]:
        """Delete a payment: the one change that a payment can take."""
        status = items_of(body, "Payments")[0].get("Status")
        if status != "DELETED":
            raise validation("Payment status must be DELETED")
        try:
            return [self.ledger.delete_payment(identity, at)]
        except WriteRefusedError as refusal:
            raise validation(elements=[_wrong({"PaymentID": identity}, refusal)]) from None

    def delete_batch(self, identity: str, body: Record, at: datetime) -> list[Record]:
        """Delete a batch payment, and with it each payment of it."""
        if body.get("Status") != "DELETED":
            raise validation("Batch payment status must be DELETED")
        try:
            return [self.ledger.delete_batch(identity, at)]
        except WriteRefusedError as refusal:
            raise validation(elements=[_wrong({"BatchPaymentID": identity}, refusal)]) from None

    def allocations(self, kind: Kind, identity: str, body: Record, at: datetime, *, summarize: bool) -> list[Record]:
        """Apply a credit to invoices."""
        items = items_of(body, "Allocations")
        return self._each(items, lambda item: self._allocate(kind, identity, item, at), summarize=summarize)

    def delete_allocation(self, kind: Kind, identity: str, allocation_id: str, at: datetime) -> Record:
        """End an allocation."""
        try:
            return self.ledger.take_off(kind, identity, allocation_id, at)
        except WriteRefusedError as refusal:
            raise validation(*refusal.messages) from None

    def _each(self, items: Iterable[Record], write: Callable[[Record], Record], *, summarize: bool) -> list[Record]:
        mark = self.ledger.book.written()
        answers, wrong = [], []
        for item in items:
            try:
                answers.append(write(item) | ({} if summarize else {"StatusAttributeString": "OK"}))
            except WriteRefusedError as refusal:
                wrong.append(_wrong(item, refusal))
                answers.append(wrong[-1] | {"StatusAttributeString": "ERROR"})
        if wrong and summarize:
            self.ledger.book.undo(mark)
            raise validation(elements=wrong)
        return answers

    def _pay(self, item: Mapping[str, Any], at: datetime) -> Record:
        named = [each for each in _DOCUMENTS if each in item]
        if len(named) != 1:
            raise WriteRefusedError("Payment must be against exactly one document")
        kind = _DOCUMENTS[named[0]]
        identity = _identity(item[named[0]], kind)
        account = self._account(item.get("Account"), at)
        amount, day = _amount(item), _day(item, at.date())
        rate = item.get("CurrencyRate")
        return self.ledger.pay(
            kind,
            identity,
            amount,
            day,
            account,
            at,
            reference=str(item.get("Reference") or ""),
            rate=None if rate is None else Decimal(rate),
            key=f"written {self.ledger.book.written()}",
        )

    def _account(self, named: object, at: datetime) -> Record:
        if isinstance(named, dict):
            for each in self.ledger.book.records(Kind.ACCOUNTS, at):
                if named.get("Code") == each["Code"] or named.get("AccountID") == each["AccountID"]:
                    if each["Type"] == "BANK" or each["EnablePaymentsToAccount"]:
                        return each
                    raise WriteRefusedError("Account is not enabled for payments")
        raise WriteRefusedError("Account could not be found")

    def _allocate(self, kind: Kind, identity: str, item: Mapping[str, Any], at: datetime) -> Record:
        if "Date" not in item:
            raise WriteRefusedError("Date is required")
        invoice = _identity(item.get("Invoice"), Kind.INVOICES)
        key = object_id("Allocation", f"written {self.ledger.book.written()}")
        return self.ledger.allocate(kind, identity, invoice, _amount(item), _day(item, at.date()), at, key=key)


def _wrong(item: Mapping[str, Any], refusal: WriteRefusedError) -> Record:
    errors = [{"Message": each} for each in refusal.messages]
    return {**item, "HasValidationErrors": True, "ValidationErrors": errors}


def _identity(named: object, kind: Kind) -> str:
    identity = named.get(kind.id_field) if isinstance(named, dict) else None
    if not isinstance(identity, str):
        raise WriteRefusedError(f"{kind.id_field} is required")
    return identity


def _amount(item: Mapping[str, Any]) -> Decimal:
    value = item.get("Amount")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise WriteRefusedError("Amount must be a number")
    amount = Decimal(value)
    if amount != amount.quantize(CENT):
        raise WriteRefusedError("Amount must have at most two decimals")
    return amount.quantize(CENT)


def _day(item: Mapping[str, Any], default: date) -> date:
    value = item.get("Date")
    if value is None:
        return default
    try:
        return date.fromisoformat(value[:10])
    except (TypeError, ValueError):
        raise WriteRefusedError("Date is not a valid date") from None
