"""Charges and payouts on PostgreSQL: every outcome, every quiet change named, nothing of one account in another."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest

from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges, reconcile_payouts
from kolleno_pipelines.pipeline.report_columns import report_columns
from kolleno_pipelines.pipeline.reports import asks_for_somebody, report
from kolleno_pipelines.storage import charges, results
from kolleno_pipelines.storage.working_tables import working_tables
from tests.provider_cases import CASES, stage
from tests.provider_rows import (
    AT,
    HOUR,
    TODAY,
    Account,
    Ledger,
    Provider,
    charge_outcomes,
    exceptions,
    payout_outcomes,
    reconcile,
)
from tests.receivables_rows import Connection, rows

RESULTS = ("charges", "payouts", "payout_lines", "payout_exceptions", "balance_proofs", "differences")


def test_every_outcome_in_an_account_of_its_own(database: str) -> None:
    """All in one database, with the same ids: what one account says must not show in another."""
    played = {name: play() for name, play in CASES.items()}
    providers = []
    for name, case in played.items():
        case.account.name, case.ledger.name = f"stripe_{name}", f"qb_{name}"
        case.account.fold(database, ledger=case.ledger.name)
        case.ledger.fold(database)
        providers.append(Provider(case.account.name, case.ledger.name, **case.settings))
    reconcile(database, *providers)
    for name, case in played.items():
        assert payout_outcomes(database, case.account.name) == case.payouts, name
        assert charge_outcomes(database, case.account.name) == case.charges, name
        found = [one[:3] for one in exceptions(database, case.account.name)]
        assert found == sorted(case.exceptions), name
    untied = rows(
        database,
        "SELECT p.connection, p.source_id FROM reconciliation.payouts p"
        " LEFT JOIN reconciliation.payout_lines l ON l.payout_source_id = p.source_id AND l.connection = p.connection"
        " AND l.currency_iso = p.currency_iso GROUP BY p.connection, p.source_id, p.items_net, p.items, p.outcome"
        " HAVING COALESCE(sum(l.net), 0) <> p.items_net OR COALESCE(sum(l.items), 0) > p.items"
        " OR p.outcome <> 'fee_mismatch' AND sum(l.net) <> sum(l.amount) - sum(l.fee)",
    )
    assert untied == []


def test_the_table_from_gross_to_net(database: str) -> None:
    case = CASES["disputes"]()
    case.account.fold(database)
    case.ledger.fold(database)
    reconcile(database)
    lines = rows(database, "SELECT line, items, amount, fee, net FROM reconciliation.payout_lines ORDER BY 1")
    assert lines == [("charges", 4, 400, Decimal("12.8"), Decimal("387.2")), ("disputes", 2, 0, 0, 0)]


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


def _altered(account: Account) -> None:
    account.say("payout_members", "po_1|txn_ch_2", amount="21.00", net="20.12")


def _altered_in_both(account: Account) -> None:
    for entity, name in (("payout_members", "po_1|txn_ch_2"), ("balance_transactions", "txn_ch_2")):
        account.say(entity, name, amount="21.00", net="20.12")


def _charge_altered(account: Account) -> None:
    account.say("charges", "ch_2", amount="20.01")


def _dropped(account: Account) -> None:
    del account.records["payout_members", "po_1|txn_ch_2"]


def _dropped_from_both(account: Account) -> None:
    _dropped(account)
    del account.records["balance_transactions", "txn_ch_2"]


def _refund_dropped_from_both(account: Account) -> None:
    del account.records["payout_members", "po_2|txn_re_1"]
    del account.records["balance_transactions", "txn_re_1"]


def _doubled(account: Account) -> None:
    account.member("po_1", "txn_ch_2", 2)


def _doubled_under_another_id(account: Account) -> None:
    account.records["balance_transactions", "txn_a"] = account.records["balance_transactions", "txn_ch_2"] | {
        "source_id": "txn_a"
    }
    account.fees["txn_a"] = account.fees["txn_ch_2"]
    account.member("po_1", "txn_a")


def _moved(account: Account) -> None:
    _dropped(account)
    account.member("po_2", "txn_ch_2")


def _in_both(account: Account) -> None:
    account.member("po_2", "txn_ch_2")


def _fee_in_one(account: Account) -> None:
    account.say("balance_transactions", "txn_ch_2", fee="0.89", net="19.11")


def _fee_in_both(account: Account) -> None:
    for entity, name in (("payout_members", "po_1|txn_ch_2"), ("balance_transactions", "txn_ch_2")):
        account.say(entity, name, fee="0.89", net="19.11")


def _payout_altered(account: Account) -> None:
    account.say("payouts", "po_1", amount="125.34")


TAMPERS: dict[Change, list[tuple[str, str, str, str]]] = {
    _altered: [("po_1", "altered", "txn_ch_2", "-1")],
    _altered_in_both: [("po_1", "source_differs", "txn_ch_2", "-1")],
    _charge_altered: [("po_1", "source_differs", "txn_ch_2", "0.01")],
    _dropped: [("po_1", "dropped", "txn_ch_2", "19.12")],
    _dropped_from_both: [("po_1", "dropped", "txn_ch_2", "19.12")],
    _refund_dropped_from_both: [("po_2", "dropped", "txn_re_1", "-5")],
    _doubled: [("po_1", "doubled", "txn_ch_2", "19.12")],
    _doubled_under_another_id: [("po_1", "doubled", "txn_a", "-19.12")],
    _moved: [("po_1", "moved", "txn_ch_2", "19.12"), ("po_2", "moved", "txn_ch_2", "-19.12")],
    _in_both: [("po_1", "in_two_payouts", "txn_ch_2", "19.12"), ("po_2", "in_two_payouts", "txn_ch_2", "19.12")],
    _fee_in_one: [("po_1", "altered", "txn_ch_2", "-0.01")],
    _fee_in_both: [("po_1", "fee_details", "txn_ch_2", "0.01")],
    _payout_altered: [("po_1", "own_row", "txn_po_1", "0.01"), ("po_1", "sum_differs", "", "0.01")],
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


def test_a_rerun_changes_no_row_and_what_is_put_right_goes(database: str) -> None:
    account, ledger = two_payouts()
    _doubled(account)
    account.charge("ch_9", "12.00", "0.65")
    account.snapshot("b1", AT + 30 * HOUR, "10.00")  # ch_9 left 11.35, all else is paid out
    account.fold(database)
    ledger.fold(database)
    providers = {"stripe": Provider()}
    found = {one.result: one for one in reconcile_present(database, {"qb": Connection("qb")}, TODAY, providers)}
    assert found["differences"].counts["open"] == 3
    before = {table: stored(database, table) for table in RESULTS}
    again = reconcile_present(database, {"qb": Connection("qb")}, TODAY, providers)
    assert {one.result: (one.changes.written, one.changes.deleted) for one in again} == dict.fromkeys(found, (0, 0))
    assert {table: stored(database, table) for table in RESULTS} == before
    kinds = "SELECT kind, left_source_id, right_source_id, amount, status, evidence ->> 'says' FROM"
    told = rows(database, f"{kinds} reconciliation.differences ORDER BY 1")
    assert [one[:5] for one in told] == [
        ("balance_proof", "USD", "b1:USD", Decimal("1.35"), "open"),
        ("charge", "ch_9", "", 12, "open"),
        ("payout", "po_1", "txn_ch_2", Decimal("19.12"), "open"),
    ]
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM receivables.payout_members WHERE source_id = 'po_1|txn_ch_2#2'")
    reconcile_present(database, {"qb": Connection("qb")}, TODAY, providers)
    assert rows(database, "SELECT kind FROM reconciliation.differences WHERE status = 'resolved'") == [("payout",)]


def stored(url: str, table: str) -> list[tuple[object, ...]]:
    return sorted(rows(url, f"SELECT xmin::text, * FROM reconciliation.{table}"), key=str)


def test_reports_nest_lines_and_exceptions(database: str) -> None:
    account, ledger = two_payouts()
    _fee_in_both(account)
    account.charge("ch_9", "12.00", "0.65")
    account.fold(database)
    ledger.fold(database)
    providers = {"stripe": Provider()}
    for compute in (reconcile_charges, reconcile_payouts):
        compute(database, providers, TODAY)
    shown = {name: report(name, database, {}, TODAY, providers=providers) for name in ("charges", "payouts")}
    for name, listed in shown.items():
        assert list(listed[0]) == report_columns(name)
        assert asks_for_somebody(name, listed, database)
    first, second = shown["payouts"]
    assert (first["source_id"], first["outcome"], first["amount"]) == ("po_1", "amount_mismatch", "125.33")
    ((told),) = first["exceptions"]
    assert (told["code"], told["amount"], told["charge_source_id"]) == ("fee_details", "0.01", "ch_2")
    assert second["lines"] == [
        {"line": "charges", "items": 1, "amount": "50.00", "fee": "1.75", "net": "48.25", "currency_iso": "USD"},
        {"line": "refunds", "items": 1, "amount": "-5.00", "fee": "0.00", "net": "-5.00", "currency_iso": "USD"},
    ]
    assert [(one["outcome"], one["charges"], len(one["breaks"])) for one in shown["charges"]] == [
        ("no_payment", 1, 1),
        ("reconciled", 5, 0),
    ]
    views = ("charges", "payouts", "payout_items", "payout_lines", "payout_exceptions", "balance_proofs")
    counted = {view: rows(database, f"SELECT count(*) FROM reporting.{view}")[0][0] for view in views}
    assert counted == {"charges": 6, "payouts": 2, "payout_items": 5, "payout_lines": 3, "payout_exceptions": 1,
                       "balance_proofs": 1}  # fmt: skip
    commented = "SELECT count(*) FROM pg_class WHERE relnamespace = 'reporting'::regnamespace AND relkind = 'v'"
    assert rows(database, f"{commented} AND obj_description(oid) IS NULL") == [(0,)]


@pytest.mark.parametrize("newest", ["txn_ch_2", None])
def test_the_balance_is_proven_by_its_snapshots(database: str, newest: str | None) -> None:
    """Rows of 96.80 and 19.12; in the snapshot's second a third of 9.41 that came after the newest row it names."""
    account, ledger = stage()
    account.charge("ch_2", "20.00", "0.88")
    account.charge("ch_3", "10.00", "0.59")
    account.say("balance_transactions", "txn_ch_2", created_at=AT + HOUR)
    account.say("balance_transactions", "txn_ch_3", created_at=AT + HOUR)
    account.row("txn_other", "reserve_hold", "-1.00", balance_type="risk_reserved")
    named = {"newest_balance_transaction_source_id": newest}
    account.snapshot("b0", AT + HOUR / 2, "96.80")
    account.snapshot("b1", AT + HOUR, "100.00", "15.92" if newest else "25.33", **named)
    account.snapshot("b2", AT + 2 * HOUR, "125.33")
    account.snapshot("b3", AT + 3 * HOUR, "125.34")
    euros = Account(currency="EUR")
    euros.row("txn_eur", "topup", "5.00")
    account.records |= euros.records
    account.fold(database)
    ledger.fold(database)
    reconcile(database)
    found = rows(
        database,
        "SELECT currency_iso, source_id, outcome, rows, difference, is_break FROM reconciliation.balance_proofs"
        " ORDER BY 1, taken_at NULLS FIRST",
    )
    assert found == [
        ("EUR", "", "no_snapshot", 1, None, False),
        ("USD", "b0:USD", "tied", 1, 0, False),
        ("USD", "b1:USD", "tied", 2 if newest else 3, 0, False),
        ("USD", "b2:USD", "tied", 3, 0, False),
        ("USD", "b3:USD", "differs", 3, Decimal("-0.01"), True),
    ]


def test_charges_are_read_in_parts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    account, ledger = Account(), Ledger()
    for number in range(200):
        account.charge(f"ch_{number}", f"{number + 1}.00")
        if number % 3:
            ledger.payment(f"P{number}", f"{number + 1}.00", psp_reference=f"K-ch_{number}")
    account.fold(database)
    ledger.fold(database)
    monkeypatch.setattr(charges, "PAGES", 1)
    with results.result_transaction(database, ("charges",)) as conn, working_tables(conn):
        charges.lay_out_charges(conn, charges.ChargeSource("stripe", "qb"))
        parts = [part.num_rows for part in charges.charge_facts(conn)]
    assert (len(parts) > 1, sum(parts)) == (True, 200)
    reconcile(database)
    found = charge_outcomes(database)
    assert found == {f"ch_{number}": "reconciled" if number % 3 else "no_payment" for number in range(200)}


def test_unknown_words_are_counted(database: str) -> None:
    case = CASES["unknown_category"]()
    case.account.fold(database)
    case.ledger.fold(database)
    _, counts = reconcile(database)
    assert counts["unknown_rows"] == 2
    assert (counts["unknown: stripe network_cost/"], counts["unknown: stripe network_cost/network_cost"]) == (1, 1)
    assert counts["blocked_unknown_category"] == 1


def test_accounts_of_one_ledger_have_each_their_own(database: str) -> None:
    """Two accounts with the same ids serve one ledger; a third charge's payment is in another ledger alone."""
    for name in ("stripe_eu", "stripe_us"):
        account, _ = stage()
        account.name = name
        account.charge("ch_2", "20.00", "0.88", own_reference=f"K-{name}")
        account.payout("po_1", "115.92", "txn_ch_1", "txn_ch_2")
        account.fold(database)
    ledger = Ledger()
    ledger.payment("P1", "100.00", psp_reference="K-ch_1")
    ledger.payment("P2", "20.00", psp_reference="K-stripe_eu")
    ledger.fold(database)
    other = Ledger("xero")
    other.payment("P3", "20.00", psp_reference="K-stripe_us")
    other.fold(database)
    reconcile(database, Provider("stripe_eu"), Provider("stripe_us"))
    assert charge_outcomes(database, "stripe_eu") == {"ch_1": "reconciled", "ch_2": "reconciled"}
    assert charge_outcomes(database, "stripe_us") == {"ch_1": "reconciled", "ch_2": "no_payment"}
    kept = rows(database, "SELECT connection, xmin::text FROM reconciliation.charges WHERE connection = 'stripe_us'")
    reconcile(database, Provider("stripe_eu", "xero"))
    assert set(charge_outcomes(database, "stripe_eu").values()) == {"no_payment"}
    again = rows(database, "SELECT connection, xmin::text FROM reconciliation.charges WHERE connection = 'stripe_us'")
    assert again == kept
