"""Which payouts a provider's report must hold, whose they are, and what each consists of, on PostgreSQL."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from kolleno_pipelines.pipeline.compare_report import NotComparableError
from kolleno_pipelines.sandbox.stripe.book import moment_of
from kolleno_pipelines.sandbox.stripe.cases import CASES
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.report import COLUMNS, DASHBOARD_COLUMNS
from kolleno_pipelines.sandbox.stripe.scenes import AT, PayoutFigures, Scene
from kolleno_pipelines.schemas.payout_report import Asked
from kolleno_pipelines.settings import Settings
from tests.provider_rows import Account
from tests.report_desk import DAY, Desk, shared
from tests.report_files import Lines, name_of, report_of


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, database: str) -> Desk:
    return Desk(settings, tmp_path, database)


def test_payouts_that_one_side_does_not_have(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    first, second = case.payouts
    text = report_of(case.ledger)
    unknown = desk.compare(text.replace(second, "po_unknown"))
    codes = {(each[0], each[3]) for each in unknown.told}
    assert codes == {
        ("differs", "automatic_payout_id"),
        ("payout_not_in_api", "automatic_payout_id"),
        ("payout_not_in_report", "automatic_payout_id"),
    }
    only_first = report_of(case.ledger, edit=lambda lines: _keep(lines, first))
    absent = desk.compare(only_first)
    assert absent.told == [("payout_not_in_report", None, None, "automatic_payout_id", None, second)]
    assert absent.outcomes == {first: "agrees", second: "differs"}
    assert not desk.compare(only_first, name="mine.csv").asks, "nothing tells the period"
    asked = Asked(date(2026, 1, 26), date(2026, 2, 11))
    assert desk.compare(only_first, name="mine.csv", asked=asked).told == absent.told
    before = Asked(date(2026, 1, 26), case.ledger.opened.date())
    assert not desk.compare(only_first, name="mine.csv", asked=before).asks
    assert desk.compare(only_first, name=name_of("EUR")).told == absent.told, "it has dollars, whatever its name says"
    nothing = desk.compare(text.splitlines()[0])
    assert {each[5] for each in nothing.told} == {first, second}
    euros = desk.compare(text.splitlines()[0], name=name_of("EUR"))
    assert not euros.asks, "the report of euros says nothing of dollars"


def _keep(lines: Lines, payout: str) -> None:
    lines[:] = [line for line in lines if line["automatic_payout_id"] == payout]


def test_between_the_first_and_the_last_payout_of_a_file_none_may_be_missing(desk: Desk) -> None:
    scene = Scene("five")
    for days in range(5):
        scene.take(AT + days * DAY, Payment(10_000), f"day{days}")
    case = scene.case(*[PayoutFigures(9_680, "reconciled")] * 5)
    desk.fold(case)
    dropped = list(case.payouts)[2]

    def drop(*payouts: str) -> str:
        def edit(lines: Lines) -> None:
            lines[:] = [line for line in lines if line["automatic_payout_id"] not in payouts]

        return report_of(case.ledger, edit=edit)

    compared = desk.compare(drop(dropped), name="mine.csv")
    assert compared.told == [("payout_not_in_report", None, None, "automatic_payout_id", None, dropped)]
    assert any("(UTC), by the payouts in it." in note for note in compared.notes)
    assert not desk.compare(drop(*list(case.payouts)[1:]), name="mine.csv").asks, "a report of one payout"


def test_a_payout_that_is_not_itemised_yet(desk: Desk) -> None:
    case = shared()
    early = AT + 2 * DAY - timedelta(hours=3)  # before 8:00 of the day on which the first payout is made
    desk.fold(case, now=early)
    (first, *_) = case.payouts
    text = report_of(case.ledger, edit=lambda lines: _keep(lines, first))
    compared = desk.compare(text)
    assert compared.told == []
    assert compared.outcomes == {first: "pending"}
    assert compared.asks
    assert any("not itemised in the API's view yet" in note and first in note for note in compared.notes)

    def cheap(lines: Lines) -> None:
        _keep(lines, first)
        lines[0]["fee"] = "0.01"

    wrong = desk.compare(report_of(case.ledger, edit=cheap))
    assert [each[:4] for each in wrong.told] == [("differs", 2, wrong.told[0][2], "fee")]
    assert wrong.outcomes == {first: "differs"}


def test_a_payout_by_hand_is_in_no_report(desk: Desk) -> None:
    case = CASES["manual"]()
    desk.fold(case)
    assert not desk.compare(report_of(case.ledger)).asks
    (payout,) = case.payouts
    row = case.ledger.book.latest(case.ids["charge"])["balance_transaction"]
    text = f"automatic_payout_id,balance_transaction_id,currency,gross,fee,net\n{payout},{row},usd,500,14.80,485.20\n"
    assert desk.compare(text).told == [("not_itemisable", 2, None, "automatic_payout_id", payout, None)]


def test_a_report_of_another_account_is_told_at_once(desk: Desk) -> None:
    case, other = shared(), CASES["negative"]()
    desk.fold(case)
    desk.fold(other, "second")
    text = report_of(other.ledger)
    with pytest.raises(NotComparableError, match=r"stripe knows no payout and no row of .*: it is a report of another"):
        desk.compare(text)
    assert desk.compare(text, "second").told == []


def test_rows_of_another_connection_never_count(desk: Desk) -> None:
    """Both connections know the same ids, one of them with other figures and one row less."""
    case = shared()
    text = report_of(case.ledger)
    row = text.splitlines()[1].split(",")[COLUMNS.index("balance_transaction_id")]
    desk.fold(case)
    desk.fold(case, "second")
    with psycopg.connect(desk.url) as conn:
        for table, column in (
            ("balance_transactions", "source_id"),
            ("payout_members", "balance_transaction_source_id"),
        ):
            conn.execute(
                f"DELETE FROM receivables.{table} WHERE connection = 'second' AND {column} = %s".encode(), [row]
            )
        conn.execute("UPDATE receivables.balance_transactions SET fee = fee + 1 WHERE connection = 'second'")
    assert desk.compare(text).told == []
    found = desk.compare(text, "second").told
    assert found[0] == ("not_in_api", 2, row, None, None, None)
    assert {each[3] for each in found[1:]} == {"fee"}


def test_a_row_in_two_payouts_or_twice_in_one_by_the_api(desk: Desk) -> None:
    account = Account()
    account.charge("ch_1", "100.00", "3.20")
    account.charge("ch_2", "20.00", "0.88")
    account.payout("po_1", "193.60", "txn_ch_1")
    account.member("po_1", "txn_ch_1", 2)
    account.payout("po_2", "115.92", "txn_ch_1", "txn_ch_2")
    account.fold(desk.url)
    desk.connections["stripe"] = None
    text = (
        "automatic_payout_id,balance_transaction_id,currency,gross,fee,net\n"
        "po_1,txn_ch_1,usd,100.00,3.20,96.80\npo_2,txn_ch_2,usd,20.00,0.88,19.12\n"
    )
    compared = desk.compare(text)
    assert compared.told == [("doubled_in_api", 2, "txn_ch_1", "automatic_payout_id", "po_1", "po_1, po_2")]
    assert compared.outcomes == {"po_1": "differs", "po_2": "differs"}


def test_a_payout_that_its_items_do_not_explain_never_agrees(desk: Desk) -> None:
    """By the API one is in euros with an item in dollars, and one has no item; the report says so, or not at all."""
    account = Account()
    account.charge("ch_1", "100.00", "3.20")
    account.payout("po_1", "96.80", "txn_ch_1", currency_iso="EUR")
    account.payout("po_2", "50.00")
    account.fold(desk.url)
    desk.connections["stripe"] = None
    text = "automatic_payout_id,balance_transaction_id,currency,gross,fee,net\npo_1,txn_ch_1,usd,100.00,3.20,96.80\n"
    compared = desk.compare(text)
    assert compared.told == [
        ("amount_differs", 2, None, "net", "96.80", "96.80"),
        ("payout_not_in_report", None, None, "automatic_payout_id", None, "po_2"),
    ]
    assert compared.outcomes == {"po_1": "differs", "po_2": "differs"}


def test_a_payout_s_own_row_is_no_item_of_it(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    payout = next(iter(case.payouts))
    own = case.ledger.book.latest(case.ledger.book.latest(payout)["balance_transaction"])
    made = f"{moment_of(own['created']):%Y-%m-%d %H:%M:%S}"
    text = report_of(case.ledger, columns=DASHBOARD_COLUMNS)
    line = f"{payout},2026-02-05 09:00:00,{own['id']},{made},{made[:10]} 00:00:00,usd,-1047.50,0.00,-1047.50,payout,\n"
    compared = desk.compare(text + line)
    assert compared.told == []
    assert [(one.report_rows, one.report_net) for one in compared.whole.payouts if one.payout_source_id == payout] == [
        (3, Decimal("1047.50"))
    ]


def test_a_report_of_one_category_is_recognised(desk: Desk) -> None:
    case = shared()
    desk.fold(case)

    def refunds(lines: Lines) -> None:
        lines[:] = [line for line in lines if line["reporting_category"] == "refund"]

    compared = desk.compare(report_of(case.ledger, edit=refunds))
    assert {each[0] for each in compared.told} <= {"not_in_report", "payout_not_in_report"}
    assert any("All rows of the file are of category refund" in note for note in compared.notes)
