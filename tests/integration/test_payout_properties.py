"""Random accounts: parts tie, no row counts twice, order does not matter, and whatever is changed quietly is named."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kolleno_pipelines.storage.record_fold import fold_records
from tests.provider_rows import AT, HOUR, Account, Ledger, Provider, exceptions, payout_outcomes, reconcile
from tests.receivables_rows import rows
from tests.record_payloads import put

_numbers = itertools.count(1)
_WHAT = ("charges", "payouts", "payout_lines", "payout_exceptions", "balance_proofs", "balance_exceptions")


@dataclass
class World:
    """An account of charges and refunds, those in a payout by payout."""

    cents: list[int]
    places: list[int]
    seed: int

    def account(self) -> tuple[Account, Ledger, dict[str, list[str]]]:
        account, ledger = Account(), Ledger()
        items: dict[str, list[str]] = {}
        for number, (cents, place) in enumerate(zip(self.cents, self.places, strict=True), 1):
            amount, name = Decimal(cents) / 100, f"ch_{number}"
            account.charge(name, str(amount), str((amount * 29 / 1000).quantize(Decimal("0.01")) + Decimal("0.30")))
            is_refunded = number % 3 == 0
            ledger.payment(f"P{number}", str(amount), "0" if is_refunded else None, psp_reference=f"K-{name}")
            made = [f"txn_{name}"]
            if is_refunded:
                account.refund(f"re_{number}", name, str(amount))
                made.append(f"txn_re_{number}")
            if place:
                items.setdefault(f"po_{place}", []).extend(made)
        for payout, its in items.items():
            account.payout(payout, str(sum(self.net(account, item) for item in its)), *its)
        stated = sum(row["net"] for (entity, _), row in account.records.items() if entity == "balance_transactions")
        account.snapshot("bal", AT + 48 * HOUR, str(stated))
        return account, ledger, items

    @staticmethod
    def net(account: Account, item: str) -> Decimal:
        net: Decimal = account.records["balance_transactions", item]["net"]
        return net


_WORLDS = st.lists(st.integers(200, 99_999), min_size=3, max_size=9, unique=True).flatmap(
    lambda cents: st.builds(
        World,
        st.just(cents),
        st.lists(st.integers(0, 3), min_size=len(cents), max_size=len(cents)),
        st.integers(0, 1000),
    )
)
_SETTINGS = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def told(url: str, connection: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the results say of a connection, without its name and what is made of it."""
    found = {}
    for table in _WHAT:
        columns = rows(
            url,
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid ="
            " %s::regclass AND attnum > 0 AND attname NOT IN ('connection', 'ledger', 'break_id', 'evidence')",
            f"reconciliation.{table}",
        )[0][0]
        query = f"SELECT {columns} FROM reconciliation.{table} WHERE connection = %s"
        found[table] = sorted(rows(url, query, connection), key=str)
    return found


@given(_WORLDS)
@_SETTINGS
def test_parts_tie_and_order_does_not_matter(database: str, world: World) -> None:
    account, ledger, items = world.account()
    number = next(_numbers)
    names = [f"a{number}", f"b{number}"]
    for name in names:
        payloads = account.payloads()
        if name == names[1]:
            Random(world.seed).shuffle(payloads)
        with psycopg.connect(database) as conn:
            half = len(payloads) // 2 if name == names[1] else len(payloads)
            for part in (payloads[:half], payloads[half:]):
                put(conn, name, part)
                fold_records(conn, name, ledger=f"{name}_qb")
        ledger.name = f"{name}_qb"
        ledger.fold(database)
    reconcile(database, *(Provider(name, f"{name}_qb") for name in names))
    first, second = (told(database, name) for name in names)
    assert first == second
    assert {one[2] for one in first["balance_proofs"]} <= {"tied", "no_snapshot"}
    assert first["balance_exceptions"] == []
    assert payout_outcomes(database, names[0]) == dict.fromkeys(items, ("reconciled",) * 3)
    lines = rows(
        database, "SELECT sum(items), sum(net) FROM reconciliation.payout_lines WHERE connection = %s", names[0]
    )
    nets = [world.net(account, item) for its in items.values() for item in its]
    assert lines[0] == ((len(nets), sum(nets)) if nets else (None, None))


Tamper = Callable[[Account, str, str], None]


def _drop(account: Account, payout: str, item: str) -> None:
    del account.records["payout_members", f"{payout}|{item}"]


def _drop_from_both(account: Account, payout: str, item: str) -> None:
    _drop(account, payout, item)
    del account.records["balance_transactions", item]


def _double(account: Account, payout: str, item: str) -> None:
    account.member(payout, item, 2)


def _move(account: Account, payout: str, item: str) -> None:
    other = "po_1" if payout != "po_1" else "po_2"
    _drop(account, payout, item)
    account.member(other, item)


def _add_a_cent_of_fee(account: Account, payout: str, item: str) -> None:
    row = account.records["balance_transactions", item]
    account.say(
        "payout_members", f"{payout}|{item}", fee=row["fee"] + Decimal("0.01"), net=row["net"] - Decimal("0.01")
    )


def _alter(account: Account, payout: str, item: str) -> None:
    for entity, name in (("payout_members", f"{payout}|{item}"), ("balance_transactions", item)):
        row = account.records[entity, name]
        account.say(entity, name, amount=row["amount"] + 1, net=row["net"] + 1)


_TAMPERS = st.sampled_from([_drop, _drop_from_both, _double, _move, _add_a_cent_of_fee, _alter])


@given(_WORLDS, _TAMPERS, st.data())
@_SETTINGS
def test_whatever_is_changed_is_named(database: str, world: World, tamper: Tamper, data: st.DataObject) -> None:
    account, ledger, items = _with_two_payouts(world)
    payout = data.draw(st.sampled_from(sorted(items)))
    item = data.draw(st.sampled_from(items[payout]))
    tamper(account, payout, item)
    number = next(_numbers)
    account.name, ledger.name = f"t{number}", f"t{number}_qb"
    account.fold(database, ledger=ledger.name)
    ledger.fold(database)
    reconcile(database, Provider(account.name, ledger.name))
    named = {(one[0], one[2]) for one in exceptions(database, account.name)}
    assert (payout, item) in named
    assert {one[1] for one in named} == {item}
    assert told(database, account.name)["balance_exceptions"] == []  # what a payout tells is not told again
    outcomes = {name for name, told in payout_outcomes(database, account.name).items() if told[0] != "reconciled"}
    assert outcomes == {one[0] for one in named}


@given(_WORLDS, _TAMPERS, _TAMPERS, st.data())
@_SETTINGS
def test_of_two_changes_both_are_named(database: str, world: World, one: Tamper, other: Tamper, data: Any) -> None:
    """By the exception or, where other rows come to as much, among those that may be it instead."""
    account, ledger, items = _with_two_payouts(world)
    everything = [(payout, item) for payout in sorted(items) for item in items[payout]]
    chosen = data.draw(st.lists(st.sampled_from(everything), min_size=2, max_size=2, unique=True))
    for tamper, (payout, item) in zip((one, other), chosen, strict=True):
        tamper(account, payout, item)
    number = next(_numbers)
    account.name, ledger.name = f"u{number}", f"u{number}_qb"
    account.fold(database, ledger=ledger.name)
    ledger.fold(database)
    reconcile(database, Provider(account.name, ledger.name))
    query = "SELECT balance_transaction_source_id, evidence FROM reconciliation.{} WHERE connection = %s"
    told = [row for table in _TOLD for row in rows(database, query.format(table), account.name)]
    for payout, item in chosen:
        assert any(item == row[0] or item in str(row[1]) or _hides(str(row[1])) for row in told), (payout, item, told)


_TOLD = ("payout_exceptions", "balance_exceptions")


def _hides(evidence: str) -> bool:
    """Whether a second change may hide: in the fee of a row that no list has, or behind as many rivals as are told."""
    _, _, rivals = evidence.partition("It may be one of these instead: ")
    return "nor in the balance's list" in evidence or rivals.count(",") >= 4


def _with_two_payouts(world: World) -> tuple[Account, Ledger, dict[str, list[str]]]:
    """Of two rows over the same amount nothing tells which took the place of which: the two that are added differ."""
    account, ledger, items = world.account()
    for payout, amount, fee in (("po_1", "1234.56", "36.10"), ("po_2", "2345.67", "68.32")):
        if payout not in items:
            extra = account.charge(f"ch_{payout}", amount, fee)
            ledger.payment(f"P{payout}", amount, psp_reference=f"K-{extra}")
            items[payout] = [f"txn_{extra}"]
            account.payout(payout, str(Decimal(amount) - Decimal(fee)), f"txn_{extra}")
    return account, ledger, items
