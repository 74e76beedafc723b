"""Rows of a balance that no compared payout holds, on PostgreSQL: what is wrong with them is named."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from kolleno_pipelines.pipeline.report_columns import report_columns
from kolleno_pipelines.pipeline.reports import asks_for_somebody, report
from tests.provider_changes import two_payouts
from tests.provider_rows import AT, HOUR, TODAY, Account, Ledger, Provider, exceptions, reconcile
from tests.receivables_rows import rows

Change = Callable[[Account], None]
ROWS = "balance_transactions"


def played() -> tuple[Account, Ledger]:
    """In no payout are charges of 30.00 and 8.00, of which 5.00 goes and returns, a dispute, a fee and two payouts.

    One was made by hand, one was taken back: their own rows and the row that gave it back. Then the balance is stated.
    """
    account, ledger = two_payouts()
    account.charge("ch_6", "8.00", "0.53")
    ledger.payment("P-ch_6", "8.00", "0", psp_reference="K-ch_6")
    account.refund("re_2", "ch_5", "5.00", status="failed", failure_balance_transaction_source_id="txn_back")
    account.row("txn_back", "refund_failure", "5.00", source_kind="refund", source_object_id="re_2")
    account.row("txn_fee", "stripe_fee", "-2.00")
    account.dispute("dp_1", "ch_6", "8.00", "needs_response")
    account.row("txn_dp_1", "adjustment", "-8.00", "15.00", reporting_category="dispute", source_kind="dispute",
                source_object_id="dp_1")  # fmt: skip
    account.payout("po_hand", "10.00", is_automatic=False, reconciliation_status="not_applicable")
    account.payout("po_back", "50.00", status="failed", failure_balance_transaction_source_id="txn_in")
    account.row("txn_in", "payout_failure", "50.00", source_kind="payout", source_object_id="po_back")
    stated = sum(row["net"] for (entity, _), row in account.records.items() if entity == ROWS)
    account.snapshot("bal_1", AT + 72 * HOUR, str(stated))
    return account, ledger


def _alter(row: str, **more: str) -> Change:
    def change(account: Account) -> None:
        known = account.records[ROWS, row]
        account.say(ROWS, row, **{name: known[name] + Decimal(amount) for name, amount in more.items()})

    return change


def _drop(row: str) -> Change:
    def change(account: Account) -> None:
        del account.records[ROWS, row]

    return change


def _double(row: str, twin: str = "txn_z") -> Change:
    def change(account: Account) -> None:
        account.records[ROWS, twin] = account.records[ROWS, row] | {"source_id": twin}
        account.fees[twin] = account.fees[row]

    return change


#: Name: change, and what is told of which row.
CHANGES: dict[str, tuple[Change, list[tuple[str, str, str]]]] = {
    "untouched": (lambda _: None, []),
    "charge_altered": (_alter("txn_ch_5", amount="0.01", net="0.01"), [("source_differs", "txn_ch_5", "-0.01")]),
    "refund_altered": (_alter("txn_re_2", amount="0.01", net="0.01"), [("source_differs", "txn_re_2", "-0.01")]),
    "payout_altered": (_alter("txn_po_hand", amount="1", net="1"), [("source_differs", "txn_po_hand", "-1")]),
    "return_altered": (_alter("txn_in", amount="1", net="1"), [("source_differs", "txn_in", "-1")]),
    "net_altered": (_alter("txn_dp_1", net="1"), [("net_differs", "txn_dp_1", "-1")]),
    "fee_altered": (
        _alter("txn_ch_5", fee="0.01"),
        [("fee_details", "txn_ch_5", "0.01"), ("fee_differs", "txn_ch_5", "-0.01")],
    ),
    "fee_and_net": (_alter("txn_ch_5", fee="0.01", net="-0.01"), [("fee_details", "txn_ch_5", "0.01")]),
    "charge_dropped": (_drop("txn_ch_5"), [("dropped", "txn_ch_5", "30")]),
    "refund_dropped": (_drop("txn_re_2"), [("dropped", "txn_re_2", "-5")]),
    "failure_dropped": (_drop("txn_back"), [("dropped", "txn_back", "5")]),
    "payout_dropped": (_drop("txn_po_hand"), [("dropped", "txn_po_hand", "-10")]),
    "return_dropped": (_drop("txn_in"), [("dropped", "txn_in", "50")]),
    "fee_dropped": (_drop("txn_fee"), []),  # nothing names it: the proof alone tells
    "charge_doubled": (_double("txn_ch_5"), [("doubled", "txn_z", "-28.83")]),
    "charge_doubled_before": (_double("txn_ch_5", "txn_a"), [("doubled", "txn_a", "-28.83")]),
    "paid_out_doubled": (_double("txn_ch_2"), [("doubled", "txn_z", "-19.12")]),
    "fee_doubled": (_double("txn_fee"), [("doubled", "txn_z", "2")]),
    "dispute_doubled": (_double("txn_dp_1"), [("doubled", "txn_z", "23")]),
}


def test_every_quiet_change_of_a_row_in_no_payout_names_it(database: str) -> None:
    for name, (change, _) in CHANGES.items():
        account, ledger = played()
        account.name, ledger.name = name, f"{name}_qb"
        change(account)
        account.fold(database, ledger=ledger.name)
        ledger.fold(database)
    providers = {name: Provider(name, f"{name}_qb") for name in CHANGES}
    reconcile(database, *providers.values())
    for name, (_, wanted) in CHANGES.items():
        assert _wrong_rows(database, name) == [(*one[:2], Decimal(one[2])) for one in wanted], name
        assert exceptions(database, name) == [], name
    differs = "SELECT connection FROM reconciliation.balance_proofs WHERE is_break"
    quiet = {"untouched", "fee_altered"}  # a fee alone moves no money
    assert {one[0] for one in rows(database, differs)} == CHANGES.keys() - quiet
    _look_at_the_report(database, providers)


def _wrong_rows(url: str, connection: str) -> list[tuple[object, ...]]:
    columns = "code, balance_transaction_source_id, amount"
    query = f"SELECT {columns} FROM reporting.balance_exceptions WHERE connection = %s ORDER BY 1"
    return rows(url, query, connection)


def _look_at_the_report(url: str, providers: dict[str, Provider]) -> None:
    shown = report("balance-proofs", url, {}, TODAY, providers=providers)
    assert list(shown[0]) == report_columns("balance-proofs")
    (told,) = [one for row in shown if row["connection"] == "charge_dropped" for one in row["exceptions"]]
    assert told["evidence"] == (
        "ch_5 names the row, which comes to USD 30.00 less its fee, and the balance's list does not have it."
    )
    assert sum(len(row["exceptions"]) for row in shown) == sum(len(wanted) for _, wanted in CHANGES.values())
    only_fee = [row for row in shown if row["connection"] == "fee_altered"]
    assert asks_for_somebody("balance-proofs", only_fee, url)


def test_two_rows_alike_are_no_break_where_the_balance_ties(database: str) -> None:
    """Two captures of one charge come to the same, and the balance has both."""
    account, ledger = played()
    _double("txn_ch_5")(account)
    stated = account.records["balance_snapshots", "bal_1:USD"]["available"]
    account.snapshot("bal_1", AT + 72 * HOUR, str(stated + account.records[ROWS, "txn_z"]["net"]))
    account.fold(database)
    ledger.fold(database)
    reconcile(database)
    assert _wrong_rows(database, "stripe") == []


def test_several_at_once_are_all_named_and_go_when_they_are_put_right(database: str) -> None:
    account, ledger = played()
    _drop("txn_ch_5")(account)
    _double("txn_ch_6")(account)
    _alter("txn_re_2", amount="0.01", net="0.01")(account)
    ledger.fold(database)
    account.fold(database)
    reconcile(database)
    told = [one[:2] for one in _wrong_rows(database, "stripe")]
    assert told == [("doubled", "txn_z"), ("dropped", "txn_ch_5"), ("source_differs", "txn_re_2")]
    right, _ = played()
    account.records |= right.records
    account.version = 2
    account.fold(database)
    reconcile(database)
    assert [one[:2] for one in _wrong_rows(database, "stripe")] == [("doubled", "txn_z")]
