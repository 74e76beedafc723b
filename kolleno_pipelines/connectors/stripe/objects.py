"""Charges, payment intents, refunds, disputes and customers of Stripe as rows of our entities. Pure."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import MOMENT, at, frame, pc
from kolleno_pipelines.connectors.stripe.amounts import currency, major

Rows = dict[str, pa.Table]

PROVIDER = "stripe"
#: How the platform signs what it makes.
OURS = "Kolleno"
#: A value holds 500 characters at most: a list of nearly so many may have been cut, an id is not longer than the rest.
_FULL, _LONGEST_ID = 500, 60
_MONEY = pa.decimal128(20, 6)
_IS_NUMBER = re.compile(r"[0-9]{1,14}(\.[0-9]{1,6})?")
#: What a JSON string holds in another form.
_ESCAPED = r'[^ -~]|["\\]'


def seconds(numbers: Any) -> Any:
    """Return seconds since 1970 as moments."""
    return pc.cast(pc.cast(numbers, pa.timestamp("s", "UTC")), MOMENT)


def money_columns(table: pa.Table, *more: str) -> dict[str, Any]:
    """Return what everything that moves money has: id, status, amounts (`more` beside `amount`), currency, moment."""
    iso = currency(at(table, "currency"))
    columns = {
        "line": table["line"],
        "source_id": at(table, "id"),
        "status": at(table, "status"),
        "currency_iso": iso,
        "created_at": seconds(at(table, "created")),
        "metadata": metadata_json(table),
    }
    return columns | {name: major(at(table, name), iso) for name in ("amount", *more)}


def metadata_json(table: pa.Table) -> Any:
    """Return the keys of the metadata that are read, as JSON; null where there are none."""
    said = []
    for field in table.schema.field("metadata").type:
        text = pc.fill_null(at(table, f"metadata.{field.name}"), "")
        cell = pc.binary_join_element_wise(", ", json.dumps(field.name), ": ", _quoted(text), "")
        said.append(pc.if_else(pc.equal(text, ""), "", cell))
    cells = pc.binary_join_element_wise(*said, "")
    whole = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(cells, 2), "}", "")
    return pc.if_else(pc.equal(cells, ""), None, whole)


def _quoted(texts: Any) -> Any:
    """Return texts as JSON strings; only those that hold what JSON escapes are looked at one by one."""
    escaped = pc.fill_null(pc.match_substring_regex(texts, _ESCAPED), False)
    quoted = pc.binary_join_element_wise('"', texts, '"', "")
    others = pa.array([json.dumps(one) for one in texts.filter(escaped).to_pylist()], pa.string())
    return pc.replace_with_mask(quoted, escaped, others)


def customers(table: pa.Table) -> Rows:
    """Customers of the account; one that was deleted there has its id alone."""
    columns = {
        "line": table["line"],
        "source_id": at(table, "id"),
        "name": at(table, "name"),
        "email": at(table, "email"),
        "customer_source_id": at(table, "metadata.customer_source_id"),
        "created_at": seconds(at(table, "created")),
        "is_active": True,
        "metadata": metadata_json(table),
    }
    rows = frame("psp_customers", columns, table.num_rows)
    return {"psp_customers": rows.filter(pc.invert(pc.fill_null(at(table, "deleted"), False)))}


def payment_intents(table: pa.Table) -> Rows:
    """Payment intents: what somebody is to pay."""
    columns = money_columns(table, "amount_received") | {
        "psp_customer_source_id": at(table, "customer"),
        "charge_source_id": at(table, "latest_charge"),
    }
    return {"payment_intents": frame("payment_intents", columns, table.num_rows)}


def charges(table: pa.Table) -> Rows:
    """Charges; those of the platform name what they pay."""
    sources = at(table, "metadata.invoices_source_id")
    refs = at(table, "metadata.invoices_refs")
    is_own = pc.fill_null(pc.equal(at(table, "metadata.created_by"), OURS), False)
    money = money_columns(table, "amount_captured", "amount_refunded")
    columns = money | {
        "provider": PROVIDER,
        "surcharge_amount": _surcharge(table, is_own, money["amount"]),
        "method": at(table, "payment_method_details.type"),
        "is_captured": at(table, "captured"),
        "is_disputed": at(table, "disputed"),
        "failure_code": at(table, "failure_code"),
        "failure_message": at(table, "failure_message"),
        "payment_intent_source_id": at(table, "payment_intent"),
        "psp_customer_source_id": at(table, "customer"),
        "balance_transaction_source_id": at(table, "balance_transaction"),
        "failure_balance_transaction_source_id": at(table, "failure_balance_transaction"),
        "is_own": is_own,
        "own_reference": pc.if_else(is_own, at(table, "metadata.payment_charge"), None),
        "customer_source_id": pc.if_else(is_own, at(table, "metadata.customer_source_id"), None),
        "invoices_source_ids": _ids(sources, is_own),
        "invoices_refs": _ids(refs, is_own),
        "is_list_complete": pc.if_else(is_own, pc.and_(_is_whole(sources), _is_whole(refs)), None),
    }
    return {"charges": frame("charges", columns, table.num_rows)}


def _surcharge(table: pa.Table, is_own: Any, amounts: Any) -> Any:
    """What the platform took beside the invoices, in major units, where it is a number below the amount.

    Anything else stays in the metadata.
    """
    texts = pc.if_else(is_own, at(table, "metadata.surcharge"), None)
    distinct = texts.unique()
    numbers = pa.array([_number(text) for text in distinct.to_pylist()], _MONEY)
    surcharges = numbers.take(pc.index_in(texts, value_set=distinct))
    return pc.if_else(pc.less(surcharges, amounts), surcharges, pa.scalar(None, _MONEY))


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text is not None and _IS_NUMBER.fullmatch(text) else None


def _ids(lists: Any, is_own: Any) -> Any:
    """Return lists with commas between as JSON lists."""
    parts = pc.split_pattern(pc.if_else(is_own, lists, None), ",")
    ids, rows = pc.utf8_trim_whitespace(pc.list_flatten(parts)), pc.list_parent_indices(parts)
    is_there = pc.not_equal(ids, "")
    counts = np.bincount(rows.filter(is_there).to_numpy(), minlength=len(lists))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, _quoted(ids.filter(is_there))), ", ")
    return pc.if_else(pa.array(counts > 0), pc.binary_join_element_wise("[", joined, "]", ""), None)


def _is_whole(lists: Any) -> Any:
    return pc.less(pc.fill_null(pc.utf8_length(lists), 0), _FULL - _LONGEST_ID)


def refunds(table: pa.Table) -> Rows:
    """Refunds, those that failed too."""
    columns = money_columns(table) | {
        "charge_source_id": at(table, "charge"),
        "payment_intent_source_id": at(table, "payment_intent"),
        "reason": at(table, "reason"),
        "failure_reason": at(table, "failure_reason"),
        "balance_transaction_source_id": at(table, "balance_transaction"),
        "failure_balance_transaction_source_id": at(table, "failure_balance_transaction"),
    }
    return {"refunds": frame("refunds", columns, table.num_rows)}


def disputes(table: pa.Table) -> Rows:
    """Disputes with the rows of the balance that they made: none for an inquiry, one when lost, two when won."""
    made = [[one["id"] for one in rows or () if one] for rows in table["balance_transactions"].to_pylist()]
    columns = money_columns(table) | {
        "reason": at(table, "reason"),
        "charge_source_id": at(table, "charge"),
        "payment_intent_source_id": at(table, "payment_intent"),
        "balance_transactions": pa.array([json.dumps(ids) for ids in made], pa.string()),
    }
    return {"disputes": frame("disputes", columns, table.num_rows)}


def events(table: pa.Table) -> Rows:
    """What the account tells of changes: which object is to be asked for once more."""
    columns = {
        "line": table["line"],
        "source_id": at(table, "id"),
        "type": at(table, "type"),
        "created_at": seconds(at(table, "created")),
        "source_kind": at(table, "data.object.object"),
        "source_object_id": at(table, "data.object.id"),
    }
    return {"provider_events": frame("provider_events", columns, table.num_rows)}
