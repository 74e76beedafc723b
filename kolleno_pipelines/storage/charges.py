"""Lays out a provider's charges with the payments of the ledger that stand for them, and what of their money went back.

What that means of a charge is not decided here (rules/charges.py). Joins and sums are in SQL over all charges at once;
what is read leaves in parts of bounded size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa

from kolleno_pipelines.schemas.balance_categories import DISPUTED_STATUSES, FAILURE_REASONS, HARMLESS_DISPUTE_STATUSES
from kolleno_pipelines.schemas.payouts import CHARGES
from kolleno_pipelines.storage.documents import read_table

PART = 125_000
_TABLES = "charge_money, claims, rivals, rival_claims, contested, paid_charges, went_back, applied, charge_facts"
#: Enough to keep the hashes of a million ids in memory; parallel workers take part whatever the estimates.
_SETTINGS = ("SET LOCAL work_mem = '128MB'", "SET LOCAL jit = off", "SET LOCAL temp_buffers = '64MB'")
#: Fields of a payment that may carry a charge's id; others are keys of `extra`.
_FIELDS = {"ref": "p.ref", "psp_reference": "p.psp_reference"}
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
    """Make the temp table `charge_facts`: every charge of the connection, with what the ledger has of it."""
    for setting in _SETTINGS:
        conn.execute(setting)
    conn.execute(f"DROP TABLE IF EXISTS {_TABLES}".encode())
    statements = [_MONEY, "ANALYZE charge_money", _CLAIMS, "ANALYZE claims"]
    if source.charge_id_field is not None:
        statements += [_fallback(source.charge_id_field), "ANALYZE claims"]
    statements += [_RIVALS, _RIVAL_CLAIMS] if source.others else [_NO_RIVAL_CLAIMS]
    statements += [_CONTESTED, _PAID, "ANALYZE paid_charges", _WENT_BACK, "ANALYZE went_back", _APPLIED, _FACTS]
    for statement in (*statements, "ANALYZE charge_facts"):
        conn.execute(statement.encode(), source.params)


def charge_facts(conn: psycopg.Connection[Any]) -> Iterator[pa.Table]:
    """Yield what was laid out (CHARGES), part by part."""
    row = conn.execute("SELECT COALESCE(max(part), -1) FROM charge_facts").fetchone()
    columns = ", ".join(CHARGES.names)
    for part in range(int(row[0]) + 1 if row else 0):
        query = f"SELECT {columns} FROM charge_facts WHERE part = %(part)s"
        yield read_table(conn, query, {"part": part}, CHARGES)


#: `rank` says who a payment stands for where several charges claim it: one whose money is there before one that failed.
_MONEY_OF = """
SELECT s.*, CASE WHEN state IN ('taken', 'failed_late') THEN full_amount ELSE 0 END AS money,
       CASE state WHEN 'taken' THEN 0 WHEN 'failed_late' THEN 1 WHEN 'pending' THEN 2 ELSE 3 END AS rank
FROM (
    SELECT source_id, currency_iso, created_at, customer_source_id, observed_at, amount,
           CASE WHEN is_own AND btrim(own_reference) <> '' THEN own_reference END AS own_reference,
           COALESCE(surcharge_amount, 0) AS surcharge, COALESCE(NULLIF(amount_captured, 0), amount) AS full_amount,
           amount_captured > 0 AND amount_captured + amount_refunded >= amount AS is_released,
           failure_balance_transaction_source_id AS failure_row,
           CASE WHEN failure_balance_transaction_source_id IS NOT NULL THEN 'failed_late'
                WHEN status = 'failed' THEN 'none'
                WHEN status <> 'succeeded' THEN 'pending'
                WHEN is_captured IS NOT FALSE THEN 'taken'
                WHEN amount_refunded >= amount THEN 'none'
                ELSE 'pending' END AS state
    FROM receivables.charges WHERE {whose}
) s"""
_MONEY = "CREATE TEMP TABLE charge_money ON COMMIT DROP AS" + _MONEY_OF.format(whose="connection = %(connection)s")

_CLAIM = """
SELECT c.source_id AS charge, c.rank, p.source_id AS payment, p.kind, p.amount, p.observed_at,
       p.currency_iso <> c.currency_iso AS is_foreign, p.posting_status <> 'posted' AS is_void, '{resolver}' AS resolver
FROM charge_money c JOIN receivables.payments p ON {condition}
WHERE p.connection = %(ledger)s AND p.posting_status IN ('posted', 'voided', 'deleted')"""


def _claim(resolver: str, condition: str) -> str:
    return _CLAIM.format(resolver=resolver, condition=condition)


_CLAIMS = (
    "CREATE TEMP TABLE claims ON COMMIT DROP AS"
    + _claim("own", "p.psp_reference = c.own_reference")
    + " UNION ALL"
    + _claim("own", "p.ref = c.own_reference AND p.psp_reference IS DISTINCT FROM p.ref")
)


def _fallback(field: str) -> str:
    """Payments that carry the charge's id, of charges of which the reference gave nothing."""
    column = "p.extra ->> %(key)s::text" if field.startswith(_EXTRA) else _FIELDS[field]
    nothing = " AND NOT EXISTS (SELECT FROM claims k WHERE k.charge = c.source_id AND NOT k.is_void)"
    return f"INSERT INTO claims{_claim('charge_id', f'{column} = c.source_id')}{nothing}"


#: Charges of other connections that would find a payment claimed here: by the same reference, or with the same id.
_RIVALS = "CREATE TEMP TABLE rivals ON COMMIT DROP AS" + _MONEY_OF.format(whose="connection = ANY(%(others)s)")
_RIVAL_CLAIMS = """
CREATE TEMP TABLE rival_claims ON COMMIT DROP AS
SELECT k.payment, r.rank FROM claims k JOIN charge_money c ON c.source_id = k.charge
JOIN rivals r ON r.own_reference = c.own_reference WHERE k.resolver = 'own' AND NOT k.is_void
UNION ALL
SELECT k.payment, r.rank FROM claims k JOIN rivals r ON r.source_id = k.charge
WHERE k.resolver = 'charge_id' AND NOT k.is_void"""
_NO_RIVAL_CLAIMS = "CREATE TEMP TABLE rival_claims (payment text, rank integer) ON COMMIT DROP"

_CONTESTED = """
CREATE TEMP TABLE contested ON COMMIT DROP AS
WITH everybody AS (
    SELECT payment, rank FROM claims WHERE NOT is_void UNION ALL SELECT payment, rank FROM rival_claims
)
SELECT k.payment, m.best, count(*) AS claimants
FROM (SELECT payment, min(rank) AS best FROM everybody GROUP BY 1 HAVING count(*) > 1) m
JOIN everybody k ON k.payment = m.payment AND k.rank = m.best
GROUP BY 1, 2"""

_PAID = """
CREATE TEMP TABLE paid_charges ON COMMIT DROP AS
SELECT source_id, resolver, payments, voided, other_currency, shared, paid, observed_at,
       CASE WHEN payments = 0 THEN NULL WHEN payments = 1 THEN jsonb_build_array(ids[1])
            ELSE (SELECT jsonb_agg(one ORDER BY one COLLATE "C") FROM unnest(ids) one) END AS payment_source_ids
FROM (
    SELECT k.charge AS source_id, min(k.resolver) AS resolver, max(k.observed_at) AS observed_at,
           count(*) FILTER (WHERE k.is_void) AS voided, count(*) FILTER (WHERE NOT k.is_void) AS payments,
           count(*) FILTER (WHERE NOT k.is_void AND k.is_foreign) AS other_currency,
           count(*) FILTER (WHERE NOT k.is_void AND x.claimants > 1) AS shared,
           COALESCE(sum(k.amount) FILTER (WHERE NOT k.is_void AND NOT k.is_foreign), 0) AS paid,
           array_agg(k.payment) FILTER (WHERE NOT k.is_void) AS ids
    FROM claims k LEFT JOIN contested x ON x.payment = k.payment
    WHERE x.payment IS NULL OR k.rank = x.best
    GROUP BY 1
) p"""

#: A refund counts when its money is gone, a dispute until it is won. One in another currency counts for the whole.
#: What gave back the part of an authorisation that was not captured is no refund: `money` leaves it out already.
_WENT_BACK = """
CREATE TEMP TABLE went_back ON COMMIT DROP AS
SELECT charge AS source_id, sum(amount) FILTER (WHERE what = 'refunded') AS refunded,
       sum(amount) FILTER (WHERE what = 'disputed') AS disputed, sum(amount) FILTER (WHERE what = 'failed') AS failed,
       max(observed_at) AS observed_at
FROM (
    SELECT c.source_id AS charge, 'refunded' AS what, r.observed_at,
           CASE WHEN r.currency_iso = c.currency_iso THEN r.amount ELSE c.money END AS amount
    FROM receivables.refunds r JOIN charge_money c ON c.source_id = r.charge_source_id
    WHERE r.connection = %(connection)s AND r.failure_balance_transaction_source_id IS NULL
      AND (r.status = 'succeeded' OR r.status = 'pending' AND r.balance_transaction_source_id IS NOT NULL)
      AND (c.full_amount = c.amount OR r.balance_transaction_source_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM receivables.balance_transactions t
          WHERE t.source_id = r.balance_transaction_source_id AND t.connection = r.connection
            AND t.reporting_category = 'partial_capture_reversal'))
    UNION ALL
    SELECT c.source_id, CASE WHEN d.reason = ANY(%(failures)s) THEN 'failed' ELSE 'disputed' END, d.observed_at,
           CASE WHEN d.currency_iso = c.currency_iso THEN d.amount ELSE c.money END
    FROM receivables.disputes d JOIN charge_money c ON c.source_id = d.charge_source_id
    WHERE d.connection = %(connection)s
      AND (d.status = ANY(%(disputed)s)
           OR d.status <> ALL(%(harmless)s) AND jsonb_array_length(COALESCE(d.balance_transactions, '[]')) = 1)
    UNION ALL
    SELECT source_id, 'failed', observed_at, money FROM charge_money WHERE state = 'failed_late'
) b GROUP BY 1"""

#: What is paid back out of a payment in the ledger is not applied.
_APPLIED = """
CREATE TEMP TABLE applied ON COMMIT DROP AS
SELECT k.charge AS source_id, sum(COALESCE(a.amount_from, l.amount)) AS applied, max(l.observed_at) AS observed_at
FROM went_back w
JOIN claims k ON k.charge = w.source_id AND NOT k.is_void
JOIN receivables.allocations a
    ON a.from_source_id = k.payment AND a.from_kind = k.kind AND a.connection = %(ledger)s
JOIN receivables.allocations_with_ends l
    ON l.source_id = a.source_id AND l.from_kind = a.from_kind AND l.connection = a.connection
LEFT JOIN contested x ON x.payment = k.payment
WHERE l.is_live AND a.to_kind <> 'refund' AND (x.payment IS NULL OR k.rank = x.best)
GROUP BY 1"""

#: The ledger may void payments for what went back; then it lacks no more than that.
_FACTS = f"""
CREATE TEMP TABLE charge_facts ON COMMIT DROP AS
SELECT *, voided > 0 AND full_amount - surcharge > paid
              AND full_amount - surcharge - paid <= refunded + disputed + failed AS is_returned,
       (row_number() OVER () - 1) / {PART} AS part
FROM (
SELECT c.source_id, c.state, c.money, c.full_amount, c.amount, c.is_released, c.surcharge, c.currency_iso, c.created_at,
       c.customer_source_id, c.failure_row, p.resolver, COALESCE(p.payments, 0) AS payments,
       COALESCE(p.voided, 0) AS voided, COALESCE(p.other_currency, 0) AS other_currency,
       COALESCE(p.shared, 0) AS shared, COALESCE(p.paid, 0) AS paid,
       CASE WHEN w.source_id IS NOT NULL THEN COALESCE(a.applied, 0) END AS applied,
       COALESCE(w.refunded, 0) AS refunded, COALESCE(w.disputed, 0) AS disputed, COALESCE(w.failed, 0) AS failed,
       p.payment_source_ids, GREATEST(c.observed_at, p.observed_at, w.observed_at, a.observed_at) AS since
FROM charge_money c
LEFT JOIN paid_charges p USING (source_id)
LEFT JOIN went_back w USING (source_id)
LEFT JOIN applied a USING (source_id)
) f"""
