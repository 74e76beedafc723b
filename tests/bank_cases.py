"""The cases of the sandbox's bank as payloads, folded beside Stripe's account and the ledger. No SFTP."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from kolleno_pipelines.connectors.bank_files.connector import BANK_FILES
from kolleno_pipelines.connectors.bank_files.documents import read_document
from kolleno_pipelines.connectors.payload_blocks import normalise_block, payload_blocks
from kolleno_pipelines.sandbox.bank.files import File
from kolleno_pipelines.storage.extracts import Landed, note_landed, note_normalised
from kolleno_pipelines.storage.record_fold import fold_records
from kolleno_pipelines.storage.record_rows import put_rows
from tests.receivables_rows import rows


@dataclass(frozen=True)
class Bank:
    """What reconciliation needs to know of a bank."""

    name: str
    ledger: str
    payout_window: timedelta = timedelta(days=5)


def fold_files(url: str, connection: str, ledger: str, files: Iterable[File], *, at_once: bool = False) -> list[str]:
    """Put what the files say, in one reading or each in its own, and fold; returns why anything was set aside."""
    files, aside = list(files), list[str]()
    with psycopg.connect(url) as conn:
        for part in [files] if at_once else [[file] for file in files]:
            found = [one for file in part for one in read_document(file.data, file.name)]
            for extract in BANK_FILES.extracts:
                payloads = [one.payload for one in found if one.extract == extract.name]
                aside += _put(conn, connection, extract.name, payloads, part[-1].modified)
        fold_records(conn, connection, ledger=ledger)
    return aside


def _put(
    conn: psycopg.Connection[tuple[object, ...]], connection: str, name: str, payloads: list[bytes], at: datetime
) -> list[str]:
    if not payloads:
        return []
    extract, aside = BANK_FILES.extract(name), []
    landed = note_landed(conn, Landed(connection, name, "changes", at.date(), at, "0" * 64, 1, len(payloads)))
    for table, unreadable in payload_blocks(io.BytesIO(b"\n".join(payloads)), extract.schema):
        block = normalise_block(BANK_FILES.normalise, name, table)
        aside += [one.reason for one in (*unreadable, *block.quarantined)]
        put_rows(conn, landed, block)
    note_normalised(conn, landed.id, len(aside))
    return aside


def bank_outcomes(url: str, connection: str) -> dict[str, tuple[str, str]]:
    """Outcome at the bank, and by what the line was found, by payout."""
    query = (
        "SELECT source_id, bank_outcome, COALESCE(bank_resolver, '') FROM reconciliation.payouts WHERE connection = %s"
    )
    return {row[0]: row[1:] for row in rows(url, query, connection)}  # type: ignore[misc]


def bank_exceptions(url: str, connection: str) -> list[tuple[object, ...]]:
    """Payout, code, amount, sentence."""
    query = (
        "SELECT payout_source_id, code, amount, evidence FROM reconciliation.payout_exceptions"
        " WHERE connection = %s AND leg = 'bank' ORDER BY 1, 2"
    )
    return rows(url, query, connection)
