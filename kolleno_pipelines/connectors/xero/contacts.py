"""Contacts of Xero as customers, and the people and telephone numbers that hang on them. No documents.

Xero has no hierarchy: its groups are labels. A contact that was merged into another becomes an alias of it. The people
of a contact have no ids: each is known by the e-mail address, else by the name, below the contact.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, first_of, frame, list_rows, pc, take_rows
from kolleno_pipelines.connectors.xero.fields import stated

Rows = dict[str, pa.Table]

#: Fax is left out, as the platform that this follows does.
_PHONES = {"DEFAULT": "phone", "DDI": "phone", "OFFICE": "phone", "MOBILE": "mobile"}
_ADDRESS = {
    "address_line_1": "AddressLine1",
    "address_line_2": "AddressLine2",
    "city": "City",
    "state": "Region",
    "postal_code": "PostalCode",
}


def contacts(table: pa.Table) -> Rows:
    """Every contact is a customer: whether it is one (IsCustomer) changes without being announced."""
    phones = _phones(table)
    people = pa.concat_tables([_own_person(table, phones), _persons(table)])
    return {
        "customers": _customers(table, phones),
        "customer_aliases": _aliases(table),
        "contacts": people.select(["line", "source_id", "first_name", "last_name", "email", "extra"]),
        "contact_links": _links(table, people),
        "phones": phones.select(["line", "source_id", "contact_source_id", "type", "number"]),
    }


def is_active(table: pa.Table) -> Any:
    """Archived contacts, and those that are to be forgotten (GDPRREQUEST), are not."""
    return pc.equal(at(table, "ContactStatus"), "ACTIVE")


def _customers(table: pa.Table, phones: pa.Table) -> pa.Table:
    columns = {
        "line": table["line"],
        "source_id": at(table, "ContactID"),
        # The number that people see; ContactNumber is an id of another system, which only programs set.
        "ref": first_of(stated(at(table, "AccountNumber")), stated(at(table, "ContactNumber"))),
        "name": at(table, "Name"),
        "currency_iso": stated(at(table, "DefaultCurrency")),
        "email": stated(at(table, "EmailAddress")),
        "phone": first_of(*(_numbers(table, phones, kind) for kind in ("DEFAULT", "DDI", "OFFICE"))),
        "is_active": is_active(table),
        # What it owes less its credits, in no currency: several are simply added up.
        "balance_stated": at(table, "Balances.AccountsReceivable.Outstanding"),
        "balance_is_home": False,
        "extra": _extra(table),
    }
    return frame("customers", columns | _address(table), table.num_rows)


def _address(table: pa.Table) -> dict[str, Any]:
    """The postal address, else the street's; what is empty is not there."""
    rows, addresses = list_rows(table, "Addresses")
    filled = pc.is_valid(first_of(*(stated(at(addresses, field)) for field in ("AddressLine1", "City", "PostalCode"))))
    found = pa.repeat(pa.scalar(None, pa.int64()), table.num_rows)
    for kind in ("STREET", "POBOX"):
        places = np.flatnonzero(pc.and_(filled, pc.equal(at(addresses, "AddressType"), kind)).fill_null(False))
        place = pc.index_in(pa.array(range(table.num_rows), rows.type), value_set=pc.take(rows, pa.array(places)))
        found = pc.coalesce(pc.take(pa.array(places, pa.int64()), place), found)
    columns = {name: pc.take(stated(at(addresses, field)), found) for name, field in _ADDRESS.items()}
    country = pc.take(stated(at(addresses, "Country")), found)
    is_code = pc.fill_null(pc.match_substring_regex(country, "^[A-Z]{2}$"), False)
    return columns | {"country_iso": pc.if_else(is_code, country, None)}


def _extra(table: pa.Table) -> Any:
    """Labels (contact groups) and the number that another system gave the contact, as JSON."""
    groups: list[list[str]] = [[] for _ in range(table.num_rows)]
    rows, found = list_rows(table, "ContactGroups")
    for row, name in zip(rows.to_pylist(), at(found, "Name").to_pylist(), strict=True):
        if name:
            groups[row].append(name)
    made = []
    for names, number in zip(groups, at(table, "ContactNumber").to_pylist(), strict=True):
        extra: dict[str, Any] = {"contact_groups": sorted(names)} if names else {}
        extra |= {"contact_number": number} if number else {}
        made.append(json.dumps(extra, ensure_ascii=False) if extra else None)
    return pa.array(made, pa.string())


def _aliases(table: pa.Table) -> pa.Table:
    merged = take_rows(table, pc.is_valid(stated(at(table, "MergedToContactID"))))
    columns = {
        "line": merged["line"],
        "source_id": at(merged, "ContactID"),
        "customer_source_id": at(merged, "MergedToContactID"),
    }
    return frame("customer_aliases", columns, merged.num_rows)


def _own_person(table: pa.Table, phones: pa.Table) -> pa.Table:
    """The contact's own name and address, where there is anything of it."""
    source_id = at(table, "ContactID")
    first, last, email = (stated(at(table, name)) for name in ("FirstName", "LastName", "EmailAddress"))
    columns = {"line": table["line"], "source_id": source_id, "first_name": first, "last_name": last, "email": email}
    people = frame("contacts", columns, table.num_rows).append_column("customer", source_id)
    called = pc.is_in(_lines(table), value_set=_lines(phones))
    return take_rows(people, pc.or_(pc.is_valid(first_of(first, last, email)), called))


def _persons(table: pa.Table) -> pa.Table:
    rows, persons = list_rows(table, "ContactPersons")
    owner = pc.take(at(table, "ContactID"), rows)
    first, last, email = (stated(at(persons, name)) for name in ("FirstName", "LastName", "EmailAddress"))
    name = stated(_words(first, last))
    known_by = pc.utf8_lower(first_of(email, name))
    mailed = pc.fill_null(at(persons, "IncludeInEmails"), False)
    columns = {
        "line": pc.take(table["line"].combine_chunks(), rows),
        "source_id": pc.binary_join_element_wise(owner, known_by, ":"),
        "first_name": first,
        "last_name": last,
        "email": email,
        "extra": pc.if_else(mailed, '{"include_in_emails": true}', '{"include_in_emails": false}'),
    }
    people = frame("contacts", columns, persons.num_rows).append_column("customer", owner)
    return _once(take_rows(people, pc.is_valid(known_by)))


def _links(table: pa.Table, people: pa.Table) -> pa.Table:
    source_id, customer = people["source_id"].combine_chunks(), people["customer"].combine_chunks()
    place = pc.index_in(_lines(people), value_set=_lines(table))
    columns = {
        "line": people["line"],
        "source_id": source_id,
        "contact_source_id": source_id,
        "customer_source_id": customer,
        "is_primary": pc.equal(source_id, customer),
        "is_active": pc.take(is_active(table), place),
    }
    return frame("contact_links", columns, people.num_rows)


def _phones(table: pa.Table) -> pa.Table:
    """The numbers of contacts, country and area in front; rows without a number are none. `vendor_type` beside them."""
    rows, found = list_rows(table, "Phones")
    kinds = at(found, "PhoneType")
    parts = [stated(at(found, f"Phone{part}")) for part in ("CountryCode", "AreaCode", "Number")]
    country = pc.binary_join_element_wise("+", pc.utf8_ltrim(parts[0], "+"), "")
    number = _words(country, parts[1], parts[2])
    place = pc.index_in(kinds, value_set=pa.array(_PHONES))
    owner = pc.take(at(table, "ContactID"), rows)
    columns = {
        "line": pc.take(table["line"].combine_chunks(), rows),
        "source_id": pc.binary_join_element_wise(owner, kinds, ":"),
        "contact_source_id": owner,
        "type": pc.take(pa.array(_PHONES.values()), place),
        "number": number,
    }
    phones = frame("phones", columns, found.num_rows).append_column("vendor_type", kinds)
    return _once(take_rows(phones, pc.and_(pc.is_valid(place), pc.is_valid(parts[2]))))


def _numbers(table: pa.Table, phones: pa.Table, vendor_type: str) -> Any:
    """The number of one type by row of the table."""
    named = take_rows(phones, pc.equal(phones["vendor_type"].combine_chunks(), vendor_type))
    place = pc.index_in(_lines(table), value_set=_lines(named))
    return pc.take(named["number"].combine_chunks(), place)


def _words(*columns: Any) -> Any:
    """What there is of some columns, with a blank between."""
    joined = pc.binary_join_element_wise(*(first_of(column, "") for column in columns), " ")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(joined, " +", " "))


def _lines(rows: pa.Table) -> Any:
    """What tells payloads apart: one block may hold two versions of a contact."""
    return rows["line"].combine_chunks()


def _once(rows: pa.Table) -> pa.Table:
    """The first of what one payload names twice."""
    keys = [
        f"{line} {name}" for line, name in zip(rows["line"].to_pylist(), rows["source_id"].to_pylist(), strict=True)
    ]
    _, first = np.unique(np.array(keys, dtype=object).astype(str), return_index=True)
    return rows.take(pa.array(np.sort(first), pa.int64()))
