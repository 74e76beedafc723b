"""Accounts at a provider, one for each outcome of a payout, with figures worked out by hand. No assertions.

A card costs 2.9 % + 0.30. Each case returns what must come of its payouts (outcome, items leg, ledger leg) and of its
charges, and which exceptions there are (payout, code, item).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.provider_rows import AT, Account, Ledger

OK = ("reconciled",) * 3
DAY = timedelta(days=1)


@dataclass
class Played:
    """A case that was played: its two sides, and what must be found."""

    account: Account
    ledger: Ledger
    payouts: dict[str, tuple[str, str, str]]
    charges: dict[str, str]
    exceptions: list[tuple[str, str, str]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)


def stage() -> tuple[Account, Ledger]:
    """An account with charge ch_1 of 100.00 less 3.20, of which the ledger has payment P1."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "100.00", "3.20")
    ledger.payment("P1", "100.00", psp_reference="K-ch_1")
    return account, ledger


def same(outcome: str) -> tuple[str, str, str]:
    return outcome, outcome, outcome


def of_items(outcome: str) -> tuple[str, str, str]:
    return outcome, outcome, "reconciled"


def of_ledger(outcome: str) -> tuple[str, str, str]:
    return outcome, "reconciled", outcome


def reconciled() -> Played:
    """100.00, 1,000.00 = 600.00 + 400.00, and 102.75 of which 2.75 is a surcharge: 96.80 + 970.70 + 99.47."""
    account, ledger = stage()
    account.charge("ch_2", "1000.00", "29.30")
    ledger.payment("P2", "600.00", ref="K-ch_2")
    ledger.payment("P3", "400.00", psp_reference="K-ch_2")
    account.charge("ch_3", "102.75", "3.28", surcharge_amount="2.75")
    ledger.payment("P4", "100.00", psp_reference="K-ch_3")
    account.payout("po_1", "1166.97", "txn_ch_1", "txn_ch_2", "txn_ch_3")
    return Played(account, ledger, {"po_1": OK}, dict.fromkeys(("ch_1", "ch_2", "ch_3"), "reconciled"))


def fallback() -> Played:
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "250.00", "7.55", is_own=False, own_reference=None)
    ledger.payment("P1", "250.00", extra='{"stripe id": "ch_1"}')
    account.payout("po_1", "242.45", "txn_ch_1")
    found = "reconciled_with_fallback"
    return Played(account, ledger, {"po_1": of_ledger(found)}, {"ch_1": found},
                  settings={"payout_charge_id_field": "extra.stripe id"})  # fmt: skip


def fallback_is_off() -> Played:
    played = fallback()
    played.settings.clear()
    played.payouts = {"po_1": of_ledger("blocked_unknown_member")}
    played.charges = {"ch_1": "no_payment"}
    played.exceptions = [("po_1", "no_payment", "txn_ch_1")]
    return played


def pending() -> Played:
    """One that is not itemised yet, one whose list was not read."""
    account, ledger = stage()
    account.payout("po_1", "96.80", "txn_ch_1", reconciliation_status="in_progress")
    account.payout("po_2", "50.00")
    del account.records["payout_members", "po_2|txn_po_2"]
    return Played(account, ledger, dict.fromkeys(("po_1", "po_2"), same("pending")), {"ch_1": "reconciled"})


def not_itemisable() -> Played:
    account, ledger = stage()
    account.payout("po_1", "40.00", is_automatic=False, reconciliation_status="not_applicable")
    account.payout("po_2", "50.00", method="instant")
    told = dict.fromkeys(("po_1", "po_2"), same("not_itemisable"))
    # The row of a payout by hand is an item of the next automatic one.
    account.payout("po_3", "56.80", "txn_ch_1", "txn_po_1")
    return Played(account, ledger, told | {"po_3": OK}, {"ch_1": "reconciled"})


def reversed_() -> Played:
    """A payout that came back is an item of the next."""
    account, ledger = stage()
    account.payout("po_1", "96.80", "txn_ch_1", status="failed", failure_balance_transaction_source_id="txn_back")
    account.row("txn_back", "payout_failure", "96.80", reporting_category="payout_reversal")
    account.payout("po_2", "96.80", "txn_back")
    account.payout("po_3", "1.00", status="canceled")
    account.payout("po_4", "2.00", reversed_by_source_id="po_5")
    told = dict.fromkeys(("po_1", "po_3", "po_4"), same("reversed"))
    return Played(account, ledger, told | {"po_2": OK}, {"ch_1": "reconciled"})


def before_cutover() -> Played:
    """One of the day before the cut-over blocks all; that the ledger knows nothing of it is told of no row."""
    account, ledger = stage()
    account.charge("ch_0", "300.00", "9.00", created_at=AT - DAY)
    account.payout("po_1", "387.80", "txn_ch_0", "txn_ch_1")
    return Played(account, ledger, {"po_1": of_ledger("blocked_before_cutover")},
                  {"ch_0": "before_cutover", "ch_1": "reconciled"}, [("po_1", "before_cutover", "")],
                  {"cutover": date(2026, 2, 2)})  # fmt: skip


def unknown_category() -> Played:
    account, ledger = stage()
    account.row("txn_x", "network_cost", "-1.23")
    account.row("txn_y", "network_cost", "-1.00", reporting_category=None)
    account.payout("po_1", "94.57", "txn_ch_1", "txn_x", "txn_y")
    told = [("po_1", "unknown_category", name) for name in ("txn_x", "txn_y")]
    return Played(account, ledger, {"po_1": of_items("blocked_unknown_category")}, {"ch_1": "reconciled"}, told)


def unknown_member() -> Played:
    """A row that the balance does not know; a charge and a refund's charge that nobody knows; one without payment."""
    account, ledger = stage()
    account.charge("ch_2", "80.00", "2.62")
    account.payout("po_1", "174.18", "txn_ch_1", "txn_ch_2")
    account.row("txn_3", "charge", "10.00", source_kind="charge", source_object_id="ch_x", charge_source_id="ch_x")
    account.payout("po_2", "10.00", "txn_3")
    account.row("txn_4", "refund", "-5.00", source_kind="refund", source_object_id="re_x")
    account.payout("po_3", "-5.00", "txn_4")
    account.payout("po_4", "7.00")
    account.member("po_4", "txn_gone", type="charge", reporting_category="charge", amount="7.00", fee="0", net="7.00",
                   currency_iso="USD")  # fmt: skip
    found = "blocked_unknown_member"
    told = {"po_1": of_ledger(found), "po_2": of_ledger(found), "po_3": of_ledger(found), "po_4": of_items(found)}
    exceptions = [
        *(("po_1", "no_payment", "txn_ch_2"), ("po_2", "unknown_charge", "txn_3")),
        *(("po_3", "unknown_charge", "txn_4"), ("po_4", "not_in_balance", "txn_gone")),
    ]
    return Played(account, ledger, told, {"ch_1": "reconciled", "ch_2": "no_payment"}, exceptions)


def currency_mismatch() -> Played:
    """An item of another currency; a payment of another currency."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "100.00", "3.20")
    ledger.payment("P1", "100.00", psp_reference="K-ch_1", currency_iso="EUR")
    account.payout("po_1", "96.80", "txn_ch_1")
    account.row("txn_2", "stripe_fee", "-1.00", reporting_category="fee", currency_iso="EUR")
    account.payout("po_2", "0.00", "txn_2")
    told = {"po_1": of_ledger("currency_mismatch"), "po_2": of_items("currency_mismatch")}
    exceptions = [("po_1", "payment_currency", "txn_ch_1"), ("po_2", "item_currency", "txn_2")]
    return Played(account, ledger, told, {"ch_1": "currency_mismatch"}, exceptions)


def foreign_currency() -> Played:
    """EUR 10.00 becomes USD 12.34 less 0.66: the ledger's payment is EUR 10.00, the payout USD 11.68."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "10.00", row=False, currency_iso="EUR")
    account.row("txn_ch_1", "charge", "12.34", "0.66", source_kind="charge", source_object_id="ch_1",
                charge_source_id="ch_1", charge_amount="10.00", charge_currency_iso="EUR")  # fmt: skip
    ledger.payment("P1", "10.00", psp_reference="K-ch_1", currency_iso="EUR")
    account.payout("po_1", "11.68", "txn_ch_1")
    return Played(account, ledger, {"po_1": OK}, {"ch_1": "reconciled"})


def payments_of_a_charge() -> Played:
    """99.00 for 100.00; one payment for two charges."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "100.00", "3.20")
    ledger.payment("P1", "99.00", psp_reference="K-ch_1")
    account.payout("po_1", "96.80", "txn_ch_1")
    for name in ("ch_2", "ch_3"):
        account.charge(name, "50.00", "1.75", own_reference="K-shared")
    ledger.payment("P2", "50.00", psp_reference="K-shared")
    account.payout("po_2", "96.50", "txn_ch_2", "txn_ch_3")
    told = dict.fromkeys(("po_1", "po_2"), of_ledger("amount_mismatch"))
    exceptions = [("po_1", "payments_sum", "txn_ch_1"), ("po_2", "payment_shared", "txn_ch_2")]
    exceptions.append(("po_2", "payment_shared", "txn_ch_3"))
    charges = {"ch_1": "amount_mismatch", "ch_2": "payment_shared", "ch_3": "payment_shared"}
    return Played(account, ledger, told, charges, exceptions)


def failed_attempt_before() -> Played:
    """The same reference was tried before: the payment stands for the charge that took the money."""
    account, ledger = stage()
    account.charge("ch_0", "100.00", row=False, status="failed", own_reference="K-ch_1", is_captured=False)
    account.payout("po_1", "96.80", "txn_ch_1")
    return Played(account, ledger, {"po_1": OK}, {"ch_0": "failed", "ch_1": "reconciled"})


def fee_mismatch() -> Played:
    """Both lists say a fee of 3.21 and a net of 96.79; what it is made of comes to 3.20."""
    account, ledger = stage()
    account.say("balance_transactions", "txn_ch_1", fee="3.21", net="96.79")
    account.payout("po_1", "96.79", "txn_ch_1")
    told = [("po_1", "fee_details", "txn_ch_1")]
    return Played(account, ledger, {"po_1": of_items("fee_mismatch")}, {"ch_1": "reconciled"}, told)


def holds() -> Played:
    """1,000 less a minimum of 100 is a payout of 900; the 100 come back by the next."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "1000.00")
    ledger.payment("P1", "1000.00", psp_reference="K-ch_1")
    for kind, amount in (("hold", "-100.00"), ("release", "100.00")):
        account.row(f"txn_{kind}", f"payout_minimum_balance_{kind}", amount)
    account.payout("po_1", "900.00", "txn_ch_1", "txn_hold")
    account.payout("po_2", "100.00", "txn_release")
    return Played(account, ledger, {"po_1": OK, "po_2": OK}, {"ch_1": "reconciled"})


def partial_refunds() -> Played:
    """30.00 and 20.00 of 100.00 are refunded, 40.00 of another come back: 50.00 and 100.00 stay applied."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "100.00", "3.20")
    ledger.payment("P1", "100.00", "50.00", psp_reference="K-ch_1")
    account.refund("re_1", "ch_1", "30.00")
    account.refund("re_2", "ch_1", "20.00")
    account.charge("ch_2", "100.00", "3.20")
    ledger.payment("P2", "100.00", psp_reference="K-ch_2")
    account.refund("re_3", "ch_2", "40.00", status="failed", failure_balance_transaction_source_id="txn_back")
    account.row("txn_back", "refund_failure", "40.00", source_kind="refund", source_object_id="re_3")
    account.payout("po_1", "143.60", "txn_ch_1", "txn_re_1", "txn_re_2", "txn_ch_2", "txn_re_3", "txn_back")
    return Played(account, ledger, {"po_1": OK}, dict.fromkeys(("ch_1", "ch_2"), "reconciled"))


def disputes() -> Played:
    """Won: nothing is to be unapplied. Lost, and unapplied or not. An inquiry. 115.00 goes and comes."""
    account, ledger = Account(), Ledger()
    applied = {"ch_won": "100.00", "ch_lost": "0", "ch_late": "100.00", "ch_asked": "100.00"}
    statuses = {"ch_won": "won", "ch_lost": "lost", "ch_late": "lost", "ch_asked": "warning_closed"}
    rows = []
    for name, used in applied.items():
        account.charge(name, "100.00", "3.20")
        ledger.payment(f"P-{name}", "100.00", used, psp_reference=f"K-{name}")
        account.dispute(f"dp_{name}", name, "100.00", statuses[name])
        rows.append(f"txn_{name}")
    source = {"source_kind": "dispute", "source_object_id": "dp_ch_won"}
    account.row("txn_out", "adjustment", "-100.00", "15.00", reporting_category="dispute", **source)
    account.row("txn_in", "adjustment", "100.00", "-15.00", reporting_category="dispute_reversal", **source)
    account.payout("po_1", "387.20", *rows, "txn_out", "txn_in")
    charges = dict.fromkeys(applied, "reconciled") | {"ch_late": "dispute_not_in_ledger"}
    return Played(account, ledger, {"po_1": OK}, charges)


def late_failures() -> Played:
    """A debit fails after its payout: as a failure of the charge, and as a dispute for insufficient funds."""
    account, ledger = Account(), Ledger()
    for name, used in (("ch_1", "0"), ("ch_2", "1000.00"), ("ch_3", "1000.00")):
        account.charge(name, "1000.00", "5.00")
        ledger.payment(f"P-{name}", "1000.00", used, psp_reference=f"K-{name}")
    for name in ("ch_1", "ch_2"):
        back = account.row(f"txn_back_{name}", "payment_failure_refund", "-1000.00", "4.00",
                           reporting_category="charge_failure")  # fmt: skip
        account.say("charges", name, status="failed", failure_balance_transaction_source_id=back)
    account.dispute("dp_3", "ch_3", "1000.00", "lost", reason="insufficient_funds")
    account.row("txn_dp_3", "adjustment", "-1000.00", "15.00", reporting_category="dispute", source_kind="dispute",
                source_object_id="dp_3")  # fmt: skip
    account.payout("po_1", "2985.00", "txn_ch_1", "txn_ch_2", "txn_ch_3")
    account.payout("po_2", "-3023.00", "txn_back_ch_1", "txn_back_ch_2", "txn_dp_3")
    late = "failure_not_in_ledger"
    return Played(account, ledger, {"po_1": OK, "po_2": OK}, {"ch_1": "reconciled", "ch_2": late, "ch_3": late})


def charges_alone() -> Played:
    """What took no money: failed, failed yet in the ledger, not certain, authorised, released."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "10.00", row=False, status="failed", is_captured=False)
    account.charge("ch_2", "10.00", row=False, status="failed", is_captured=False)
    ledger.payment("P2", "10.00", psp_reference="K-ch_2")
    account.charge("ch_3", "10.00", row=False, status="pending")
    account.charge("ch_4", "10.00", row=False, is_captured=False, amount_captured="0")
    account.charge("ch_5", "10.00", row=False, is_captured=False, amount_captured="0", amount_refunded="10.00")
    account.charge("ch_6", "10.00", row=False, amount_captured="7.00")
    ledger.payment("P6", "7.00", psp_reference="K-ch_6")
    account.charge("ch_7", "10.00", row=False)
    ledger.payment("P7", "10.00", psp_reference="K-ch_7", posting_status="voided")
    account.charge("ch_8", "10.00", row=False)
    ledger.payment("P8", "10.00", psp_reference="K-ch_8")
    account.refund("re_8", "ch_8", "10.00")
    told = {"ch_1": "failed", "ch_2": "failed_but_paid", "ch_3": "pending", "ch_4": "pending", "ch_5": "failed"}
    told |= {"ch_6": "reconciled", "ch_7": "no_payment", "ch_8": "refund_not_in_ledger"}
    return Played(account, ledger, {}, told)


_ALL = (
    *(reconciled, fallback, fallback_is_off, pending, not_itemisable, reversed_, before_cutover, unknown_category),
    *(unknown_member, currency_mismatch, foreign_currency, payments_of_a_charge, failed_attempt_before),
    *(fee_mismatch, holds, partial_refunds, disputes, late_failures, charges_alone),
)
CASES: dict[str, Callable[[], Played]] = {case.__name__: case for case in _ALL}
