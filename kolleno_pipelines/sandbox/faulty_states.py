"""Faults that only show against other records: parked rows, older inputs, documents that contradict each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kolleno_pipelines.sandbox.fault_kit import Cells, ExpectedFinding, FaultCase, Kit, lines_of
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.sftp_tables import TableName

Maker = Callable[[Kit], FaultCase]
_INVOICES, _CUSTOMERS = TableName.INVOICES, TableName.CUSTOMERS
_PAYMENTS, _LINKS = TableName.PAYMENTS, TableName.PAYMENTS_INVOICES


def unknown_customer(kit: Kit) -> FaultCase:
    """An invoice of a customer that was never sent."""
    bad = [(kit.invoice("x", customer_id=kit.id("nobody")), ("customer_id",))]
    return kit.row_case(Code.UNKNOWN_CUSTOMER, "a customer never sent", _INVOICES, bad)


def unknown_invoice(kit: Kit) -> FaultCase:
    """A link to an invoice that was never sent; its payment is not explained while it waits."""
    files = kit.batch({
        _PAYMENTS: [kit.payment("m2")],
        _LINKS: [kit.link("payment", "m2", "nothing", "60.00")],
    })  # fmt: skip
    expected = (
        ExpectedFinding(Code.UNKNOWN_INVOICE, kit.name(_LINKS), 3, "invoice_id"),
        ExpectedFinding(Code.BALANCE_ALLOCATION_MISMATCH, kind="payment", source_id=kit.id("m2")),
    )
    return FaultCase(Code.UNKNOWN_INVOICE, "an invoice never sent", (files,), expected)


def unknown_credit_note(kit: Kit) -> FaultCase:
    """A link from a credit note that was never sent; its invoice ties without it."""
    table = TableName.CREDIT_NOTES_INVOICES
    bad = [(kit.link("credit_note", "nothing", "i2", "5.00"), ("credit_note_id",))]
    return kit.row_case(Code.UNKNOWN_CREDIT_NOTE, "a credit note never sent", table, bad)


def unknown_payment(kit: Kit) -> FaultCase:
    """A link from a payment that was never sent; its invoice ties without it."""
    bad = [(kit.link("payment", "nothing", "i2", "5.00"), ("payment_id",))]
    return kit.row_case(Code.UNKNOWN_PAYMENT, "a payment never sent", _LINKS, bad)


def superseded(kit: Kit) -> FaultCase:
    """The evening's file is in when the morning's arrives and says otherwise about one invoice."""
    evening = replace(kit, hour=18)
    newer = evening.batch()
    older = kit.batch({_INVOICES: [kit.invoice("i2", ref="older words")]}, bare=True)
    found = ExpectedFinding(Code.SUPERSEDED, kit.name(_INVOICES), 2)
    return FaultCase(Code.SUPERSEDED, "an older file after a newer one", (newer, older), (found,))


def newer_parked(kit: Kit) -> FaultCase:
    """A newer row of an invoice waits for its customer when an older row of it loads."""
    evening = replace(kit, hour=18)
    waiting = [kit.invoice("x", customer_id=kit.id("nobody"))]
    newer = evening.batch({_INVOICES: waiting})
    older = kit.batch({_INVOICES: [kit.invoice("x")]}, bare=True)
    line = lines_of(kit.columns(_INVOICES), (*evening.rows[_INVOICES], *waiting))[-1]
    expected = (
        ExpectedFinding(Code.UNKNOWN_CUSTOMER, evening.name(_INVOICES), line, "customer_id"),
        ExpectedFinding(Code.NEWER_PARKED, kit.name(_INVOICES), 2),
    )
    return FaultCase(Code.NEWER_PARKED, "an older row loads, a newer one waits", (newer, older), expected)


def _state(kit: Kit, code: Code, title: str, found: list[tuple[Code, str, str]], **rows: list[Cells]) -> FaultCase:
    """A batch whose rows are good one by one; `rows` by table name, `found` as (code, kind, id)."""
    changes = {TableName(name): each for name, each in rows.items()}
    extra = {_INVOICES: ("status",), _CUSTOMERS: ("parent_id",)}
    expected = tuple(ExpectedFinding(each, kind=kind, source_id=kit.id(name)) for each, kind, name in found)
    return FaultCase(code, title, (kit.batch(changes, columns=extra),), expected)


def over_allocated(kit: Kit) -> FaultCase:
    """A payment of 60 pays 50 twice."""
    invoices = [kit.invoice(name, balance="0.00") for name in ("x", "y")]
    links = [kit.link("payment", "m2", name, "50.00") for name in ("x", "y")]
    found = [
        (Code.OVER_ALLOCATED, "payment", "m2"),
        (Code.BALANCE_ALLOCATION_MISMATCH, "payment", "m2"),
    ]
    rows = {"invoices": invoices, "payments": [kit.payment("m2")], "payments_invoices": links}
    return _state(kit, Code.OVER_ALLOCATED, "100 allocated of a payment of 60", found, **rows)


def currency_mismatch(kit: Kit) -> FaultCase:
    """Euros pay a dollar invoice: that explains the invoice, but nothing in euros explains the payment."""
    return _state(
        kit,
        Code.CURRENCY_MISMATCH,
        "EUR pays USD",
        [(Code.CURRENCY_MISMATCH, "payment", "m2"), (Code.BALANCE_ALLOCATION_MISMATCH, "payment", "m2")],
        invoices=[kit.invoice("x", amount="60.00", balance="0.00")],
        payments=[kit.payment("m2", currency_iso="EUR")],
        payments_invoices=[kit.link("payment", "m2", "x", "60.00")],
    )


def customer_mismatch(kit: Kit) -> FaultCase:
    """A customer pays for a stranger."""
    return _state(
        kit,
        Code.CUSTOMER_MISMATCH,
        "another group's invoice",
        [(Code.CUSTOMER_MISMATCH, "payment", "m2")],
        invoices=[kit.invoice("x", amount="60.00", balance="0.00")],
        payments=[kit.payment("m2", customer_id=kit.id("c2"))],
        payments_invoices=[kit.link("payment", "m2", "x", "60.00")],
    )


def balance_allocation_mismatch(kit: Kit) -> FaultCase:
    """An invoice of 50 with 20 open and nothing that says why."""
    found = [(Code.BALANCE_ALLOCATION_MISMATCH, "invoice", "x")]
    rows = {"invoices": [kit.invoice("x", balance="20.00")]}
    return _state(kit, Code.BALANCE_ALLOCATION_MISMATCH, "30 settled by nothing", found, **rows)


def closed_with_balance(kit: Kit) -> FaultCase:
    """The status says paid, the balance says open."""
    found = [(Code.CLOSED_WITH_BALANCE, "invoice", "x")]
    rows = {"invoices": [kit.invoice("x", status="paid")]}
    return _state(kit, Code.CLOSED_WITH_BALANCE, "paid, yet 50 open", found, **rows)


def hierarchy_cycle(kit: Kit) -> FaultCase:
    """Two customers are each other's parents: one finding for the ring, under its smallest id."""
    found = [(Code.HIERARCHY_CYCLE, "customer", "c3")]
    rows = {"customers": [kit.customer("c3", parent_id=kit.id("c4")), kit.customer("c4", parent_id=kit.id("c3"))]}
    return _state(kit, Code.HIERARCHY_CYCLE, "parents of each other", found, **rows)


MAKERS: tuple[Maker, ...] = (
    unknown_customer,
    unknown_invoice,
    unknown_credit_note,
    unknown_payment,
    superseded,
    newer_parked,
    over_allocated,
    currency_mismatch,
    customer_mismatch,
    balance_allocation_mismatch,
    closed_with_balance,
    hierarchy_cycle,
)
