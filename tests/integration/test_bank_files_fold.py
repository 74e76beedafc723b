"""Bank files in the database: the state is the same in whatever order, parts and number they come; pages are joined."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.rules.bank_days import known_days
from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.storage import payout_bank
from tests.bank_cases import fold_files
from tests.bank_documents import balance, document, entry, transaction
from tests.receivables_rows import rows

NOON = datetime(2026, 2, 6, 12, tzinfo=UTC)
_numbers = itertools.count(1)

_TABLES = {
    "bank_accounts": "source_id, account_number, currency_iso, name",
    "bank_statements": "source_id, kind, ref, date_from, date_to, balance_opening, balance_closing, amount_booked,"
    " file",
    "bank_lines": "source_id, statement_source_id, amount, status, remittance_text, words, file, file_line",
}


def state(url: str, connection: str) -> dict[str, list[tuple[object, ...]]]:
    """All that is known of a bank, but when it was loaded."""
    return {
        table: rows(
            url, f"SELECT {names}, observed_at FROM receivables.{table} WHERE connection = %s ORDER BY 1", connection
        )
        for table, names in _TABLES.items()
    }


def _entry(number: int, text: str, status: str) -> str:
    ref = None if number % 2 else f"B-{number}"
    return entry(f"{number}.00", ref=ref, status=f"<Sts>{status}</Sts>", details=transaction(text, trace=f"T{number}"))


@st.composite
def files(draw: st.DrawFn) -> list[File]:
    """Files of one account that say some lines again, otherwise, or pending; names come again with other bytes."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        message = draw(st.sampled_from(["camt.052", "camt.053", "camt.054"]))
        picked = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
        text, status = draw(st.sampled_from(["one", "two"])), draw(st.sampled_from(["BOOK", "PDNG"]))
        created = draw(st.sampled_from([None, "2026-02-06T05:00:00Z", "2026-02-06T06:00:00Z", "2026-02-07T06:00:00"]))
        data = document(
            [_entry(each, text, status) for each in picked],
            [balance("OPBD", "0"), balance("CLBD", f"{sum(picked)}.00")] if message == "camt.053" else [],
            message=message,
            ref=draw(st.sampled_from(["S-1", "S-2"])),
            created=created or "",
        )
        name = draw(st.sampled_from(["a.xml", "b.xml", "c.xml"]))
        found.append(File(name, data, NOON + timedelta(minutes=number)))
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=files(), data=st.data())
def test_the_same_files_make_the_same_state(database: str, told: list[File], data: st.DataObject) -> None:
    number = next(_numbers)
    fold_files(database, f"calm{number}", "qb", told)
    expected = state(database, f"calm{number}")
    mixed = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=3))]))
    cut = data.draw(st.integers(0, len(mixed)))
    for part in (mixed[:cut], mixed[cut:]):
        fold_files(database, f"mixed{number}", "qb", part)
    assert state(database, f"mixed{number}") == expected


def _statement(minute: int, *amounts: str, closing: str = "") -> File:
    entries = [
        entry(amount, ref=f"B-{number}", details=transaction(trace=f"TRACE{number}"))
        for number, amount in enumerate(amounts)
    ]
    total = closing or str(sum(map(Decimal, amounts), Decimal()))
    created = f"2026-02-06T05:{minute:02}:00Z"
    return File(
        f"{minute}.xml", document(entries, [balance("OPBD", "0.00"), balance("CLBD", total)], created=created), NOON
    )


def _found(url: str, connection: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as conn:
        put_payout = (
            "INSERT INTO receivables.payouts (connection, source_id, amount, currency_iso, status, created_at,"
            " date_arrival, is_automatic, trace_id, observed_at, origin) VALUES (%s, 'po_1', 5, 'USD', 'paid',"
            " now(), '2026-02-05', true, 'TRACE0', now(), 'e1:1')"
        )
        conn.execute(put_payout, [connection])
        found = payout_bank.candidates(conn, [connection], [connection], "STRIPE", timedelta(5), timedelta(10))
        return sorted((f"{one.amount:.2f}", one.source_id.split("|")[1]) for one in found if one.has_trace)


def test_a_statement_made_anew_takes_back_what_it_does_not_say_any_more(database: str) -> None:
    """The bank first booked 5.00, and then says that it was 7.00: nobody may find the 5.00."""
    first, anew = _statement(1, "5.00", "1.00"), _statement(2, "7.00", "1.00")
    for name, order in (("late", [first, anew]), ("early", [anew, first])):
        fold_files(database, name, "qb", order)
        assert _found(database, name) == [("7.00", "B-0")]
    fold_files(database, "again", "qb", [first, _statement(3, "5.00", "1.00")])
    assert _found(database, "again") == [("5.00", "B-0")]
    fold_files(database, "part", "qb", [first, _statement(2, "1.00", closing="6.00")])
    assert ("5.00", "B-0") in _found(database, "part"), "one that does not tie takes nothing back"


def _page(number: int, is_last: bool, balances: Sequence[str]) -> File:
    pages = f"<StmtPgntn><PgNb>{number}</PgNb><LastPgInd>{str(is_last).lower()}</LastPgInd></StmtPgntn>"
    data = document([entry("1.00", ref=f"B-{number}")], balances, more=pages)
    return File(f"{number}.xml", data, NOON)


def test_pages_are_one_statement_with_or_without_balances_between(database: str) -> None:
    opened, closed = balance("OPBD", "0.00"), balance("CLBD", "3.00")
    fold_files(database, "ends", "qb", [_page(1, False, [opened]), _page(2, False, []), _page(3, True, [closed])])
    between = [[balance("OPBD", f"{one}.00"), balance("CLBD", f"{one + 1}.00")] for one in range(3)]
    fold_files(database, "each", "qb", [_page(one + 1, one == 2, each) for one, each in enumerate(between)])
    fold_files(database, "lost", "qb", [_page(1, False, [opened]), _page(3, True, [closed])])
    day = date(2026, 2, 5)
    with psycopg.connect(database) as conn:
        for name in ("ends", "each"):
            (days,) = known_days(payout_bank.statements(conn, [name]))
            assert (days.first, days.last) == (day, day)
        (untied,) = payout_bank.statements(conn, ["lost"])
    assert untied.opening + untied.booked - untied.closing == Decimal(-1)
    assert known_days([untied]) == []
