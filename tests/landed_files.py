"""Lands a text as one file and collects everything that comes of it, for the tests of validation."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from kolleno_pipelines.connectors.sftp.landing import Landing, LandingOptions, land
from kolleno_pipelines.connectors.sftp.tally import Summary
from kolleno_pipelines.schemas.codes import Code
from kolleno_pipelines.schemas.findings import FileFailed, Finding, RejectedRow
from kolleno_pipelines.schemas.sftp_tables import TABLES, TableName

INVOICE_HEADER = "id,customer_id,ref,amount,balance,currency_iso,date_issued,date_due"
CUSTOMER_HEADER = (
    "id,name,ref,currency_iso,address_line_1,address_line_2,postal_code,city,state,country_iso,credit_limit_amount"
)
CONTACT_HEADER = "id,customer_id,first_name,last_name,email,phone,is_primary"
LINK_HEADER = "payment_id,invoice_id,amount"


@dataclass
class Landed:
    """All that one landing gave: rows that stay, rejected rows in the order of lines, warnings, summary."""

    landing: Landing
    rows: list[dict[str, Any]]
    rejected: list[RejectedRow]
    warnings: list[Finding]
    summary: Summary

    @property
    def rejections(self) -> list[tuple[int | None, str | None, Code]]:
        return [(f.line, f.column, f.code) for row in self.rejected for f in row.findings]

    @property
    def warned(self) -> list[tuple[int | None, str | None, Code]]:
        return [(f.line, f.column, f.code) for f in self.warnings]


def landed(table: str, content: str | bytes, **options: Any) -> Landed:
    data = content.encode() if isinstance(content, str) else content
    landing = land(lambda: io.BytesIO(data), TABLES[TableName(table)], LandingOptions(**options))
    blocks = list(landing.blocks())
    withdrawn = list(landing.duplicates())
    gone = {row.line for row in withdrawn}
    rows = [row for block in blocks for row in block.rows.to_pylist() if row["line"] not in gone]
    rejected = sorted([*(row for block in blocks for row in block.rejected), *withdrawn], key=lambda row: row.line)
    result = Landed(landing, rows, rejected, [w for block in blocks for w in block.warnings], landing.summary)
    assert result.summary.rows_rejected == len(rejected)
    assert result.summary.rows_read == result.summary.rows_accepted + len(rejected)
    return result


def failure(table: str, content: str | bytes, **options: Any) -> list[Finding]:
    try:
        landed(table, content, **options)
    except FileFailed as failed:
        return list(failed.findings)
    return []


def invoices(*rows: str, header: str = INVOICE_HEADER, end: str = "\n") -> str:
    return end.join((header, *rows)) + end


def invoice(**cells: str) -> str:
    good = {"id": "I1", "customer_id": "C1", "ref": "R-1", "amount": "100.00", "balance": "40.00"}
    good |= {"currency_iso": "USD", "date_issued": "2026-01-10", "date_due": "2026-02-09"}
    return ",".join((good | cells).values())
