"""Quiet changes of what an account says, on PostgreSQL: each is named with its row, and two at once are both."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations_with_replacement

from tests.provider_cases import stage
from tests.provider_changes import (
    Change,
    altered,
    altered_in_both,
    charge_altered,
    doubled,
    doubled_under_another_id,
    dropped,
    dropped_from_both,
    exchange,
    fee_in_both,
    fee_in_one,
    in_both,
    moved,
    own_row_dropped,
    payout_altered,
    refund_dropped_from_both,
    two_payouts,
)
from tests.provider_rows import Provider, exceptions, payout_outcomes, reconcile
from tests.receivables_rows import rows

TAMPERS: dict[Change, list[tuple[str, str, str, str]]] = {
    own_row_dropped: [("po_1", "not_in_balance", "txn_po_1", "-125.33")],
    altered: [("po_1", "altered", "txn_ch_2", "-1")],
    altered_in_both: [("po_1", "source_differs", "txn_ch_2", "-1")],
    charge_altered: [("po_1", "source_differs", "txn_ch_2", "0.01")],
    dropped: [("po_1", "dropped", "txn_ch_2", "19.12")],
    dropped_from_both: [("po_1", "dropped", "txn_ch_2", "19.12")],
    refund_dropped_from_both: [("po_2", "dropped", "txn_re_1", "-5")],
    doubled: [("po_1", "doubled", "txn_ch_2", "-19.12")],
    doubled_under_another_id: [("po_1", "doubled", "txn_a", "-19.12")],
    moved: [("po_1", "moved", "txn_ch_2", "19.12"), ("po_2", "moved", "txn_ch_2", "-19.12")],
    in_both: [("po_1", "in_two_payouts", "txn_ch_2", "-19.12"), ("po_2", "in_two_payouts", "txn_ch_2", "-19.12")],
    fee_in_one: [("po_1", "altered", "txn_ch_2", "-0.01")],
    fee_in_both: [("po_1", "fee_details", "txn_ch_2", "0.01")],
    payout_altered: [("po_1", "own_row", "txn_po_1", "0.01")],
}


def test_every_quiet_change_names_its_item(database: str) -> None:
    providers = {}
    for change in TAMPERS:
        account, ledger = two_payouts()
        account.name = ledger.name = change.__name__
        ledger.name += "_qb"
        change(account)
        account.fold(database, ledger=ledger.name)
        ledger.fold(database)
        providers[change] = Provider(account.name, ledger.name)
    account, ledger = two_payouts()
    account.fold(database)
    ledger.fold(database)
    reconcile(database, Provider(), *providers.values())
    assert exceptions(database) == []
    assert set(payout_outcomes(database).values()) == {("reconciled",) * 3}
    for change, wanted in TAMPERS.items():
        name = change.__name__
        assert exceptions(database, name) == [(*one[:3], Decimal(one[3])) for one in wanted], name
        touched = {one[0] for one in wanted}
        assert {po for po, told in payout_outcomes(database, name).items() if told[0] != "reconciled"} == touched, name


def test_a_gap_asks_what_made_its_rows(database: str) -> None:
    """EUR 10.00 at 1.234 is 12.34, and both lists say 12.35; a dispute of 100.00 of which both say 99.00 was taken."""
    account, ledger = stage()
    account.charge("ch_eur", "10.00", row=False, currency_iso="EUR")
    made_by = {"source_kind": "charge", "source_object_id": "ch_eur", "charge_source_id": "ch_eur"}
    account.row("txn_eur", "charge", "12.35", exchange_rate=Decimal("1.234"), **made_by)
    ledger.payment("P2", "10.00", psp_reference="K-ch_eur", currency_iso="EUR")
    account.charge("ch_kept", "20.00", row=False, currency_iso="EUR")
    account.row("txn_kept", "charge", "24.68", exchange_rate=Decimal("1.234"),
                **made_by | {"source_object_id": "ch_kept", "charge_source_id": "ch_kept"})  # fmt: skip
    ledger.payment("P3", "20.00", psp_reference="K-ch_kept", currency_iso="EUR")
    account.payout("po_1", "133.82", "txn_ch_1", "txn_eur", "txn_kept")
    account.dispute("dp_1", "ch_1", "100.00", "won")
    disputed = {"source_kind": "dispute", "source_object_id": "dp_1"}
    account.row("txn_out", "adjustment", "-99.00", "15.00", reporting_category="dispute", **disputed)
    account.payout("po_2", "-115.00", "txn_out")
    account.row("txn_in", "adjustment", "100.00", reporting_category="dispute_reversal", **disputed)
    account.payout("po_3", "100.00", "txn_in")
    account.fold(database)
    ledger.fold(database)
    reconcile(database)
    assert exceptions(database) == [
        ("po_1", "source_differs", "txn_eur", Decimal("-0.01")),
        ("po_2", "source_differs", "txn_out", -1),
    ]
    told = rows(database, "SELECT evidence FROM reconciliation.payout_exceptions ORDER BY 1")
    assert told[0][0].endswith("row txn_out says 1.00 more than dp_1, which made it.")


def test_two_quiet_changes_of_one_payout_are_both_named(database: str) -> None:
    """Of rows txn_ch_2 and txn_ch_3, which are in one payout: changes that show in its sum."""
    makes = [altered_in_both, charge_altered, dropped, dropped_from_both, doubled_under_another_id]
    makes += [moved, in_both, payout_altered]
    pairs = {f"{one.__name__}_{other.__name__}": (one, other) for one, other in combinations_with_replacement(makes, 2)}
    for name, (one, other) in pairs.items():
        account, ledger = two_payouts()
        exchange(account)
        one(account)  # of txn_ch_3, as it is called then
        exchange(account)
        other(account)
        account.name, ledger.name = name, f"{name}_qb"
        account.fold(database, ledger=ledger.name)
        ledger.fold(database)
    reconcile(database, *(Provider(name, f"{name}_qb") for name in pairs))
    missed = []
    for name, (one, other) in pairs.items():
        named = {exception[2] for exception in exceptions(database, name)}
        wanted = [_item_of(one, 3), _item_of(other, 2)]
        missed += [(name, item, exceptions(database, name)) for item in wanted if item not in named]
    assert missed == []


def _item_of(change: Change, number: int) -> str:
    if change is doubled_under_another_id:
        return "txn_a" if number == 2 else f"txn_a{number}"
    return "txn_po_1" if change is payout_altered else f"txn_ch_{number}"


def test_a_payout_by_hand_that_no_list_has_explains_the_next_one(database: str) -> None:
    """Of 96.80 10.00 are paid out by hand, which is a row of the automatic payout of 86.80; both lists lack it."""
    account, ledger = stage()
    account.payout("po_hand", "10.00", is_automatic=False, reconciliation_status="not_applicable")
    account.payout("po_1", "86.80", "txn_ch_1")
    del account.records["balance_transactions", "txn_po_hand"]
    account.fold(database)
    ledger.fold(database)
    reconcile(database)
    assert exceptions(database) == [("po_1", "dropped", "txn_po_hand", -10)]
    ((evidence,),) = rows(database, "SELECT evidence FROM reconciliation.payout_exceptions")
    assert evidence == (
        "The payout is USD 86.80, its items come to 96.80: row txn_po_hand is neither in it nor in the balance's list."
    )
