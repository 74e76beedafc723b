"""What objects of QuickBooks can be filtered and ordered by, and their values as they compare. No query is read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from kolleno_pipelines.sandbox.quickbooks.wire import Json, money

#: By kind, the properties with the type of their values.
_EVERYWHERE = {"Id": "id", "MetaData.CreateTime": "moment", "MetaData.LastUpdatedTime": "moment"}
_TRANSACTION = {**_EVERYWHERE, "DocNumber": "text", "TxnDate": "date", "TotalAmt": "number"}
_SALE = {**_TRANSACTION, "CustomerRef": "ref", "Balance": "number"}
_PROPERTIES: dict[str, dict[str, str]] = {
    "Account": {**_EVERYWHERE, "Name": "text", "Active": "flag", "AccountType": "text", "AccountSubType": "text"},
    "Customer": {
        **_EVERYWHERE,
        "DisplayName": "text",
        "FullyQualifiedName": "text",
        "CompanyName": "text",
        "GivenName": "text",
        "FamilyName": "text",
        "Active": "flag",
        "Job": "flag",
        "Balance": "number",
    },
    "Invoice": {**_SALE, "DueDate": "date"},
    "CreditMemo": _SALE,
    "RefundReceipt": _SALE,
    "Payment": {**_TRANSACTION, "CustomerRef": "ref", "PaymentRefNum": "text"},
    "Deposit": _TRANSACTION,
    "Purchase": {**_TRANSACTION, "PaymentType": "text"},
    "JournalEntry": _TRANSACTION,
    "CompanyInfo": _EVERYWHERE,
    "Preferences": _EVERYWHERE,
}
_NAMED = {**_EVERYWHERE, "Name": "text", "Active": "flag"}


def properties(kind: str) -> dict[str, str]:
    """Return what a kind can be filtered and ordered by."""
    return _PROPERTIES.get(kind, _NAMED)


@lru_cache
def _parts(name: str) -> list[str]:
    return name.split(".")


@lru_cache(maxsize=100_000)
def _moment(text: str, zone: ZoneInfo) -> datetime:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)


def stated(content: Json, name: str) -> Any:
    """Return what an object says of a property by its name with dots, None where it has none."""
    value: Any = content
    for part in _parts(name):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def comparable(kind: str, value: Any, zone: ZoneInfo) -> Any:
    """Return a value that can be compared: moments as instants; one without an offset has the company's."""
    match kind:
        case "moment":
            return _moment(value, zone)
        case "date":
            return date.fromisoformat(value)
        case "number":
            return money(value)
        case "id":
            return int(value)
        case "flag":
            if str(value).lower() not in {"true", "false"}:
                raise ValueError(value)
            return str(value).lower() == "true"
        case "ref":
            return value["value"] if isinstance(value, dict) else value
        case _:
            return str(value)
