"""A provider's report of its payouts beside the API's view, on PostgreSQL: quiet where both agree, else named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from kolleno_pipelines.pipeline.compare_report import NotComparableError, UnreadableReportError
from kolleno_pipelines.sandbox.stripe.cases import CASES, all_cases
from kolleno_pipelines.sandbox.stripe.report import COLUMNS, DASHBOARD_COLUMNS
from kolleno_pipelines.sandbox.stripe.scenes import NOW
from kolleno_pipelines.sandbox.stripe.tampers import tampers
from kolleno_pipelines.schemas.payout_report import Asked
from kolleno_pipelines.settings import Settings
from tests.provider_rows import Account
from tests.report_desk import Desk, shared
from tests.report_files import Lines, compare, name_of, report_of

NEW_YORK = "America/New_York"


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, database: str) -> Desk:
    return Desk(settings, tmp_path, database)


def test_reports_of_all_cases_agree(desk: Desk) -> None:
    """All accounts in one database: each report is compared with its own connection alone."""
    cases = all_cases()
    for name, case in cases.items():
        desk.fold(case, name)
    for name, case in cases.items():
        compared = desk.compare(report_of(case.ledger), name)
        if name == "fee_mismatch":
            row = case.ledger.book.latest(case.ids["charge"])["balance_transaction"]
            assert compared.told == [("differs", 2, row, "fee", "3.20", "3.21")]
            assert [each.api_list for each in compared.findings] == ["both"]
            assert compared.asks
        else:
            assert (compared.told, compared.asks) == ([], False), name
            assert set(compared.outcomes.values()) <= {"agrees"}, name
        held = {line.split(",")[0] for line in report_of(case.ledger).splitlines()[1:]}
        assert set(compared.outcomes) == held, name


def test_what_the_api_answers_wrongly_is_named_by_the_report(desk: Desk) -> None:
    case = CASES["dispute_won"]()
    made = {tamper.name: tamper for tamper in tampers(case.ledger, NOW)}
    found = {}
    for name, tamper in made.items():
        desk.fold(case, name, tamper=tamper)
        compared = desk.compare(report_of(case.ledger), name)
        found[name] = {(each[0], each[3]) for each in compared.told if each[2] in {tamper.item, None}}
        assert all(each[2] in {tamper.item, None} for each in compared.told), (name, compared.told)
    assert found == {
        "alter_row": {("differs", "gross"), ("differs", "net")},
        "change_fee": {("differs", "fee")},
        "drop_row": {("not_in_api", None)},
        "double_row": {("not_in_report", "net")},
        "move_row": {("differs", "automatic_payout_id")},
        "alter_payout": {("amount_differs", "net")},
        "alter_charge": set(),  # the charge itself is in no report
        "strip_metadata": set(),
    }


def _change(line: int, **cells: str) -> Callable[[Lines], object]:
    return lambda lines: lines[line - 2].update(cells)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("gross", "100.01", "100.00"),
        ("fee", "0.00", "3.20"),
        ("net", "-96.80", "96.80"),
        ("currency", "eur", "USD"),
        ("reporting_category", "refund", "charge"),
        ("created_utc", "2026-02-02 09:30:01", "2026-02-02 09:30:00"),
        ("available_on_utc", "2026-02-05 00:00:00", None),
        ("source_id", "ch_other", None),
        ("charge_id", "", None),
        ("automatic_payout_id", "", None),
    ],
)
def test_a_cell_that_somebody_changed_is_named(desk: Desk, column: str, value: str, said: str | None) -> None:
    case = shared()
    desk.fold(case)
    payouts = list(case.payouts)
    value = value or {"charge_id": "", "automatic_payout_id": payouts[1]}[column]
    compared = desk.compare(report_of(case.ledger, edit=_change(2, **{column: value})))
    ((code, line, row, where, ours, theirs),) = compared.told
    before = report_of(case.ledger).splitlines()[1].split(",")
    assert (code, line, where) == ("differs", 2, column)
    assert row == before[COLUMNS.index("balance_transaction_id")]
    if column == "available_on_utc":
        said, value = before[COLUMNS.index(column)][:10], value[:10]
    assert ours == ({"eur": "EUR"}.get(value, value) or None)
    assert theirs == (said or before[COLUMNS.index(column)])
    concerned = set(payouts if column == "automatic_payout_id" else payouts[:1])
    assert {each for each, outcome in compared.outcomes.items() if outcome == "differs"} == concerned


def test_rows_that_are_too_much_or_missing(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    lines = report_of(case.ledger).splitlines()
    rows = [line.split(",")[COLUMNS.index("balance_transaction_id")] for line in lines]
    dropped = desk.compare("\n".join([*lines[:2], *lines[3:]]))
    assert dropped.told == [("not_in_report", None, rows[2], "net", None, "970.70")]
    doubled = desk.compare("\n".join([*lines, lines[1]]))
    assert doubled.told == [("doubled_in_report", len(lines) + 1, rows[1], None, None, None)]
    strange = desk.compare("\n".join([*lines, lines[1].replace(rows[1], "txn_strange")]))
    assert strange.told == [("not_in_api", len(lines) + 1, "txn_strange", None, None, None)]
    assert strange.findings[0].api_list == "both"


def test_a_report_in_another_time_zone(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    text = report_of(case.ledger, zone=NEW_YORK, columns=DASHBOARD_COLUMNS)
    assert "_utc" not in text
    assert desk.compare(text, name=name_of(zone=NEW_YORK)).told == []
    assert desk.compare(text, name="mine.csv", asked=Asked(timezone=NEW_YORK)).told == []
    with pytest.raises(
        NotComparableError, match=r"created is 5:00 hours before the API's in every row\. Name the time"
    ):
        desk.compare(text, name="mine.csv")
    moved = report_of(
        case.ledger,
        zone=NEW_YORK,
        columns=DASHBOARD_COLUMNS,
        edit=_change(3, created="2026-02-02 09:30:00", available_on="2026-02-05 19:00:00"),
    )
    found = desk.compare(moved, name=name_of(zone=NEW_YORK)).told
    created, available = found
    assert (created[1], *created[3:]) == (3, "created", "2026-02-02 09:30:00", "2026-02-02 04:30:00")
    assert available[3:5] == ("available_on", "2026-02-06")


def test_a_decimal_comma_and_chosen_columns(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    columns = ("net", "fee", "gross", "currency", "balance_transaction_id", "automatic_payout_id")

    def commas(lines: Lines) -> None:
        for line in lines:
            line.update({each: line[each].replace(".", ",") for each in columns[:3]})

    assert desk.compare(report_of(case.ledger, columns=columns, edit=commas)).told == []


def test_currencies_without_and_with_three_decimals(desk: Desk) -> None:
    for currency, gross, fee, net in (("JPY", "1234", "34", "1200"), ("KWD", "12.340", "0.345", "11.995")):
        name = f"stripe_{currency.lower()}"
        account = Account(name, currency)
        account.charge("ch_1", gross, fee)
        account.payout("po_1", net, "txn_ch_1")
        account.fold(desk.url)
        desk.connections[name] = None
        text = (
            "automatic_payout_id,balance_transaction_id,created_utc,currency,gross,fee,net,charge_id\n"
            f"po_1,txn_ch_1,2026-02-02 09:30:00,{currency.lower()},{gross},{fee},{net},ch_1\n"
        )
        assert desk.compare(text, name).told == []
        other = text.replace(f",{fee},", f",{fee[:-1]}9,")
        assert desk.compare(other, name).told == [("differs", 2, "txn_ch_1", "fee", f"{fee[:-1]}9", fee)]


def test_local_times_around_the_change_of_the_clocks(desk: Desk) -> None:
    """In New York the hour from 1:00 comes twice on 1 November, that from 2:00 not at all on 8 March."""
    account = Account()
    made = {
        "2026-11-01T05:30:00+00:00": "2026-11-01 01:30:00",
        "2026-11-01T06:30:00+00:00": "2026-11-01 01:30:00",
        "2026-03-08T06:59:59+00:00": "2026-03-08 01:59:59",
        "2026-03-08T07:00:00+00:00": "2026-03-08 03:00:00",
    }
    lines = ["automatic_payout_id,balance_transaction_id,created,available_on,currency,gross,fee,net"]
    for number, (moment, local) in enumerate(made.items()):
        created = datetime.fromisoformat(moment)
        midnight = datetime.combine(created.date(), time(), UTC).astimezone(ZoneInfo(NEW_YORK))
        row = f"txn_{account.charge(f'ch_{number}', '100.00', '3.20')}"
        account.say("balance_transactions", row, created_at=created, available_on=created.date())
        lines.append(f"po_1,{row},{local},{midnight:%Y-%m-%d %H:%M:%S},usd,100.00,3.20,96.80")
    account.payout("po_1", "387.20", *[f"txn_ch_{number}" for number in range(len(made))])
    account.fold(desk.url)
    desk.connections["stripe"] = None
    asked = Asked(timezone=NEW_YORK)
    assert desk.compare("\n".join(lines), name="mine.csv", asked=asked).told == []
    lines[4] = lines[4].replace("03:00:00", "02:00:00")  # what no clock there ever showed
    found = desk.compare("\n".join(lines), name="mine.csv", asked=asked).told
    assert [each[:5] for each in found] == [("differs", 5, "txn_ch_3", "created", "2026-03-08 02:00:00")]


def test_what_cannot_be_read_is_not_compared(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    text = report_of(case.ledger, edit=_change(3, gross="x"))
    with pytest.raises(UnreadableReportError, match="line 3: gross 'x' is no amount such as") as raised:
        desk.compare(text)
    assert [each.line for each in raised.value.findings] == [3]
    with pytest.raises(UnreadableReportError, match="The column fee is missing"):
        desk.compare(text.replace(",fee,", ",fees,"))
    with pytest.raises(NotComparableError, match="holds no rows: --from and --to"):
        desk.compare(text.splitlines()[0], name="mine.csv")
    with pytest.raises(NotComparableError, match="books is no payment provider"):
        desk.compare(text, "books")
    with pytest.raises(NotComparableError, match="There is no connection bank"):
        desk.compare(text, "bank")
    with pytest.raises(NotComparableError, match="is a folder"):
        compare(desk.deployment, "stripe", desk.folder)
    with pytest.raises(NotComparableError, match=r"nothing\.csv cannot be read: No such file"):
        compare(desk.deployment, "stripe", desk.folder / "nothing.csv")
    with pytest.raises(NotComparableError, match="/dev/null is a pipe or a device; save the report"):
        compare(desk.deployment, "stripe", Path("/dev/null"))


def test_nothing_is_left_in_the_database(desk: Desk) -> None:
    case = shared()
    desk.fold(case)
    desk.compare(report_of(case.ledger))
    with psycopg.connect(desk.url) as conn:
        left = conn.execute("SELECT relname FROM pg_class WHERE relname LIKE 'report%' AND relkind = 'r'").fetchall()
    assert left == []
