"""Contacts of a Xero organisation: how one is made of a customer and its people, and what the vendor adds when asked.

Balances, `IsCustomer` and `IsSupplier` are computed when a contact is read: they change without moving its moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal

from kolleno_pipelines.sandbox.xero.book import Book
from kolleno_pipelines.sandbox.xero.objects import (
    CREDIT_KINDS,
    RECEIVABLE_TYPES,
    ZERO,
    Kind,
    Record,
    object_id,
)
from kolleno_pipelines.sandbox.xero.settling import open_amount

_MOST_PERSONS = 5
_PHONE_TYPES = ("DDI", "DEFAULT", "FAX", "MOBILE")


def phone(phone_type: str, text: str = "") -> Record:
    """Return a phone number as the vendor keeps it: country and area apart. `text` is like `+44 20 7946 1234`."""
    country, area, number = "", "", text
    parts = text.split(" ", 2)
    if text.startswith("+") and len(parts) == 3:
        country, area, number = parts[0].removeprefix("+"), parts[1], parts[2]
    return {"PhoneType": phone_type, "PhoneNumber": number, "PhoneAreaCode": area, "PhoneCountryCode": country}


def contact(key: str, name: str, *, number: str = "", status: str = "ACTIVE") -> Record:
    """Return a plain contact, with the empty addresses and phones that the vendor sends."""
    return {
        "ContactID": object_id(Kind.CONTACTS, key),
        "ContactNumber": key,
        "AccountNumber": number or key,
        "ContactStatus": status,
        "Name": name,
        "FirstName": "",
        "LastName": "",
        "EmailAddress": "",
        "BankAccountDetails": "",
        "Addresses": [_address("STREET", {}), _address("POBOX", {})],
        "Phones": [phone(each) for each in _PHONE_TYPES],
        "ContactGroups": [],
        "ContactPersons": [],
        "HasAttachments": False,
        "HasValidationErrors": False,
    }


def _address(kind: str, cells: Mapping[str, str]) -> Record:
    return {
        "AddressType": kind,
        "AddressLine1": cells.get("address_line_1", ""),
        "AddressLine2": cells.get("address_line_2", ""),
        "City": cells.get("city", ""),
        "Region": cells.get("state", ""),
        "PostalCode": cells.get("postal_code", ""),
        "Country": cells.get("country_iso", ""),
    }


def company_contact(cells: Mapping[str, str], people: Iterable[Mapping[str, str]]) -> Record:
    """Return the contact of a customer of the company. Xero has no hierarchy: the parent is not told.

    The first primary person (else the first) is the contact's own; up to five more are its contact persons, who have
    no phones here. People who are no longer active are left out.
    """
    record = contact(cells["id"], cells["name"], number=cells["ref"])
    record["Addresses"] = [_address("STREET", {}), _address("POBOX", cells)]
    if cells["currency_iso"]:
        record["DefaultCurrency"] = cells["currency_iso"]
    active = sorted((each for each in people if each["is_active"] == "true"), key=_is_second)
    if active:
        first = active[0]
        record |= {"FirstName": first["first_name"], "LastName": first["last_name"], "EmailAddress": first["email"]}
        numbers = {"DEFAULT": first["phone"], "MOBILE": first["mobile"]}
        record["Phones"] = [phone(each, numbers.get(each, "")) for each in _PHONE_TYPES]
    record["ContactPersons"] = [
        {
            "FirstName": each["first_name"],
            "LastName": each["last_name"],
            "EmailAddress": each["email"],
            "IncludeInEmails": bool(each["email"]),
        }
        for each in active[1 : 1 + _MOST_PERSONS]
    ]
    return record


def _is_second(person: Mapping[str, str]) -> bool:
    return person["is_primary"] != "true"


def contact_group(name: str, members: Iterable[Mapping[str, object]] = ()) -> Record:
    """Return a flat group of contacts."""
    return {
        "ContactGroupID": object_id(Kind.CONTACT_GROUPS, name),
        "Name": name,
        "Status": "ACTIVE",
        "Contacts": [{"ContactID": each["ContactID"], "Name": each["Name"]} for each in members],
    }


class Balances:
    """What contacts owe and are owed at a moment, in no currency: amounts of several currencies are simply added."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._known: tuple[tuple[int, ...], date, dict[str, dict[str, dict[str, Decimal]]]] | None = None

    def shown(self, record: Record, now: datetime) -> Record:
        """Return a contact with its balances and its roles."""
        sides = self._all(now).get(record["ContactID"], {})
        shown = record | {"IsSupplier": "AccountsPayable" in sides, "IsCustomer": "AccountsReceivable" in sides}
        if sides:
            nothing = {"Outstanding": ZERO, "Overdue": ZERO}
            names = ("AccountsReceivable", "AccountsPayable")
            shown["Balances"] = {name: sides.get(name, nothing) for name in names}
        return shown

    def _all(self, now: datetime) -> dict[str, dict[str, dict[str, Decimal]]]:
        position = self.book.position(now)
        if self._known is None or self._known[:2] != (position, now.date()):
            self._known = (position, now.date(), self._computed(now))
        return self._known[2]

    def _computed(self, now: datetime) -> dict[str, dict[str, dict[str, Decimal]]]:
        found: dict[str, dict[str, dict[str, Decimal]]] = {}
        for kind in (Kind.INVOICES, *CREDIT_KINDS):
            for record in self.book.records(kind, now):
                name = "AccountsReceivable" if record["Type"] in RECEIVABLE_TYPES else "AccountsPayable"
                sides = found.setdefault(record["Contact"]["ContactID"], {})
                side = sides.setdefault(name, {"Outstanding": ZERO, "Overdue": ZERO})
                amount = open_amount(kind, record)
                side["Outstanding"] += amount if kind is Kind.INVOICES else -amount
                if kind is Kind.INVOICES and _due(record) < now.date():
                    side["Overdue"] += amount
        return found


def _due(record: Record) -> date:
    due: date = record.get("DueDate") or record["Date"]
    return due
