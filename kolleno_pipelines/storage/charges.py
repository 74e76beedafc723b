"""Lays out a provider's charges with the payments of the ledger that stand for them, and what of their money went back.

What that means of a charge is not decided here (rules/charges.py). Joins and sums are in SQL over all charges at once
(charge_sql.py); what is read leaves in parts of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from kolleno_pipelines.schemas.balance_categories import DISPUTED_STATUSES, FAILURE_REASONS, HARMLESS_DISPUTE_STATUSES
from kolleno_pipelines.schemas.payouts import CHARGES
from kolleno_pipelines.storage import charge_sql
from kolleno_pipelines.storage.documents import read_table
from kolleno_pipelines.storage.working_tables import lay_out

#: Pages of the facts that are read at a time: some 40,000 charges.
PAGES = 1_000
#: Fields of a payment that may carry a charge's id; others are keys of `extra`.
_FIELDS = {"ref", "psp_reference"}
_EXTRA = "extra."


@dataclass(frozen=True)
class ChargeSource:
    """Whose charges, the ledger that they are looked for in, and the payment's field that may carry a charge's id.

    others: the other connections that serve the ledger; a payment may be claimed there as well.
    """

    connection: str
    ledger: str
    charge_id_field: str | None = None
    others: tuple[str, ...] = ()

    @property
    def params(self) -> dict[str, object]:
        """What the statements name."""
        key = (self.charge_id_field or "").removeprefix(_EXTRA)
        words: dict[str, object] = {
            "disputed": list(DISPUTED_STATUSES),
            "harmless": list(HARMLESS_DISPUTE_STATUSES),
            "failures": list(FAILURE_REASONS),
        }
        names = {"connection": self.connection, "ledger": self.ledger, "others": list(self.others)}
        return words | names | {"key": key}


def lay_out_charges(conn: psycopg.Connection[Any], source: ChargeSource) -> None:
    """Make the working table `charge_facts`: every charge of the connection, with what the ledger has of it."""
    _lay_out_claims(conn, source)
    lay_out(conn, "went_back", charge_sql.WENT_BACK.format(only=""), source.params)
    lay_out(conn, "applied", charge_sql.APPLIED, source.params)
    lay_out(conn, "charge_facts", charge_sql.CHARGE_FACTS, source.params)


def lay_out_paid_charges(conn: psycopg.Connection[Any], source: ChargeSource) -> None:
    """Make the working table `paid_charges`: of every charge of the connection, what items of payouts need."""
    _lay_out_claims(conn, source)
    lay_out(conn, "went_back", charge_sql.WENT_BACK.format(only=charge_sql.OF_VOIDED), source.params)
    lay_out(conn, "paid_charges", charge_sql.PAID_CHARGES, source.params)


def _lay_out_claims(conn: psycopg.Connection[Any], source: ChargeSource) -> None:
    """Lay out which payments stand for which charges, and where that is not one for one."""
    lay_out(conn, "claims", charge_sql.CLAIMS, source.params)
    if source.charge_id_field is not None:
        field = source.charge_id_field
        column = field if field in _FIELDS else "extra ->> %(key)s::text"
        conn.execute(f"INSERT INTO claims {charge_sql.claims_by_charge_id(column)}".encode(), source.params)
        conn.execute("ANALYZE claims")
    rivals = charge_sql.RIVAL_CLAIMS if source.others else charge_sql.NO_RIVAL_CLAIMS
    lay_out(conn, "rival_claims", rivals, source.params)
    lay_out(conn, "contested", charge_sql.CONTESTED, source.params)
    lay_out(conn, "tangled", charge_sql.TANGLED, source.params)
    lay_out(conn, "paid_tangled", charge_sql.PAID_TANGLED, source.params)


def charge_facts(conn: psycopg.Connection[Any]) -> Iterator[pa.Table]:
    """Yield what was laid out (CHARGES), part by part."""
    row = conn.execute("SELECT pg_relation_size('charge_facts') / current_setting('block_size')::integer").fetchone()
    columns = ", ".join(CHARGES.names)
    query = f"SELECT {columns} FROM charge_facts WHERE ctid >= %(first)s::tid AND ctid < %(end)s::tid"
    for page in range(0, int(row[0]) if row else 0, PAGES):
        yield read_table(conn, query, {"first": f"({page},0)", "end": f"({page + PAGES},0)"}, CHARGES)
