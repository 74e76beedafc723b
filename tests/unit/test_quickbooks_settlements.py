"""Payments of QuickBooks whose settlements are made column by column come out as those made payment by payment."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.connectors.quickbooks.connector import QUICKBOOKS
from kolleno_pipelines.connectors.quickbooks.money_settlements import settled_with_money
from kolleno_pipelines.connectors.quickbooks.settlements import lines_of, settled_by_lines

Payload = dict[str, Any]

_AMOUNTS = st.sampled_from([0, 0.01, 10, 25.5, 60, -5, None])
_LINKS = st.fixed_dictionaries(
    {"TxnId": st.sampled_from(["1", "2", "3", "", None])},
    optional={"TxnType": st.sampled_from(["Invoice", "Invoice", "Invoice", "CreditMemo", "JournalEntry", "Charge"])},
)
_LINES = st.fixed_dictionaries({}, optional={"Amount": _AMOUNTS, "LinkedTxn": st.lists(_LINKS, max_size=2)})


def _payment(number: int, lines: list[Payload], total: float = 100, unapplied: float = 0) -> Payload:
    return {
        "Id": str(number),
        "MetaData": {"LastUpdatedTime": "2026-02-18T13:13:33-08:00"},
        "CustomerRef": {"value": "7"},
        "TxnDate": "2026-01-20",
        "TotalAmt": total,
        "UnappliedAmt": unapplied,
        "Line": lines,
    }


def _paying(*invoices: tuple[str, float]) -> list[Payload]:
    return [{"Amount": amount, "LinkedTxn": [{"TxnId": invoice, "TxnType": "Invoice"}]} for invoice, amount in invoices]


def _table(payloads: list[Payload]) -> pa.Table:
    raw = io.BytesIO(b"".join(json.dumps(payload).encode() + b"\n" for payload in payloads))
    ((table, unreadable),) = payload_blocks(raw, QUICKBOOKS.extract("payments").schema)
    assert not unreadable
    return table


@example([_paying(("1", 60), ("2", 40))])
@example([_paying(("1", 60), ("1", 40)), [], _paying(("2", 100))])
@given(st.lists(st.lists(_LINES, max_size=3), min_size=1, max_size=4))
def test_columns_say_what_payment_by_payment_says(lines: list[list[Payload]]) -> None:
    table = _table([_payment(number, each) for number, each in enumerate(lines)])

    by_columns, is_simple = settled_with_money(table)

    simple = table.filter(is_simple)
    assert by_columns.to_pylist() == settled_by_lines(simple, lines_of(simple)).to_pylist()
    assert not any(found.unread for found in lines_of(simple))


def test_money_on_invoices_is_simple_and_the_rest_is_not() -> None:
    credit = [*_paying(("1", 60)), {"Amount": 60, "LinkedTxn": [{"TxnId": "9", "TxnType": "CreditMemo"}]}]
    payloads = [
        _payment(1, _paying(("1", 60), ("2", 40))),
        _payment(2, []),
        _payment(3, _paying(("1", 60), ("1", 40))),  # one invoice twice
        _payment(4, _paying(("1", 100.01))),  # more than there is
        _payment(5, credit, total=0),
        _payment(6, _paying(("1", 60)), unapplied=40.01),
    ]

    allocations, is_simple = settled_with_money(_table(payloads))

    assert is_simple.to_pylist() == [True, True, False, False, False, False]
    assert [(row["source_id"], str(row["amount"])) for row in allocations.to_pylist()] == [
        ("payment:1|payment:1|invoice:1", "60.000000"),
        ("payment:1|payment:1|invoice:2", "40.000000"),
    ]


def test_a_payment_that_does_not_state_its_money_is_set_aside_and_the_others_are_not() -> None:
    silent = _payment(1, _paying(("1", 60)))
    del silent["TotalAmt"]
    table = _table([silent, _payment(2, _paying(("2", 60)))])

    said = normalise_block(QUICKBOOKS.normalise, "payments", table)

    assert [payload.source_id for payload in said.quarantined] == ["1"]
    assert said.rows["allocations"]["owner_source_id"].to_pylist() == ["2"]


def test_more_links_than_the_platform_keeps_are_marked() -> None:
    table = _table([_payment(1, _paying(*((str(number), 1) for number in range(1, 18))))])

    allocations, _ = settled_with_money(table)

    assert allocations["ordinal"].to_pylist() == list(range(1, 18))
    assert [row["ordinal"] for row in allocations.to_pylist() if row["beyond_cap"]] == [16, 17]
