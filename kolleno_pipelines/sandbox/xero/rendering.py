"""Objects as the text that the vendor sends: dates as `/Date(ms+0000)/`, amounts as plain numbers. No choosing.

A plain day is its midnight in UTC. A datetime with another offset is sent with that offset: the milliseconds count UTC,
the offset says in which zone the day was meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from kolleno_pipelines.sandbox.xero.objects import CREDIT_KINDS, DOCUMENT_KINDS, Kind, Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STRINGS = {"Date": "DateString", "DueDate": "DueDateString"}
_LIST_SUMMARY = ("LineItems", "Payments", *CREDIT_KINDS)


def date_text(value: date) -> str:
    """Return a day or moment as the vendor writes it in an object."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    offset = moment.utcoffset() or timedelta(0)
    minutes = abs(offset) // timedelta(minutes=1)
    sign = "-" if offset < timedelta(0) else "+"
    return f"/Date({milliseconds(moment)}{sign}{minutes // 60:02d}{minutes % 60:02d})/"


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970, negative before it."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def json_text(value: object) -> str:
    """Return JSON in which decimals keep their digits and dates have the vendor's form."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ",".join(f'"{name}":{json_text(each)}' for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, date):
        return f'"{date_text(value)}"'
    return json.dumps(value)


def _day_string(value: date) -> str:
    return f"{value:%Y-%m-%dT00:00:00}"


def full(kind: Kind, record: Mapping[str, Any]) -> Record:
    """Return an object as it is sent by id and on pages."""
    shown = dict(record)
    if kind in {Kind.ORGANISATION, Kind.CONTACT_GROUPS}:  # the vendor tells no moment of these
        del shown["UpdatedDateUTC"]
    if kind in {*DOCUMENT_KINDS, Kind.BATCH_PAYMENTS}:
        for name, string in _STRINGS.items():
            if name in shown:
                shown[string] = _day_string(shown[name])
    if kind in {*DOCUMENT_KINDS, Kind.PAYMENTS}:
        shown["UpdatedDateUTCString"] = f"{record['UpdatedDateUTC'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for nested in CREDIT_KINDS if kind is Kind.INVOICES else ():
        shown[nested.value] = [
            {name: value for name, value in entry.items() if name != "AllocationID"} for entry in shown[nested.value]
        ]
    return shown


def summary(kind: Kind, record: Mapping[str, Any]) -> Record:
    """Return an object of a list without pages: documents have no lines there."""
    shown = full(kind, record)
    if kind in DOCUMENT_KINDS:
        shown["LineItems"] = []
    if kind is Kind.CONTACT_GROUPS:
        shown["Contacts"] = []
    return shown


def lightweight(kind: Kind, record: Mapping[str, Any]) -> Record:
    """Return an object as `summaryOnly=true` gives it: without what costs the vendor work to compute."""
    left_out = {*_LIST_SUMMARY} if kind is Kind.INVOICES else {"Balances", "ContactGroups", "ContactPersons"}
    return {name: value for name, value in full(kind, record).items() if name not in left_out}
