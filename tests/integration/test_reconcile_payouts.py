"""Charges and payouts on PostgreSQL: every outcome, every quiet change named, nothing of one account in another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import psycopg
import pytest

from kolleno_pipelines.pipeline.acceptance import accept
from kolleno_pipelines.pipeline.reconcile import reconcile_present
from kolleno_pipelines.pipeline.reconcile_payouts import reconcile_charges, reconcile_payouts
from kolleno_pipelines.pipeline.report_columns import report_columns
from kolleno_pipelines.pipeline.reports import asks_for_somebody, report
from kolleno_pipelines.storage import charges, results
from kolleno_pipelines.storage.working_tables import working_tables
from tests.provider_cases import CASES, Played, stage
from tests.provider_changes import doubled, fee_in_both, two_payouts
from tests.provider_odd_cases import ODD_CASES
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


@pytest.mark.parametrize("cases", [CASES, ODD_CASES], ids=["outcomes", "odd"])
def test_every_outcome_in_an_account_of_its_own(database: str, cases: Mapping[str, Callable[[], Played]]) -> None:
    """All in one database, with the same ids: what one account says must not show in another."""
    played = {name: play() for name, play in cases.items()}
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


def test_a_rerun_changes_no_row_and_what_is_put_right_goes(database: str) -> None:
    account, ledger = two_payouts()
    doubled(account)
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
        ("payout", "po_1", "txn_ch_2", Decimal("-19.12"), "open"),
    ]
    assert told[1][5] == "USD 12.00 was taken, and qb has no payment of it with reference K-ch_9."
    with psycopg.connect(database) as conn:
        conn.execute("DELETE FROM receivables.payout_members WHERE source_id = 'po_1|txn_ch_2#2'")
    reconcile_present(database, {"qb": Connection("qb")}, TODAY, providers)
    assert rows(database, "SELECT kind FROM reconciliation.differences WHERE status = 'resolved'") == [("payout",)]


def test_a_break_of_what_went_back_is_what_is_too_much_and_an_acceptance_ends_with_it(database: str) -> None:
    """Of 100.00 that is applied 30.00 are refunded, which somebody accepts; then 20.00 more are."""
    account, ledger = stage()
    account.refund("re_1", "ch_1", "30.00")
    ledger.fold(database)

    def told() -> list[tuple[object, ...]]:
        account.fold(database)
        reconcile_present(database, {"qb": Connection("qb")}, TODAY, {"stripe": Provider()})
        return rows(database, "SELECT break_id, left_source_id, amount, status FROM reconciliation.differences")

    ((break_id, *rest),) = told()
    assert rest == ["ch_1", -30, "open"]
    accept(database, str(break_id), why="the customer keeps it as a credit", by="ana", today=TODAY)
    assert told() == [(break_id, "ch_1", -30, "accepted")]
    account.refund("re_2", "ch_1", "20.00")
    account.version = 2
    assert told() == [(break_id, "ch_1", -50, "reopened")]


def stored(url: str, table: str) -> list[tuple[object, ...]]:
    return sorted(rows(url, f"SELECT xmin::text, * FROM reconciliation.{table}"), key=str)


def test_reports_nest_lines_and_exceptions(database: str) -> None:
    account, ledger = two_payouts()
    fee_in_both(account)
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
    bare = rows(
        database,
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
        " WHERE c.relnamespace = 'reporting'::regnamespace AND c.relname = ANY(%s)"
        " AND col_description(c.oid, a.attnum) IS NULL",
        [*views, "balance_transactions", "balance_exceptions"],
    )
    assert bare == []


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
        ("EUR", "b0:EUR", "differs", 1, 5, True),  # no snapshot lists euros: there are none
        *(("EUR", f"b{number}:EUR", "differs", 1, 5, False) for number in (1, 2, 3)),
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
        account = Account(name)
        account.charge("ch_1", "100.00", "3.20", own_reference=f"K1-{name}")
        account.charge("ch_2", "20.00", "0.88", own_reference=f"K-{name}")
        account.payout("po_1", "115.92", "txn_ch_1", "txn_ch_2")
        account.fold(database)
    ledger = Ledger()
    ledger.payment("P0", "100.00", psp_reference="K1-stripe_eu")
    ledger.payment("P1", "100.00", psp_reference="K1-stripe_us")
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


def test_one_payment_does_not_stand_for_charges_of_two_accounts(database: str) -> None:
    """100.00 was taken in both accounts, and the ledger shows it once; 20.00 failed in one and was taken in the other.

    The third charge was read by both, as they are one account, and found by its id.
    """
    for name, status in (("stripe_eu", "succeeded"), ("stripe_us", "failed")):
        account, _ = stage()
        account.name = name
        account.charge("ch_2", "20.00", row=False, status=status, own_reference="K-2")
        account.charge("ch_3", "30.00", row=False, is_own=False, own_reference=None)
        account.payout("po_1", "96.80", "txn_ch_1")
        account.fold(database)
    ledger = Ledger()
    ledger.payment("P1", "100.00", psp_reference="K-ch_1")
    ledger.payment("P2", "20.00", ref="K-2")
    ledger.payment("P3", "30.00", extra='{"charge": "ch_3"}')
    ledger.fold(database)
    both = [Provider(name, payout_charge_id_field="extra.charge") for name in ("stripe_eu", "stripe_us")]
    reconcile(database, *both)
    shared = {"ch_1": "payment_shared", "ch_3": "payment_shared"}
    assert charge_outcomes(database, "stripe_eu") == shared | {"ch_2": "reconciled"}
    assert charge_outcomes(database, "stripe_us") == shared | {"ch_2": "failed"}
    for name in ("stripe_eu", "stripe_us"):
        assert [one[:3] for one in exceptions(database, name)] == [("po_1", "payment_shared", "txn_ch_1")]
    reconcile(database, both[0], Provider("stripe_us", "xero"))
    assert set(charge_outcomes(database, "stripe_eu").values()) == {"reconciled", "reconciled_with_fallback"}


def test_a_payout_that_fails_after_it_was_reconciled(database: str) -> None:
    """What was told of its items is told no more; its money is a row of the next."""
    account, ledger = two_payouts()
    fee_in_both(account)
    for source in (account, ledger):
        source.fold(database)
    reconcile(database)
    assert {payout: told[0] for payout, told in payout_outcomes(database).items()} == {
        "po_1": "amount_mismatch",
        "po_2": "reconciled",
    }
    account.row("txn_back", "payout_failure", "43.25", reporting_category="payout_reversal")
    account.say("payouts", "po_2", status="failed", failure_balance_transaction_source_id="txn_back")
    account.say("payouts", "po_1", status="failed")
    account.payout("po_3", "43.25", "txn_back")
    account.version = 2
    account.fold(database)
    reconcile(database)
    assert payout_outcomes(database) == dict.fromkeys(("po_1", "po_2"), ("reversed",) * 3) | {
        "po_3": ("reconciled",) * 3
    }
    assert exceptions(database) == []


def test_items_may_come_before_their_payout_and_a_list_in_parts(database: str) -> None:
    account, ledger = two_payouts()
    ledger.fold(database)
    whole = dict(account.records)
    late = {("payouts", "po_1"), ("payout_members", "po_2|txn_re_1")}
    account.records = {key: row for key, row in whole.items() if key not in late}
    account.fold(database)
    reconcile(database)
    assert {payout: told[0] for payout, told in payout_outcomes(database).items()} == {"po_2": "amount_mismatch"}
    assert [one[:3] for one in exceptions(database)] == [("po_2", "dropped", "txn_re_1")]
    account.records = whole
    account.fold(database)
    reconcile(database)
    assert set(payout_outcomes(database).values()) == {("reconciled",) * 3}
    assert exceptions(database) == []


def test_currencies_and_days_before_the_first_snapshot(database: str) -> None:
    """96.80 is of the day before; of euros 5.00 came and went before, and 2.00 came after the first snapshot.

    What the snapshot names as newest is in dollars: of euros in its second, all or none count.
    """
    account, ledger = stage()
    account.charge("ch_2", "20.00", "0.88", created_at=AT + 24 * HOUR)
    account.say("balance_transactions", "txn_ch_2", created_at=AT + 24 * HOUR)
    euros = Account(currency="EUR")
    euros.row("txn_in", "topup", "5.00")
    euros.row("txn_out", "topup_reversal", "-5.00")
    euros.row("txn_late", "topup", "2.00", created_at=AT + 24 * HOUR)
    newest = {"newest_balance_transaction_source_id": "txn_ch_2"}
    account.snapshot("b0", AT + 24 * HOUR, "96.80", "19.12", **newest)
    account.snapshot("b1", AT + 25 * HOUR, "115.92", **newest)
    euros.snapshot("b1", AT + 25 * HOUR, "0.50", "1.50", **newest)
    account.records |= euros.records
    account.fold(database)
    ledger.fold(database)
    reconcile(database)
    found = rows(
        database,
        "SELECT currency_iso, source_id, outcome, rows, computed, difference FROM reconciliation.balance_proofs"
        " ORDER BY 1, taken_at NULLS FIRST",
    )
    assert found == [
        ("EUR", "", "no_snapshot", 2, 0, None),
        ("EUR", "b0:EUR", "tied", 2, 0, 0),
        ("EUR", "b1:EUR", "tied", 3, 2, 0),
        ("USD", "", "no_snapshot", 1, Decimal("96.8"), None),
        ("USD", "b0:USD", "tied", 2, Decimal("115.92"), 0),
        ("USD", "b1:USD", "tied", 2, Decimal("115.92"), 0),
    ]
