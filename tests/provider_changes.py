"""Quiet changes of what an account with two payouts says, each a function, and that account. No assertions."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.provider_cases import stage
from tests.provider_rows import AT, HOUR, Account, Ledger

Change = Callable[[Account], None]


def two_payouts() -> tuple[Account, Ledger]:
    """po_1 = 96.80 + 19.12 + 9.41 = 125.33 and po_2 = 48.25 - 5.00 = 43.25, and 30.00 on its way."""
    account, ledger = stage()
    for name, amount, fee in (("ch_2", "20.00", "0.88"), ("ch_3", "10.00", "0.59"), ("ch_4", "50.00", "1.75"),
                              ("ch_5", "30.00", "1.17")):  # fmt: skip
        account.charge(name, amount, fee)
        ledger.payment(f"P-{name}", amount, "45.00" if name == "ch_4" else None, psp_reference=f"K-{name}")
    account.refund("re_1", "ch_4", "5.00")
    account.payout("po_1", "125.33", "txn_ch_1", "txn_ch_2", "txn_ch_3")
    account.payout("po_2", "43.25", "txn_ch_4", "txn_re_1")
    account.say("balance_transactions", "txn_ch_5", created_at=AT + 48 * HOUR)
    return account, ledger


def _add(account: Account, entity: str, source_id: str, **more: str) -> None:
    row = account.records[entity, source_id]
    account.say(entity, source_id, **{name: row[name] + Decimal(amount) for name, amount in more.items()})


def altered(account: Account) -> None:
    _add(account, "payout_members", "po_1|txn_ch_2", amount="1.00", net="1.00")


def altered_in_both(account: Account) -> None:
    for entity, name in (("payout_members", "po_1|txn_ch_2"), ("balance_transactions", "txn_ch_2")):
        _add(account, entity, name, amount="1.00", net="1.00")


def charge_altered(account: Account) -> None:
    _add(account, "charges", "ch_2", amount="0.01")


def dropped(account: Account) -> None:
    del account.records["payout_members", "po_1|txn_ch_2"]


def dropped_from_both(account: Account) -> None:
    dropped(account)
    del account.records["balance_transactions", "txn_ch_2"]


def refund_dropped_from_both(account: Account) -> None:
    del account.records["payout_members", "po_2|txn_re_1"]
    del account.records["balance_transactions", "txn_re_1"]


def doubled(account: Account) -> None:
    account.member("po_1", "txn_ch_2", 2)


def doubled_under_another_id(account: Account) -> None:
    account.records["balance_transactions", "txn_a"] = account.records["balance_transactions", "txn_ch_2"] | {
        "source_id": "txn_a"
    }
    account.fees["txn_a"] = account.fees["txn_ch_2"]
    account.member("po_1", "txn_a")


def moved(account: Account) -> None:
    dropped(account)
    account.member("po_2", "txn_ch_2")


def in_both(account: Account) -> None:
    account.member("po_2", "txn_ch_2")


def fee_in_one(account: Account) -> None:
    _add(account, "balance_transactions", "txn_ch_2", fee="0.01", net="-0.01")


def fee_in_both(account: Account) -> None:
    for entity, name in (("payout_members", "po_1|txn_ch_2"), ("balance_transactions", "txn_ch_2")):
        _add(account, entity, name, fee="0.01", net="-0.01")


def payout_altered(account: Account) -> None:
    account.say("payouts", "po_1", amount="125.34")


def own_row_dropped(account: Account) -> None:
    del account.records["balance_transactions", "txn_po_1"]


def exchange(account: Account) -> None:
    """Let ch_2 and ch_3 change names, wherever they are named."""
    names = {"ch_2": "ch_3", "ch_3": "ch_2", "txn_a": "txn_a3", "txn_a3": "txn_a"}
    names |= {f"txn_{one}": f"txn_{other}" for one, other in names.items() if one.startswith("ch")}

    def new(cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        parts = (part.partition("#") for part in cell.split("|"))
        return "|".join("".join((names.get(name, name), *again)) for name, *again in parts)

    account.records = {
        (entity, new(source_id)): {name: new(cell) for name, cell in row.items()}
        for (entity, source_id), row in account.records.items()
    }
    account.fees = {new(row): details for row, details in account.fees.items()}
