"""Accounts at a provider in which something odd happened that is no error, and errors beside it, worked out by hand.

As provider_cases.py: what must come of payouts and charges. No assertions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.provider_cases import OK, Played, of_items, of_ledger, same, stage
from tests.provider_rows import AT, Account, Ledger

SECOND = timedelta(seconds=1)


def partial_captures() -> Played:
    """70.00 of 100.00 is captured: as a row of 70.00; as 100.00 and 30.00 back, which is no refund; then 20.00 is."""
    account, ledger = Account(), Ledger()
    part: dict[str, Any] = {"amount_captured": "70.00", "amount_refunded": "30.00"}
    account.charge("ch_1", "100.00", row=False, **part)
    account.row("txn_ch_1", "charge", "70.00", "2.33", **_made_by("ch_1"))
    account.refund("re_1", "ch_1", "30.00", balance_transaction_source_id=None)  # what was not captured was let go
    del account.records["balance_transactions", "txn_re_1"]
    for name, fee in (("ch_2", "2.33"), ("ch_3", "2.33")):
        account.charge(name, "100.00", fee, **part)
        account.refund(f"re_{name}", name, "30.00")
        account.say("balance_transactions", f"txn_re_{name}", reporting_category="partial_capture_reversal")
    account.refund("re_3", "ch_3", "20.00")
    for name, applied in (("ch_1", "70.00"), ("ch_2", "70.00"), ("ch_3", "70.00")):
        ledger.payment(f"P-{name}", "70.00", applied, psp_reference=f"K-{name}")
    rows = ("txn_ch_1", "txn_ch_2", "txn_re_ch_2", "txn_ch_3", "txn_re_ch_3", "txn_re_3")
    account.payout("po_1", "183.01", *rows)  # 3 x 67.67 - 20.00
    charges = {"ch_1": "reconciled", "ch_2": "reconciled", "ch_3": "refund_not_in_ledger"}
    return Played(account, ledger, {"po_1": OK}, charges)


def let_go() -> Played:
    """Two authorisations of 10.00 were let go: the ledger voided its payment of the one, and shows the other."""
    account, ledger = Account(), Ledger()
    for name, status in (("ch_1", "voided"), ("ch_2", "posted")):
        account.charge(name, "10.00", row=False, is_captured=False, amount_captured="0", amount_refunded="10.00")
        account.refund(f"re_{name}", name, "10.00", balance_transaction_source_id=None)
        del account.records["balance_transactions", f"txn_re_{name}"]
        ledger.payment(f"P-{name}", "10.00", psp_reference=f"K-{name}", posting_status=status)
    return Played(account, ledger, {}, {"ch_1": "failed", "ch_2": "failed_but_paid"})


def failed_without_payment() -> Played:
    """A debit of 1,000.00 was paid out and failed before the ledger had a payment of it: nobody has to book one."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "1000.00", "5.00", status="failed", failure_balance_transaction_source_id="txn_back")
    account.row(
        "txn_back", "payment_failure_refund", "-1000.00", reporting_category="charge_failure", **_made_by("ch_1")
    )
    account.payout("po_1", "995.00", "txn_ch_1")
    account.payout("po_2", "-1000.00", "txn_back")
    return Played(account, ledger, {"po_1": OK, "po_2": OK}, {"ch_1": "failed"})


def refunds() -> Played:
    """30.00, 20.00 and 50.00 of 100.00 go back, each in a payout of its own; the last one fails after its payout."""
    account, ledger = stage()[0], Ledger()
    ledger.payment("P1", "100.00", "50.00", psp_reference="K-ch_1")
    account.payout("po_1", "96.80", "txn_ch_1")
    for number, amount in enumerate(("30.00", "20.00", "50.00"), 2):
        account.refund(f"re_{number}", "ch_1", amount)
        account.payout(f"po_{number}", f"-{amount}", f"txn_re_{number}")
    account.say("refunds", "re_4", status="failed", failure_balance_transaction_source_id="txn_back")
    account.row("txn_back", "refund_failure", "50.00", source_kind="refund", source_object_id="re_4")
    account.payout("po_5", "50.00", "txn_back")
    return Played(account, ledger, dict.fromkeys(("po_1", "po_2", "po_3", "po_4", "po_5"), OK), {"ch_1": "reconciled"})


def odd_disputes() -> Played:
    """40.00 of 100.00 is lost; of two disputes of one charge the first is won, the second lost; a word nobody knows.

    A dispute whose word nobody knows counts once it has taken money, and no longer when it gave it back.
    """
    account, ledger = Account(), Ledger()
    applied = {"ch_part": "60.00", "ch_twice": "0", "ch_new": "100.00", "ch_back": "100.00", "ch_fee": "100.00"}
    for name, used in applied.items():
        account.charge(name, "100.00", "3.20")
        ledger.payment(f"P-{name}", "100.00", used, psp_reference=f"K-{name}")
    account.dispute("dp_part", "ch_part", "40.00", "lost")
    account.dispute("dp_1", "ch_twice", "100.00", "won")
    account.dispute("dp_2", "ch_twice", "100.00", "lost")
    account.dispute("dp_new", "ch_new", "100.00", "new_word", balance_transactions='["txn_a"]')
    account.dispute("dp_back", "ch_back", "100.00", "new_word", balance_transactions='["txn_a", "txn_b"]')
    account.dispute("dp_fee", "ch_fee", "100.00", "won")
    fee = {"source_kind": "dispute", "source_object_id": "dp_fee"}
    account.row("txn_out", "adjustment", "-100.00", "15.00", reporting_category="dispute", **fee)
    account.row("txn_in", "adjustment", "100.00", reporting_category="dispute_reversal", **fee)
    account.row("txn_fee", "stripe_fee", "15.00", reporting_category="fee")  # it came back by itself
    account.payout("po_1", "0.00", "txn_out", "txn_in", "txn_fee")
    told = dict.fromkeys(applied, "reconciled") | {"ch_new": "dispute_not_in_ledger"}
    return Played(account, ledger, {"po_1": OK}, told)


def lines_without_charges() -> Played:
    """What a platform's balance has beside charges; an instant payout for a fee of 0.60 is an item of the next.

    96.80 + 10.00 + 5.00 - 1.00 - 50.00 + 20.00 - 3.00 - 40.60 = 37.20.
    """
    account, ledger = stage()
    account.row("txn_topup", "topup", "10.00")
    account.row("txn_earned", "application_fee", "5.00", reporting_category="platform_earning")
    account.row("txn_given", "application_fee_refund", "-1.00", reporting_category="platform_earning_refund")
    account.row("txn_sent", "transfer", "-50.00")
    account.row("txn_back", "transfer_refund", "20.00", reporting_category="transfer_reversal")
    account.row("txn_kept", "reserved_funds", "-3.00", reporting_category="connect_reserved_funds")
    account.payout("po_now", "40.00", method="instant", is_automatic=False, reconciliation_status="not_applicable")
    account.say("balance_transactions", "txn_po_now", fee="0.60", net="-40.60")
    account.fees["txn_po_now"] = [{"amount": Decimal("0.60"), "currency_iso": "USD"}]
    rows = ("txn_topup", "txn_earned", "txn_given", "txn_sent", "txn_back", "txn_kept", "txn_po_now")
    account.payout("po_1", "37.20", "txn_ch_1", *rows)
    return Played(account, ledger, {"po_now": same("not_itemisable"), "po_1": OK}, {"ch_1": "reconciled"})


def never_itemised() -> Played:
    """An automatic payout of which the provider says that it will not be itemised: nobody has to wait."""
    account, ledger = stage()
    account.payout("po_1", "96.80", reconciliation_status="not_applicable")
    return Played(account, ledger, {"po_1": same("not_itemisable")}, {"ch_1": "reconciled"})


def foreign_currencies() -> Played:
    """USD in an account of EUR, yen without decimals, dinars with three; refunds and a failed one by the same rate."""
    account, ledger = Account(currency="EUR"), Ledger()
    rows = []
    for name, amount, currency, net in (
        *(("ch_usd", "12.34", "USD", "10.00"), ("ch_jpy", "1500", "JPY", "9.30"), ("ch_kwd", "5.120", "KWD", "15.36")),
    ):
        account.charge(name, amount, row=False, currency_iso=currency)
        account.row(f"txn_{name}", "charge", net, **_made_by(name), charge_amount=amount, charge_currency_iso=currency)
        rows.append(f"txn_{name}")
        ledger.payment(f"P-{name}", amount, "0" if name == "ch_jpy" else None, psp_reference=f"K-{name}",
                       currency_iso=currency)  # fmt: skip
    account.refund("re_1", "ch_jpy", "1500", currency_iso="JPY")
    account.say("balance_transactions", "txn_re_1", amount="-9.30", net="-9.30")
    account.refund("re_2", "ch_usd", "5.00", currency_iso="USD", status="failed",
                   failure_balance_transaction_source_id="txn_back")  # fmt: skip
    account.say("balance_transactions", "txn_re_2", amount="-4.05", net="-4.05")
    account.row("txn_back", "refund_failure", "4.05", source_kind="refund", source_object_id="re_2")
    account.payout("po_1", "25.36", *rows, "txn_re_1", "txn_re_2", "txn_back")
    return Played(account, ledger, {"po_1": OK}, dict.fromkeys(("ch_usd", "ch_jpy", "ch_kwd"), "reconciled"))


def nothing_is_left() -> Played:
    """A payout of 0.00, whose rows come to nothing; one of nothing but its own row, which states 5.00."""
    account, ledger = Account(), Ledger()
    account.row("txn_1", "adjustment", "7.00", reporting_category="other_adjustment")
    account.row("txn_2", "adjustment", "-7.00", reporting_category="other_adjustment")
    account.payout("po_1", "0.00", "txn_1", "txn_2")
    account.payout("po_2", "5.00")
    told = {"po_1": OK, "po_2": of_items("amount_mismatch")}
    return Played(account, ledger, told, {}, [("po_2", "sum_differs", "")])


def almost_the_same_reference() -> Played:
    """A reference is the same to the letter: capitals and blanks count."""
    account, ledger = Account(), Ledger()
    for name, ref in (("ch_1", "k-CH_1"), ("ch_2", "K-ch_2 "), ("ch_3", "K-ch_3")):
        account.charge(name, "10.00")
        ledger.payment(f"P-{name}", "10.00", ref=ref)
    account.charge("ch_4", "10.00", own_reference=" ")
    ledger.payment("P-blank", "10.00", ref=" ")
    return Played(account, ledger, {}, {"ch_1": "no_payment", "ch_2": "no_payment", "ch_3": "reconciled",
                                        "ch_4": "no_payment"})  # fmt: skip


def split_in_two_currencies() -> Played:
    """1,000.00 = 600.00 + 400.00, of which the 400.00 are euros in the ledger."""
    account, ledger = Account(), Ledger()
    account.charge("ch_1", "1000.00", "29.30")
    ledger.payment("P1", "600.00", psp_reference="K-ch_1")
    ledger.payment("P2", "400.00", psp_reference="K-ch_1", currency_iso="EUR")
    account.payout("po_1", "970.70", "txn_ch_1")
    told = {"po_1": of_ledger("currency_mismatch")}
    return Played(account, ledger, told, {"ch_1": "currency_mismatch"}, [("po_1", "payment_currency", "txn_ch_1")])


def at_midnight() -> Played:
    """The cut-over is the beginning of the day in UTC: a second before is before, the second itself is not."""
    account, ledger = Account(), Ledger()
    day = datetime(2026, 2, 2, tzinfo=AT.tzinfo)
    for name, at in (("ch_0", day - SECOND), ("ch_1", day)):
        account.charge(name, "100.00", "3.20", created_at=at)
        ledger.payment(f"P-{name}", "100.00", psp_reference=f"K-{name}")
        account.payout(f"po_{name}", "96.80", f"txn_{name}")
    told = {"po_ch_0": of_ledger("blocked_before_cutover"), "po_ch_1": OK}
    return Played(account, ledger, told, {"ch_0": "before_cutover", "ch_1": "reconciled"},
                  [("po_ch_0", "before_cutover", "")], {"cutover": date(2026, 2, 2)})  # fmt: skip


def fees_in_another_currency() -> Played:
    """A fee of USD 3.20 that is said to be made of EUR 3.20 is not proven."""
    account, ledger = stage()
    account.fees["txn_ch_1"] = [{"amount": Decimal("3.20"), "currency_iso": "EUR"}]
    account.payout("po_1", "96.80", "txn_ch_1")
    told = {"po_1": of_items("fee_mismatch")}
    return Played(account, ledger, told, {"ch_1": "reconciled"}, [("po_1", "fee_details", "txn_ch_1")])


def unknown_within_what_ties() -> Played:
    """A row of nobody knows what, in a payout that ties to the cent; a new type of a known category blocks nothing."""
    account, ledger = stage()
    account.row("txn_x", "network_cost", "0.00", reporting_category="new_word")
    account.row("txn_y", "network_cost", "-1.00", reporting_category="fee")
    account.payout("po_1", "96.80", "txn_ch_1", "txn_x")
    account.payout("po_2", "-1.00", "txn_y")
    told = {"po_1": of_items("blocked_unknown_category"), "po_2": OK}
    return Played(account, ledger, told, {"ch_1": "reconciled"}, [("po_1", "unknown_category", "txn_x")])


def other_currency_within() -> Played:
    """A row of EUR -5.00 is listed twice in a payout of USD: nothing of it is set off against dollars."""
    account, ledger = stage()
    account.row("txn_eur", "stripe_fee", "-5.00", reporting_category="fee", currency_iso="EUR")
    account.payout("po_1", "101.80", "txn_ch_1", "txn_eur")
    account.member("po_1", "txn_eur", 2)
    told = [("po_1", "doubled", "txn_eur"), ("po_1", "item_currency", "txn_eur"), ("po_1", "item_currency", "txn_eur")]
    told.append(("po_1", "sum_differs", ""))
    return Played(account, ledger, {"po_1": of_items("currency_mismatch")}, {"ch_1": "reconciled"}, told)


#: Gross and fee of charges that are published beside an open model of Stripe's data; the first is a payout by itself.
SEEDS = (
    *(("193.50", "5.91"), ("20400.00", "591.90"), ("1175.24", "34.38"), ("72393.75", "2099.72"), ("2553.60", "74.35")),
    *(("4387.50", "127.54"), ("35199.60", "1373.08"), ("74999.99", "2175.30")),
)


def published_charges() -> Played:
    """193.50 less 5.91 is a payout of 187.59, whose own row is -187.59; seven others come to 204,633.41."""
    account, ledger = Account(), Ledger()
    for number, (gross, fee) in enumerate(SEEDS):
        account.charge(f"ch_{number}", gross, fee)
        ledger.payment(f"P{number}", gross, psp_reference=f"K-ch_{number}")
    account.payout("po_1", "187.59", "txn_ch_0")
    account.payout("po_2", "204633.41", *(f"txn_ch_{number}" for number in range(1, len(SEEDS))))
    charges = {f"ch_{number}": "reconciled" for number in range(len(SEEDS))}
    return Played(account, ledger, {"po_1": OK, "po_2": OK}, charges)


def published_objects() -> Played:
    """A transfer of -4.00; a payout of 11.00 whose own row is said to be a charge's of 1.00, and that has no other."""
    account, ledger = Account(), Ledger()
    account.row("txn_transfer", "transfer", "-4.00")
    account.payout("po_1", "-4.00", "txn_transfer")
    account.charge("ch_1", "1.00")
    ledger.payment("P1", "1.00", psp_reference="K-ch_1")
    account.payout("po_2", "11.00", "txn_ch_1", status="in_transit", balance_transaction_source_id="txn_ch_1")
    for entity, name in (("payout_members", "po_2|txn_po_2"), ("balance_transactions", "txn_po_2")):
        del account.records[entity, name]
    exceptions = [("po_2", "own_row", "txn_ch_1"), ("po_2", "sum_differs", "")]
    told = {"po_1": OK, "po_2": of_items("amount_mismatch")}
    return Played(account, ledger, told, {"ch_1": "reconciled"}, exceptions)


def _made_by(charge: str) -> dict[str, Any]:
    return {"source_kind": "charge", "source_object_id": charge, "charge_source_id": charge}


_ALL = (
    *(partial_captures, let_go, failed_without_payment, refunds, odd_disputes, lines_without_charges, never_itemised),
    *(foreign_currencies, nothing_is_left, almost_the_same_reference, split_in_two_currencies, at_midnight),
    *(fees_in_another_currency, unknown_within_what_ties, other_currency_within, published_charges),
    published_objects,
)
ODD_CASES: dict[str, Callable[[], Played]] = {case.__name__: case for case in _ALL}
