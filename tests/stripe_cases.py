"""The cases of the sandbox's Stripe accounts as payloads, normalised and folded, with the ledger's side. No HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime

import psycopg

from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.connectors.stripe.connector import STRIPE
from kolleno_pipelines.sandbox.stripe.account import balance
from kolleno_pipelines.sandbox.stripe.book import Json, Kind, stamp
from kolleno_pipelines.sandbox.stripe.reading import Reader, Tamper
from kolleno_pipelines.sandbox.stripe.scenes import NOW, Case
from kolleno_pipelines.storage.extracts import Landed, note_landed, note_normalised
from kolleno_pipelines.storage.record_fold import fold_records
from kolleno_pipelines.storage.record_rows import put_rows
from tests.provider_rows import Ledger

_KINDS = (Kind.BALANCE_TRANSACTIONS, Kind.CHARGES, Kind.REFUNDS, Kind.DISPUTES, Kind.PAYOUTS)


def fold_case(url: str, connection: str, case: Case, tamper: Tamper | None = None, now: datetime = NOW) -> None:
    """Put what the account's API says at a moment, and the ledger's payments, as `<connection>_qb`."""
    reader = Reader(case.ledger)
    reader.tamper = tamper or case.tamper
    with psycopg.connect(url) as conn:
        for extract, payloads in _said(reader, now):
            _put(conn, connection, extract, payloads, now)
        fold_records(conn, connection, ledger=f"{connection}_qb")
    ledger = Ledger(f"{connection}_qb")
    for one in case.erp:
        extra = json.dumps({"charge": one.charge_id}) if one.charge_id else None
        applied = "0" if one.ref in case.unapplied else None
        ledger.payment(one.id, str(one.amount), applied, ref=one.ref, currency_iso=one.currency_iso, extra=extra)
    ledger.fold(url)


def fold_payouts(url: str, connection: str, case: Case, now: datetime = NOW) -> None:
    """Put the account's payouts alone, for what looks at nothing else."""
    with psycopg.connect(url) as conn:
        _put(conn, connection, Kind.PAYOUTS.value, Reader(case.ledger).records(Kind.PAYOUTS, now), now)
        fold_records(conn, connection, ledger=f"{connection}_qb")


def _said(reader: Reader, now: datetime) -> Iterator[tuple[str, list[Json]]]:
    for kind in _KINDS:
        yield kind.value, reader.records(kind, now)
    yield "payout_members", list(_members(reader, now))
    rows = reader.ledger.book.records(Kind.BALANCE_TRANSACTIONS, now)
    newest = rows[0]["id"] if rows else None
    head = {"id": f"balance-{stamp(now)}", "created": stamp(now), "newest_balance_transaction": newest}
    yield "balance_snapshots", [head | {"balance": balance(reader.ledger, now)}]


def _members(reader: Reader, now: datetime) -> Iterator[Json]:
    for payout in reader.records(Kind.PAYOUTS, now):
        for item in reader.members(payout["id"], now):
            yield {"id": f"{payout['id']}|{item['id']}", "payout": payout["id"], "item": item}


def _put(
    conn: psycopg.Connection[tuple[object, ...]], connection: str, name: str, payloads: Iterable[Json], now: datetime
) -> None:
    lines = [json.dumps(payload) for payload in payloads]
    if not lines:
        return
    extract = STRIPE.extract(name)
    landed = note_landed(conn, Landed(connection, name, "changes", now.date(), now, "0" * 64, 1, len(lines)))
    for table, unreadable in payload_blocks(io.BytesIO("\n".join(lines).encode()), extract.schema, forms=extract.forms):
        block = normalise_block(STRIPE.normalise, name, table)
        assert not unreadable, unreadable
        assert not block.quarantined, block.quarantined
        put_rows(conn, landed, block)
    note_normalised(conn, landed.id, 0)
