"""What simple payments of QuickBooks Online settle, column by column: money that pays invoices, as nearly all are.

Simple is a payment whose lines name invoices alone, each once, with amounts that its own money covers: nothing is to be
chosen. It comes out as settlements.py would say, which takes the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kolleno_pipelines.connectors.columns import at, frame, list_rows, pc
from kolleno_pipelines.connectors.quickbooks.settlements import CAP


def settled_with_money(table: pa.Table) -> tuple[pa.Table, Any]:
    """Return the allocations of the simple payments, and which those are (an array of booleans, row by row)."""
    links, is_simple = _links(table)
    is_simple[_rows(links.filter(pc.invert(_is_plain(links))))] = False
    groups = links.group_by(["row", "txn_id"]).aggregate([([], "count_all")])
    is_simple[_rows(groups.filter(pc.greater(groups["count_all"], 1)))] = False
    is_simple &= _is_covered(table, links)
    return _allocations(table, links.filter(pa.array(is_simple[_rows(links)], pa.bool_()))), pa.array(is_simple)


def _links(table: pa.Table) -> tuple[pa.Table, Any]:
    """Return the links of all lines (row of the payment, amount of the line), and which payments have one a line."""
    rows, lines = list_rows(table, "Line")
    of_line, links = list_rows(lines, "LinkedTxn")
    row_of_line = rows.to_numpy()
    is_single = np.ones(table.num_rows, dtype=bool)
    is_single[row_of_line[np.bincount(of_line.to_numpy(), minlength=lines.num_rows) > 1]] = False
    columns = {
        "row": rows.take(of_line),
        "amount": lines["Amount"].take(of_line),
        "kind": links["TxnType"],
        "txn_id": links["TxnId"],
    }
    return pa.table(columns), is_single


def _rows(links: pa.Table) -> Any:
    return links["row"].to_numpy()


def _is_plain(links: pa.Table) -> Any:
    names_invoice = pc.and_(pc.equal(links["kind"], "Invoice"), pc.not_equal(links["txn_id"], ""))
    return pc.fill_null(pc.and_(names_invoice, pc.greater(links["amount"], 0)), False)


def _is_covered(table: pa.Table, links: pa.Table) -> Any:
    """Say which payments have money for all that they settle; one that does not state its money has none."""
    sums = links.group_by("row").aggregate([("amount", "sum")])
    money = pc.subtract(at(table, "TotalAmt"), at(table, "UnappliedAmt"))
    is_covered = money.is_valid().to_numpy(zero_copy_only=False).copy()
    enough = pc.fill_null(pc.less_equal(sums["amount_sum"], money.take(sums["row"].combine_chunks())), False)
    is_covered[_rows(sums.filter(pc.invert(enough)))] = False
    return is_covered


def _allocations(table: pa.Table, links: pa.Table) -> pa.Table:
    row = _rows(links)
    payment, invoice = at(table, "Id").take(links["row"].combine_chunks()), links["txn_id"].combine_chunks()
    ordinal = np.arange(len(row)) - np.searchsorted(row, row) + 1  # the links of a payment stand together, in order
    columns = {
        "line": at(table, "line").take(links["row"].combine_chunks()),
        "source_id": pc.binary_join_element_wise("payment:", payment, "|payment:", payment, "|invoice:", invoice, ""),
        "owner_kind": "payment",
        "owner_source_id": payment,
        "from_kind": "payment",
        "from_source_id": payment,
        "to_kind": "invoice",
        "to_source_id": invoice,
        "ordinal": pa.array(ordinal, pa.int32()),
        "amount": links["amount"],
        "is_inferred": False,
        "beyond_cap": pa.array(ordinal > CAP),
    }
    return frame("allocations", columns, len(row))
