"""The cases at the sandbox's bank: their figures, and what their files say when nothing else is known."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from kolleno_pipelines.sandbox.bank.cases import CASES, all_cases
from kolleno_pipelines.sandbox.bank.outcomes import OUTCOMES
from kolleno_pipelines.sandbox.bank.scenes import ARRIVES, BankCase
from kolleno_pipelines.sandbox.stripe.book import Kind
from tests.bank_messages import days, judged, parts, payments, text

NAMES = list(CASES)


@pytest.fixture(scope="module")
def cases() -> dict[str, BankCase]:
    return all_cases()


@pytest.mark.parametrize("name", NAMES)
def test_the_files_of_a_case_say_what_is_expected(cases: dict[str, BankCase], name: str) -> None:
    case = cases[name]
    assert judged(case.stripe.ledger, case.files, case.until) == case.expected


@pytest.mark.parametrize("name", NAMES)
def test_payouts_are_as_worked_out_and_none_comes_later(cases: dict[str, BankCase], name: str) -> None:
    case = cases[name]
    made = case.stripe.ledger.book.records(Kind.PAYOUTS, case.until)[::-1]
    assert [(each["id"], each["amount"]) for each in made] == [
        (payout, figures.amount) for payout, figures in case.stripe.payouts.items()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_statements_add_up_and_meet_each_other(cases: dict[str, BankCase], name: str) -> None:
    told = days(cases[name].files)
    assert all(each.opening + each.moved == each.closing for each in told)
    gaps = [
        other.day
        for one, other in pairwise(told)
        if one.account == other.account and (one.closing, one.number + 1) != (other.opening, other.number)
    ]
    assert len(gaps) == (name == "statement_lost")
    assert all(each.day.weekday() < 5 for each in told)


@pytest.mark.parametrize("name", NAMES)
def test_no_two_lines_have_one_reference(cases: dict[str, BankCase], name: str) -> None:
    for kind in ("053", "054"):
        names = [each for each in cases[name].files if "_copy" not in each.name]
        entries = [entry for number, part in parts(names) if number == kind for entry in part.iter("Ntry")]
        refs = [text(entry, "NtryRef") or text(entry, "AcctSvcrRef") for entry in entries]
        assert all(refs)
        assert len(set(refs)) == len(refs)


def test_every_outcome_has_a_case_and_every_case_accounts_of_its_own(cases: dict[str, BankCase]) -> None:
    assert {each.outcome for case in cases.values() for each in case.expected.values()} == set(OUTCOMES)
    accounts = [{each.account for each in days(case.files)} for case in cases.values()]
    assert len(set().union(*accounts)) == sum(len(each) for each in accounts)
    assert len({case.stripe.ledger.account_id for case in cases.values()}) == len(cases)


def test_every_way_of_writing_has_a_case(cases: dict[str, BankCase]) -> None:
    assert b"camt.053.001.02" in cases["in_version_02"].files[0].data
    assert b"<ns2:Document" in cases["with_prefix_and_latin_1"].files[0].data
    assert b"<Othr>" in cases["by_account_number"].files[0].data
    assert any(b"T10:30:00</DtTm>" in each.data for each in cases["booked_with_times"].files)
    lines = {name: [each for _, part in parts(cases[name].files) for each in part.iter("Ntry")] for name in NAMES}
    assert not any(each.find("NtryRef") is not None for each in lines["without_entry_references"])
    assert not any(each.find("NtryDtls") is not None for each in lines["without_details"])
    kinds = {name: {kind for kind, _ in parts(cases[name].files)} for name in NAMES}
    assert kinds["notified_first"] == {"053", "054"}
    assert kinds["notified_only"] == {"054"}
    assert kinds["reported_as_pending"] == {"052", "053"}
    assert all(len(each) == 1 for name, each in kinds.items() if name not in {"notified_first", "reported_as_pending"})


@pytest.mark.parametrize(
    ("name", "amounts"),
    [
        ("by_trace", ["96.80"]),
        ("late", ["96.80"]),
        ("missing", []),
        ("one_cent_less", ["96.79"]),
        ("doubled", ["96.80", "96.80"]),
        ("returned_quietly", ["96.80", "-96.80"]),
        ("failed_and_returned", ["96.80", "-96.80", "96.80"]),
        ("failed_and_kept", ["96.80", "96.80"]),
        ("failed_on_its_way", ["96.80"]),
        ("cancelled", []),
        ("taken_from_the_bank", ["96.80", "-100.00"]),
        ("two_alike", ["100.00", "100.00"]),
        ("two_alike_with_one_line", ["100.00"]),
        ("exchanged", ["88.00"]),
        ("look_alike_only", []),
        ("notified_first", ["96.80"]),
        ("sent_twice", ["96.80"]),
    ],
)
def test_what_is_booked_of_stripe_is_as_worked_out(cases: dict[str, BankCase], name: str, amounts: list[str]) -> None:
    own = [each for each in payments(cases[name].files) if any("STRIPE" in one for one in each.texts)]
    assert [each.amount for each in own] == [Decimal(each) for each in amounts]


def test_a_payout_in_a_batch_is_a_part_of_its_line(cases: dict[str, BankCase]) -> None:
    for name in ("in_a_batch", "in_a_batch_of_version_02"):
        (entry,) = (
            each for _, part in parts(cases[name].files) for each in part.iter("Ntry") if "262.30" in text(each, "Amt")
        )
        told = [each.amount for each in payments(cases[name].files) if each.ref == text(entry, "NtryRef")]
        assert told == [Decimal("120.00"), Decimal("96.80"), Decimal("45.50")]


def test_the_look_alike_has_amount_and_day_but_no_descriptor(cases: dict[str, BankCase]) -> None:
    found = [each for each in payments(cases["look_alike_only"].files) if each.amount == Decimal("96.80")]
    assert [each.day for each in found] == [ARRIVES]
    assert not any("STRIPE" in one for one in found[0].texts)


def test_a_file_that_comes_again_is_the_same_bytes_later(cases: dict[str, BankCase]) -> None:
    files = cases["sent_twice"].files
    (copy,) = (each for each in files if "_copy" in each.name)
    (first,) = (each for each in files if each.name == copy.name.replace("_copy", ""))
    assert first.data == copy.data
    assert first.modified < copy.modified


def test_a_case_is_the_same_each_time(cases: dict[str, BankCase]) -> None:
    assert CASES["failed_and_returned"]().files == cases["failed_and_returned"].files
