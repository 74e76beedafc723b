"""How allocations and lines end and move in the fold of records, and what waits again: each constellation by itself."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from kolleno_pipelines.storage import record_fold
from kolleno_pipelines.storage.extracts import lock_extract
from kolleno_pipelines.storage.record_fold import fold_records
from kolleno_pipelines.storage.record_rows import clear_rows
from tests.record_payloads import (
    Payload,
    account,
    by_id,
    customer,
    deleted,
    document,
    folded,
    journal,
    linked,
    payment,
    put,
    put_into,
    state_of,
    unit,
)

World = psycopg.Connection[Any]


@pytest.fixture
def world(database: str) -> Any:
    with psycopg.connect(database) as conn:
        yield conn


def _same_bit_by_bit(world: World, *parts: list[Payload]) -> dict[str, list[Any]]:
    """Fold the parts at once and one after the other; both must come to the same."""
    put(world, "at_once", [payload for part in parts for payload in part])
    with world.transaction():
        fold_records(world, "at_once")
    for part in parts:
        put(world, "bit_by_bit", part)
        with world.transaction():
            fold_records(world, "bit_by_bit")
    assert state_of(world, "bit_by_bit") == state_of(world, "at_once")
    return state_of(world, "at_once")


def _open(state: dict[str, list[Any]]) -> dict[str, Any]:
    return {name: row["balance_open"] for name, row in by_id(state, "journals").items()}


def test_the_allocations_of_a_deleted_payment_have_ended(world: World) -> None:
    paid = linked("P1", 2, ("payment", "P1", "journal", "J1:a", "25"), ("credit_note", "M1", "invoice", "I1", "40"))
    documents = [document("invoices", "I1", 1, "100", "60"), document("credit_notes", "M1", 1, "40", "0")]
    state = folded(
        world, unit(0), customer("C1", 0), account("AR", 0), journal("J1", 1, a=("AR", "25")), *documents, paid
    )
    assert _open(state) == {"J1:a": 0}
    state = folded(world, deleted(paid, 3))
    assert _open(state) == {"J1:a": 25}
    tombstone = deleted(paid, 3).modified_at
    assert {(row["amount"], row["removed_at"]) for row in state["allocations"]} == {(0, tombstone)}
    assert {(row["source_id"][-4:], row["amount_delta"]) for row in state["allocation_moves"]} == {
        ("J1:a", -25),
        ("e:I1", -40),
    }
    live = world.execute("SELECT count(*) FROM receivables.allocations_with_ends WHERE is_live").fetchone()
    assert live == (0,)


def test_a_payment_that_is_back_after_its_deletion_counts_again(world: World) -> None:
    paid = linked("P1", 2, ("payment", "P1", "invoice", "I1", "40"))
    again = linked("P1", 4, ("payment", "P1", "invoice", "I1", "30"))
    base = [unit(0), customer("C1", 0), document("invoices", "I1", 1, "100", "60")]
    (link,) = _same_bit_by_bit(world, [*base, paid], [deleted(paid, 3)], [again])["allocations"]
    assert (link["amount"], link["removed_at"]) == (30, None)


def test_an_account_that_ceases_to_be_one_of_receivables_parks_what_settles_its_lines(world: World) -> None:
    paid = linked("P1", 2, ("payment", "P1", "journal", "J1:a", "25"))
    base = [unit(0), customer("C1", 0), account("AR", 0), journal("J1", 1, a=("AR", "25")), paid]
    state = _same_bit_by_bit(world, base, [account("AR", 5, is_receivable=False)])
    assert [row["code"] for row in state["parked"]] == ["unknown_journal"]


@pytest.mark.parametrize(
    "later", [account("A", 0), journal("J1", 3, a=("B", "25"), b=("B", "25"))], ids=["line", "version"]
)
def test_an_entry_named_without_its_line_means_the_same_line_in_any_order(world: World, later: Payload) -> None:
    paid = linked("P1", 2, ("payment", "P1", "journal", "J1", "25"))
    base = [unit(0), customer("C1", 0), account("B", 0), journal("J1", 1, a=("A", "25"), b=("B", "25")), paid]
    (link,) = _same_bit_by_bit(world, base, [later])["allocations"]
    assert link["to_source_id"] == "J1:a"


def test_the_line_of_the_payments_customer_is_meant_then_the_one_of_its_amount(world: World) -> None:
    lines = {"a": ("AR", "25"), "b": ("AR", "70"), "c": ("AR", "70")}
    entry = journal("J1", 1, **lines)
    of_two = tuple(
        row | {"customer_source_id": "C2" if row["source_id"] == "J1:c" else "C1"} for row in entry.rows["journals"]
    )
    entry = Payload(entry.kind, entry.source_id, 1, {"journals": of_two})
    paid = linked("P1", 2, ("payment", "P1", "journal", "J1", "70"))
    state = folded(world, unit(0), customer("C1", 0), customer("C2", 0), account("AR", 0), entry, paid)
    assert [row["to_source_id"] for row in state["allocations"]] == ["J1:b"]


def test_rows_wait_again_when_their_parent_is_withdrawn(world: World) -> None:
    invoices = put(world, "api", [document("invoices", "I1", 1, "100", "0")])
    folded(world, unit(0), customer("C1", 0), payment("P1", 1, "100", "0", I1="100"))
    with world.transaction():
        clear_rows(world, lock_extract(world, invoices))
        fold_records(world, "api")
    state = state_of(world, "api")
    assert state["invoices"] == state["allocations"] == []
    assert [row["code"] for row in state["parked"]] == ["unknown_invoice"]


def test_rows_that_wait_still_wait_after_they_were_normalised_again(world: World) -> None:
    folded(world, unit(0), customer("C1", 0))
    paid = payment("P1", 1, "100", "0", I1="100")
    part = put(world, "api", [paid])
    with world.transaction():
        fold_records(world, "api")
    waiting = state_of(world, "api")["parked"]
    with world.transaction():
        extract = lock_extract(world, part)
        clear_rows(world, extract)
        put_into(world, extract, [paid])
        fold_records(world, "api")
    assert state_of(world, "api")["parked"] == waiting != []
    assert len(folded(world, document("invoices", "I1", 2, "100", "0"))["allocations"]) == 1


def test_what_is_normalised_while_a_fold_runs_is_left_to_the_next(
    world: World, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folded(world, unit(0), customer("C1", 0), document("invoices", "I1", 1, "100", "0"))
    world.commit()

    def meanwhile(point: str) -> None:
        if point == "before_merge":
            with psycopg.connect(database) as other:
                put(other, "api", [document("invoices", "I2", 1, "100", "0")])

    monkeypatch.setattr(record_fold, "reach", meanwhile)
    with world.transaction():
        fold_records(world, "api")
    monkeypatch.undo()
    with world.transaction():
        fold_records(world, "api")
    assert set(by_id(state_of(world, "api"), "invoices")) == {"I1", "I2"}


def test_a_deletion_at_the_moment_of_a_version_wins(world: World) -> None:
    invoices = [document("invoices", f"I{number}", 1, "10", "10") for number in range(8)]
    state = folded(world, unit(0), customer("C1", 0), *invoices, *(deleted(invoice, 1) for invoice in invoices))
    assert {row["posting_status"] for row in state["invoices"]} == {"deleted"}
