"""What values our entities may have: each rule with a value that breaks it, and what is no fault."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from kolleno_pipelines.connectors.payload_blocks import normalise_block
from kolleno_pipelines.schemas.record_models import MODELS, broken_rules, validate
from kolleno_pipelines.schemas.record_rules import VALUE_RULES, is_storable_list, is_storable_object
from kolleno_pipelines.schemas.records import RECORD_TABLES, Cell, Normalised
from tests.record_cells import Row, said, valid_row

_CURRENCY = "is not a currency code, expected an ISO 4217 code in capitals such as USD"
_POSTING = "is no posting status, expected draft, pending_approval, posted, voided or deleted"
_COLLECTION = (
    "is no collection status, expected disputed, instalments, bad_debt, payment_pending, payment_scheduled or none"
)
_NEGATIVE = "is negative, expected an amount of 0 or more, in the document's own sense"
_RATE = "is no rate, expected home units for one unit of the document's currency, more than 0"
_OBJECT = "cannot be stored, expected a JSON object without NUL characters"
_DOCUMENT: dict[str, tuple[Any, str]] = {
    "posting_status": ("Posted", _POSTING),
    "collection_status": ("dispute", _COLLECTION),
    "currency_iso": ("usd", _CURRENCY),
    "amount": (Decimal("-0.000001"), _NEGATIVE),
    "exchange_rate": (Decimal(0), _RATE),
    "extra": ("[1]", _OBJECT),
}
_LIST = "cannot be stored, expected a JSON list without NUL characters"
_CHARGED: dict[str, tuple[Any, str]] = {
    "currency_iso": ("usd", _CURRENCY),
    "amount": (Decimal("-0.01"), _NEGATIVE),
    "metadata": ("{", _OBJECT),
}
#: Words of a payment provider that are kept as they come, unknown ones too.
_STATED = {"reconciliation_status", "trace_status", "source_kind"}
#: Entity -> column -> a value that breaks its rule, and what is told of it.
BROKEN: dict[str, dict[str, tuple[Any, str]]] = {
    "ledger_units": {"home_currency_iso": ("EURO", _CURRENCY)},
    "accounts": {"currency_iso": ("", _CURRENCY)},
    "customers": {
        "currency_iso": ("XXX", _CURRENCY),
        "balance_currency_iso": ("US", _CURRENCY),
        "extra": ('{"a": "b\\u0000"}', _OBJECT),
    },
    "contacts": {"extra": ("{", _OBJECT)},
    "phones": {"type": ("fax", "is no type of telephone, expected phone or mobile")},
    "invoices": _DOCUMENT,
    "credit_notes": _DOCUMENT | {"amount": (Decimal(-5), _NEGATIVE), "exchange_rate": (Decimal("-0.7"), _RATE)},
    "payments": _DOCUMENT | {"kind": ("refund", "is no kind of payment, expected payment, overpayment or prepayment")},
    "journals": {name: _DOCUMENT[name] for name in ("posting_status", "currency_iso", "exchange_rate")},
    "refunds_erp": {name: _DOCUMENT[name] for name in ("posting_status", "currency_iso", "amount")},
    "allocations": {
        "owner_kind": (
            "line",
            "owns no allocations, expected invoice, credit_note, payment, overpayment, prepayment, journal or refund",
        ),
        "from_kind": (
            "discount",
            "is nothing that pays, expected payment, credit_note, journal, overpayment, prepayment, deposit"
            " or invoice_deposit",
        ),
        "to_kind": (
            "credit_note",
            "is nothing that can be settled, expected invoice, journal, refund or finance_charge",
        ),
        "ordinal": (0, "is no place in a list, expected 1 or more"),
    },
    "psp_customers": {"metadata": ("[]", _OBJECT)},
    "payment_intents": _CHARGED,
    "charges": {
        **_CHARGED,
        "surcharge_amount": (Decimal("-2.75"), _NEGATIVE),
        "provider": ("cheque", "is no payment provider, expected stripe"),
        "invoices_source_ids": ('["a\\u0000"]', _LIST),
        "invoices_refs": ("{}", _LIST),
    },
    "refunds": _CHARGED,
    "disputes": {**_CHARGED, "balance_transactions": ("txn_1", _LIST)},
    "payouts": {"currency_iso": ("usd", _CURRENCY), "metadata": ("null", _OBJECT)},
    "payout_members": {"currency_iso": ("EURO", _CURRENCY)},
    "balance_transactions": {
        "currency_iso": ("USDX", _CURRENCY),
        "charge_currency_iso": ("eur", _CURRENCY),
        "exchange_rate": (
            Decimal(0),
            "is no rate, expected units of the balance for one unit charged, more than 0",
        ),
    },
    "fee_details": {"currency_iso": ("XXX", _CURRENCY), "ordinal": (0, "is no place in a list, expected 1 or more")},
    "balance_snapshots": {"currency_iso": ("us", _CURRENCY)},
    "bank_accounts": {"currency_iso": ("eu", _CURRENCY)},
    "bank_statements": {
        "currency_iso": ("Euro", _CURRENCY),
        "kind": ("camt.053", "is no kind of statement, expected statement, report or notification"),
        "entries": (-1, "is no number of entries, expected 0 or more"),
    },
    "bank_lines": {
        "currency_iso": ("usd", _CURRENCY),
        "currency_instructed_iso": ("XTS", _CURRENCY),
        "words": ("{}", _LIST),
        "file_line": (0, "is no line of a file, expected 1 or more"),
    },
}
_EACH = [(entity, column) for entity, columns in BROKEN.items() for column in columns]


def _judged(*payloads: dict[str, list[Row]]) -> Normalised:
    """What is left of a block when a normaliser says this."""
    block = said(*payloads)
    return normalise_block(lambda _extract, _table: block, "things", block.payloads)


def _reasons(judged: Normalised) -> list[tuple[int, str | None, str]]:
    return [(one.line, one.source_id, one.reason) for one in judged.quarantined]


def _shown(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def test_every_rule_is_broken_below() -> None:
    assert {entity: set(columns) for entity, columns in BROKEN.items()} == {
        entity: set(rules) for entity, rules in VALUE_RULES.items()
    }


@pytest.mark.parametrize(("entity", "column"), _EACH)
def test_a_payload_with_a_value_that_breaks_a_rule_is_set_aside_whole(entity: str, column: str) -> None:
    value, told = BROKEN[entity][column]
    good, bad = valid_row(entity), valid_row(entity, **{column: value})
    beside = {"contact_links": [valid_row("contact_links")]}
    judged = _judged({entity: [good]}, {entity: [bad], **beside}, {entity: [good], **beside})
    assert _reasons(judged) == [(2, "p2", f"{column} '{_shown(value)}' of {entity} {told}")]
    assert judged.payloads["line"].to_pylist() == [1, 3]
    assert judged.rows[entity]["line"].to_pylist() == [1, 3]
    assert judged.rows["contact_links"]["line"].to_pylist() == [3]


@pytest.mark.parametrize("entity", list(RECORD_TABLES))
def test_what_must_be_there_is_enough(entity: str) -> None:
    judged = _judged({entity: [valid_row(entity)]})
    assert judged.quarantined == []
    validate(entity, judged.rows[entity])


@pytest.mark.parametrize(
    ("entity", "cells"),
    [
        ("invoices", {"amount": Decimal(0), "balance": Decimal(-5), "currency_iso": None}),
        ("invoices", {"amount": Decimal(1), "balance": Decimal(2), "exchange_rate": Decimal("0.000001")}),
        ("payments", {"kind": "prepayment", "balance": Decimal(-1), "extra": '{"unread_links": ["a \\\\u0000"]}'}),
        ("journals", {"amount": Decimal(-10), "currency_iso": "JPY"}),
        ("invoices", {"currency_iso": "HRK"}),  # withdrawn: documents of before are in it
        ("allocations", {"amount": Decimal(-1), "ordinal": 1, "from_kind": "journal", "to_kind": "journal"}),
        ("payouts", {"amount": Decimal(-100), "status": "unheard_of"}),
        ("balance_transactions", {"amount": Decimal(-1), "fee": Decimal(-15), "net": Decimal(14), "type": "new"}),
        ("customers", {"balance_stated": Decimal(-1), "country_iso": "somewhere", "email": "nobody"}),
    ],
    ids=[
        "overpaid",
        "balance above amount",
        "on account",
        "credit line",
        "withdrawn",
        "between journals",
        "taken from the bank",
        "fee that came back",
        "descriptive",
    ],
)
def test_what_the_model_allows_is_no_fault(entity: str, cells: Row) -> None:
    assert _judged({entity: [valid_row(entity, **cells)]}).quarantined == []


def test_all_that_is_wrong_is_told_at_once() -> None:
    links = [valid_row("allocations", source_id=str(number), from_kind=f"fee{number}") for number in range(9)]
    bad = {"payments": [valid_row("payments", kind="cash", currency_iso="usd")], "allocations": links}
    ((line, _, reason),) = _reasons(_judged(bad))
    assert line == 1
    told = reason.split("; ")
    assert sorted(part.split()[0] for part in told[:2]) == ["currency_iso", "kind"]
    assert [part.split()[1] for part in told[2:5]] == ["'fee0'", "'fee1'", "'fee2'"]
    assert told[5] == "and 6 more"


def test_a_fault_that_many_rows_share_is_told_once() -> None:
    links = [valid_row("allocations", source_id=str(number), to_kind="bill") for number in range(9)]
    ((_, _, reason),) = _reasons(_judged({"allocations": links}))
    assert reason.count("bill") == 1


def test_a_long_value_is_cut_and_what_cannot_be_printed_is_escaped() -> None:
    ((_, _, reason),) = _reasons(_judged({"accounts": [valid_row("accounts", currency_iso="\x1b" + "X" * 500)]}))
    assert reason == f"currency_iso '\\x1b{'X' * 78}…' of accounts {_CURRENCY}"


def test_what_cannot_be_stored_is_told_before_what_is_not_valid() -> None:
    both = valid_row("invoices", ref="a\0b", currency_iso="usd")
    ((_, _, reason),) = _reasons(_judged({"invoices": [both]}))
    assert reason.startswith("ref holds a NUL character")


@pytest.mark.parametrize("entity", list(RECORD_TABLES))
def test_words_codes_rates_and_objects_have_a_rule(entity: str) -> None:
    expected = {
        name
        for name, cell in RECORD_TABLES[entity].columns.items()
        if name.endswith(("_status", "kind", "currency_iso")) or cell in {Cell.RATE, Cell.COUNT, Cell.JSON}
    } - _STATED
    assert expected <= set(VALUE_RULES.get(entity, {}))


@pytest.mark.parametrize("entity", list(RECORD_TABLES))
def test_the_models_say_what_the_tables_say(entity: str) -> None:
    table, model = RECORD_TABLES[entity], MODELS[entity]
    assert list(model.columns) == table.schema.names
    assert {name for name, column in model.columns.items() if not column.nullable} == {
        "line",
        "source_id",
        *table.required,
    }
    assert {name for name, column in model.columns.items() if column.checks} == set(VALUE_RULES.get(entity, {}))
    rows = said({entity: [valid_row(entity)]}).rows[entity]
    validate(entity, rows)
    with pytest.raises(SchemaErrors, match="COLUMN_NOT_IN_SCHEMA"):
        validate(entity, rows.append_column("another", pa.array(["a"])))
    with pytest.raises(SchemaErrors, match="WRONG_DATATYPE"):
        validate(entity, rows.set_column(0, "line", pa.array([1], pa.int64())))
    for name in table.required:
        empty = pa.nulls(1, rows[name].type)
        with pytest.raises(SchemaErrors, match="SERIES_CONTAINS_NULLS"):
            validate(entity, rows.set_column(rows.schema.get_field_index(name), name, empty))


def test_a_rule_that_cannot_be_looked_at_is_no_fault_of_the_payload() -> None:
    rows = pa.table({"line": [1], "source_id": ["1"], "home_currency_iso": ["USD"]})
    assert list(broken_rules("ledger_units", rows)) == []
    text = pa.table({name: ["1"] for name in RECORD_TABLES["refunds_erp"].schema.names})
    with pytest.raises(SchemaErrors, match="CHECK_ERROR"):
        list(broken_rules("refunds_erp", text))


@pytest.mark.parametrize(
    ("text", "storable"),
    [
        ("{}", True),
        ('{"a": [1, {"b": null}], "c": "\\u00e9 \\ud83d\\ude00"}', True),
        ('{"a": "\\\\u0000"}', True),
        ('{"a": "\\u0000"}', False),
        ('{"\\\\\\u0000": 1}', False),
        ('{"a": "\\ud800"}', False),
        ('{"a": NaN}', False),
        ('{"a": 1e999}', False),
        ('{"a": 1', False),
        ('"a"', False),
        ("null", False),
        ("", False),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, False),
    ],
)
def test_objects_that_the_database_takes(text: str, storable: bool) -> None:
    assert is_storable_object(text) is storable
    cells = pa.table({"metadata": pa.array([text, '{"a": "b"}', text])})
    assert [row for row, _ in broken_rules("psp_customers", cells)] == ([] if storable else [0, 2])


_PIECES = (
    '"',
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    ", ",
    ": ",
    "\x01",
    "\n",
    "0",
    "01",
    "-1.5",
    "1e9",
    "é",
    '"a"',
    "null",
    "NaN",
)


@given(st.lists(st.sampled_from(_PIECES), max_size=9).map("".join))
def test_texts_that_are_looked_at_together_are_judged_as_one_by_one(text: str) -> None:
    schema = RECORD_TABLES["charges"].schema
    cells = {name: pa.nulls(1, schema.field(name).type) for name in VALUE_RULES["charges"]}
    judged = {"metadata": f'{{"a": {text}}}', "invoices_refs": f"[{text}]"}
    table = pa.table(cells | {name: pa.array([cell]) for name, cell in judged.items()})
    passing = {"metadata": is_storable_object, "invoices_refs": is_storable_list}
    expected = {name for name, cell in judged.items() if not passing[name](cell)}
    assert {name for _, name in broken_rules("charges", table)} == expected
