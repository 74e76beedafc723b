"""Payouts as rows from gross to net, for pages, tables and spreadsheets."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kolleno_pipelines.assets.presentation import not_shown
from kolleno_pipelines.cli.provider_tables import OF_SPREADSHEET, gross_to_net_cells, spread_payouts
from kolleno_pipelines.pipeline.provider_reports import gross_to_net


def line(name: str, amount: str, fee: str = "0.00", currency_iso: str = "USD") -> dict[str, Any]:
    net = str(Decimal(amount) - Decimal(fee))
    return {"line": name, "items": 1, "amount": amount, "fee": fee, "net": net, "currency_iso": currency_iso}


def payout(source_id: str, amount: str, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    own = [one for one in lines if one["currency_iso"] == "USD"]
    facts = {
        "connection": "stripe",
        "source_id": source_id,
        "ledger": "books",
        "outcome": "reconciled",
        "items_outcome": "reconciled",
        "ledger_outcome": "reconciled",
        "bank_outcome": "not_compared",
        **dict.fromkeys(
            ("bank_resolver", "bank_connection", "bank_line_source_id", "bank_amount", "bank_currency_iso")
        ),
        "bank_day": None,
        "status": "paid",
        "currency_iso": "USD",
        "amount": amount,
        "items": len(lines),
        "items_net": str(sum((Decimal(one["net"]) for one in own), Decimal(0))),
        "difference": "0.00",
        "fallbacks": 0,
        "date_arrival": "2026-02-05",
        "created_at": "2026-02-04T02:00:00+00:00",
        "lines": list(lines),
        "exceptions": [],
    }
    return facts | more


PAYOUTS = [
    payout("po_1", "1046.80", line("charges", "1100.00", "3.20"), line("transfers", "-50.00")),
    payout("po_2", "400.00", outcome="not_itemisable"),
    payout("po_3", "-30.00", line("refunds", "-30.00"), line("fees", "-1.00", currency_iso="EUR")),
]


def test_a_line_that_no_payout_has_is_no_column_and_what_one_does_not_have_is_nothing() -> None:
    first, by_hand, negative = gross_to_net(PAYOUTS)
    assert list(first) == [
        *("date_arrival", "currency_iso", "charges", "refunds", "transfers", "fees taken off", "payout"),
        *("outcome", "source_id", "connection"),
    ]
    sums = ("charges", "refunds", "transfers", "fees taken off")
    assert [first[name] for name in sums] == [Decimal(1100), None, Decimal(-50), Decimal("-3.20")]
    assert [by_hand[name] for name in sums] == [None] * 4
    assert [negative[name] for name in sums] == [None, Decimal(-30), None, None]
    for row in (first, negative):
        assert sum(row[name] or 0 for name in sums) == row["payout"]


def test_the_items_are_a_column_where_they_are_not_the_payout() -> None:
    (row,) = gross_to_net([payout("po_1", "97.00", line("charges", "100.00", "3.20"))])
    assert (row["items_net"], row["payout"]) == (Decimal("96.80"), Decimal("97.00"))


def test_what_became_of_them_at_the_bank_is_a_column_where_one_is_read() -> None:
    rows = gross_to_net([PAYOUTS[0], payout("po_5", "1.00", bank_outcome="awaiting_bank")])
    assert [row["bank_outcome"] for row in rows] == ["not_compared", "awaiting_bank"]
    assert "bank_outcome" not in gross_to_net([PAYOUTS[0]])[0]


def test_people_read_amounts_with_the_decimals_of_their_currency() -> None:
    yen = payout("po_1", "1200", line("charges", "1200", currency_iso="JPY"), currency_iso="JPY", items_net="1200")
    columns, cells = gross_to_net_cells([*PAYOUTS, yen], thousands=True)
    charges = columns.index("charges")
    assert [row[charges] for row in cells] == ["1,100.00", "", "", "1,200"]
    assert gross_to_net_cells([yen])[1][0][charges] == "1200"
    assert gross_to_net_cells([]) == ((), [])


def test_a_spreadsheet_has_every_line_whatever_the_payouts_have() -> None:
    told = {"code": "sum_differs", "balance_transaction_source_id": ""}
    rows = spread_payouts([*PAYOUTS, payout("po_4", "1.00", exceptions=[told])])
    assert all(list(row) == list(OF_SPREADSHEET) for row in rows)
    assert (rows[0]["charges"], rows[0]["disputes"], rows[0]["fees_taken_off"]) == ("1100.00", "0.00", "-3.20")
    assert [row["exceptions"] for row in rows] == ["", "", "", "sum_differs"]


def test_what_a_table_leaves_out_is_said() -> None:
    assert not_shown("payouts", 1_234, "`kolleno report payouts`") == {
        "payouts not shown": "1,234 more: `kolleno report payouts`"
    }
    assert not_shown("payouts", 0, "elsewhere") == {}
