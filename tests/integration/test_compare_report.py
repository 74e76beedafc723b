"""A provider's report of its payouts beside the API's view, on PostgreSQL: quiet where both agree, else named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from kolleno_pipelines.pipeline.compare_report import NotComparableError, UnreadableReportError
from kolleno_pipelines.pipeline.deployment import Deployment
from kolleno_pipelines.sandbox.stripe import charging
from kolleno_pipelines.sandbox.stripe.book import moment_of
from kolleno_pipelines.sandbox.stripe.cases import CASES, all_cases
from kolleno_pipelines.sandbox.stripe.charging import Payment
from kolleno_pipelines.sandbox.stripe.report import COLUMNS, DASHBOARD_COLUMNS
from kolleno_pipelines.sandbox.stripe.scenes import AT, NOW, Case, PayoutFigures, Scene
from kolleno_pipelines.sandbox.stripe.tampers import tampers
from kolleno_pipelines.schemas.payout_report import Asked
from kolleno_pipelines.settings import Settings
from tests.provider_rows import Account
from tests.report_files import Compared, Lines, compare, deployment_of, name_of, report_of
from tests.stripe_cases import fold_case

DAY = timedelta(days=1)
NEW_YORK = "America/New_York"


class Desk:
    """Where somebody downloads reports and compares them."""

    def __init__(self, settings: Settings, folder: Path, url: str) -> None:
        self.settings, self.folder, self.url = settings, folder, url
        self.connections: dict[str, None] = {}

    def fold(self, case: Case, connection: str = "stripe", **more: object) -> None:
        """Let a connection know an account by its API."""
        self.connections[connection] = None
        fold_case(self.url, connection, case, **more)  # type: ignore[arg-type]

    @property
    def deployment(self) -> Deployment:
        return deployment_of(self.settings, self.folder, self.connections)

    def compare(
        self, text: str | bytes, connection: str = "stripe", *, name: str = "", asked: Asked | None = None
    ) -> Compared:
        path = self.folder / (name or name_of())
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return compare(self.deployment, connection, path, asked)


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, database: str) -> Desk:
    return Desk(settings, tmp_path, database)


def shared() -> Case:
    """Two payouts: of Wednesday 100.00 and 1,000.00 less a refund of 20.00, of Thursday 50.00, of which that was."""
    scene = Scene("two-payouts")
    scene.take(AT, Payment(10_000))
    scene.take(AT, Payment(100_000), "large")
    scene.take(AT + DAY, Payment(5_000), "later")
    charging.refund(scene.account, AT + DAY + timedelta(hours=1), scene.ids["later"], 2_000)
    return scene.case(PayoutFigures(104_750, "reconciled"), PayoutFigures(4_825, "reconciled"))


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
