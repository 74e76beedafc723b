"""What the payloads of bank files mean in our model: one function per extract, pure. No folder, no file.

Sources of the rules: docs/model.md, and README.md beside this file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from xml.etree.ElementTree import Element

import pyarrow as pa

from kolleno_pipelines.connectors.bank_files import entries, statements
from kolleno_pipelines.connectors.bank_files.elements import XmlError, first_text, text, tree
from kolleno_pipelines.connectors.bank_files.entries import BankLine, EntryError
from kolleno_pipelines.connectors.bank_files.statements import CLOSING, OPENING, StatementError
from kolleno_pipelines.connectors.columns import MOMENT, frame, payload_rows, take_rows
from kolleno_pipelines.schemas.records import Normalised, Quarantined

Payload = dict[str, Any]
Row = dict[str, Any]

_MOST = 5


def normalise(extract: str, table: pa.Table) -> Normalised:
    """Return what a block of payloads of an extract says; payloads that make no sense are quarantined."""
    entity, rows_of = _RULES[extract]
    rows: list[Row] = []
    created: list[datetime | None] = []
    quarantined: list[Quarantined] = []
    good: list[bool] = []
    for payload in table.to_pylist():
        try:
            made = [{"line": payload["line"], **row} for row in rows_of(payload)]
            created.append(_moment(payload["created"]))
        except (XmlError, EntryError, StatementError) as fault:
            quarantined.append(Quarantined(payload["line"], payload["id"], f"{_where(payload)}{fault}"))
            good.append(False)
        else:
            rows += made
            good.append(True)
    kept = take_rows(table, pa.array(good, pa.bool_()))
    nothing_deleted = pa.repeat(pa.scalar(False), kept.num_rows)
    ids = kept["id"].combine_chunks()
    payloads = payload_rows(kept, extract, ids, pa.array(created, MOMENT), nothing_deleted)
    return Normalised(payloads, {} if entity is None else {entity: _frame(entity, rows)}, quarantined)


def _where(payload: Payload) -> str:
    """Return file and line as the beginning of a sentence; nothing where the payload names none."""
    if not payload["file"]:
        return ""
    return f"{payload['file']} line {payload['file_line']}: " if payload.get("file_line") else f"{payload['file']}: "


def _frame(entity: str, rows: list[Row]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return frame(entity, {name: [row[name] for row in rows] for name in names}, len(rows))


def _moment(stated: str | None) -> datetime | None:
    """When the document was made: the newer one holds where two say the same line. UTC where no zone is said."""
    if stated is None:
        return None
    try:
        moment = datetime.fromisoformat(stated)
    except ValueError:
        raise XmlError(f"CreDtTm is {stated[:40]!r}, no moment") from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(stated: str | None) -> date | None:
    """A day as entries and statements tell it: they refuse what is none."""
    return None if stated is None else date.fromisoformat(stated)


def _xml(payload: Payload) -> Element:
    if not payload["xml"]:
        raise XmlError("the payload lacks xml")
    return tree(payload["xml"].encode())


def _file(payload: Payload) -> list[Row]:
    """A file has no rows of its own: it is there to say what of it could not be read."""
    faults = payload["faults"] or []
    if not payload["file"]:
        raise XmlError("the payload lacks file")
    if faults:
        told = [f"line {one['line']}: {one['fault']}" if one["line"] else one["fault"] for one in faults[:_MOST]]
        more = f"; and {len(faults) - _MOST:,} more" if len(faults) > _MOST else ""
        raise XmlError(f"{'; '.join(told)}{more}")
    return []


def _accounts(payload: Payload) -> list[Row]:
    statement = _xml(payload)
    number = statements.account_number(statement)
    return [
        {
            "source_id": payload["id"],
            "account_number": number,
            "currency_iso": payload["id"].removeprefix(number).removeprefix(":") or None,
            "name": text(statement, "Acct/Nm"),
            "owner_name": text(statement, "Acct/Ownr/Nm"),
            "bank_code": first_text(statement, *(f"Acct/Svcr/FinInstnId/{name}" for name in _BANK_CODES)),
        }
    ]


_BANK_CODES = ("BICFI", "BIC", "ClrSysMmbId/MmbId")


def _statements(payload: Payload) -> list[Row]:
    statement = _xml(payload)
    opening, closing = statements.balance(statement, OPENING), statements.balance(statement, CLOSING)
    first, last = statements.days(statement)
    return [
        {
            "source_id": payload["id"],
            "account_source_id": payload["account"],
            "kind": payload["kind"],
            "ref": payload["ref"],
            "currency_iso": statements.currency(statement),
            "date_from": _day(first),
            "date_to": _day(last),
            "balance_opening": opening[0] if opening else None,
            "balance_closing": closing[0] if closing else None,
            "entries": payload["entries"],
            "amount_booked": Decimal(payload["booked"]),
            "file": payload["file"],
        }
    ]


def _entries(payload: Payload) -> list[Row]:
    return [_bank_line(payload, line) for line in entries.lines_of(_xml(payload))]


def _bank_line(payload: Payload, line: BankLine) -> Row:
    named = ("date_booked", "date_value")
    told = {name: value for name, value in vars(line).items() if name not in {"part", "words", *named}}
    return {
        "source_id": f"{payload['id']}/{line.part}" if line.part else payload["id"],
        "account_source_id": payload["account"],
        "statement_source_id": payload["statement"],
        **told,
        **{name: _day(getattr(line, name)) for name in named},
        "words": json.dumps(list(line.words)),
        "file": payload["file"],
        "file_line": payload["file_line"],
    }


#: Extract -> the entity that it becomes, and how; files become none.
_RULES: dict[str, tuple[str | None, Callable[[Payload], list[Row]]]] = {
    "files": (None, _file),
    "accounts": ("bank_accounts", _accounts),
    "statements": ("bank_statements", _statements),
    "entries": ("bank_lines", _entries),
}
