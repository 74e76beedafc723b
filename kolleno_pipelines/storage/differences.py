"""The list of breaks over time, in SQL: what is there now, what was known, what was decided. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import psycopg

from kolleno_pipelines.schemas.results import Break
from kolleno_pipelines.storage.charge_sql import break_amount
from kolleno_pipelines.storage.results import Changes

_FACTS = (
    *("break_id", "connection", "kind", "left_kind", "left_source_id", "right_kind", "right_source_id"),
    *("customer_source_id", "currency_iso", "amount", "cause", "since", "evidence"),
)
_DOCUMENT = "r.amount, r.currency_iso, r.customer_id"


def _link(paying: str) -> str:
    """Amount, currency and customer of a link: the amount is in the invoice's currency, known only with the invoice."""
    invoice, payer = (
        f"(SELECT d.{{}} FROM receivables.{table} d WHERE d.source_id = r.{key} AND d.connection = p.connection)"
        for table, key in (("invoices", "invoice_id"), (f"{paying}s", f"{paying}_id"))
    )
    customer = "customer_source_id"
    return f"r.amount, {invoice.format('currency_iso')}, COALESCE({invoice.format(customer)}, {payer.format(customer)})"


#: Tables whose rows may wait: amount, currency and customer of a row.
_PARKABLE = {
    "contacts": "NULL::numeric, NULL, r.customer_id",
    "invoices": _DOCUMENT,
    "credit_notes": _DOCUMENT,
    "payments": _DOCUMENT,
    "payments_invoices": _link("payment"),
    "credit_notes_invoices": _link("credit_note"),
}


@dataclass(frozen=True)
class ParkedRow:
    """A record whose newest row waits for a parent; `since` is the version of the first row that did."""

    table_name: str
    source_id: str
    code: str
    parent_table: str
    parent_id: str
    parent_is_parked: bool
    amount: Decimal | None
    currency_iso: str | None
    customer_source_id: str | None
    file: str
    line: int
    since: datetime
    origin: str = "file"  # what `file` names: a file, or an extract of an API


@dataclass(frozen=True)
class KnownBreak:
    """A break that is there now and of which more is known than that it is open."""

    break_id: str
    status: str | None
    amount: Decimal | None
    is_accepted: bool
    accepted_amount: Decimal | None
    until: date | None


def parked_rows(conn: psycopg.Connection[Any], connection: str) -> list[ParkedRow]:
    """Return every record whose newest row waits, with the parent that it waits for, one entry per pair."""
    found: list[ParkedRow] = []
    for table, columns in _PARKABLE.items():
        rows = conn.execute(
            f"""
SELECT p.table_name, p.source_id, p.code, p.parent_table, p.parent_id,
       EXISTS (SELECT FROM sftp_csv.waiting_rows q WHERE q.connection = p.connection
               AND q.table_name = p.parent_table AND q.source_id = p.parent_id),
       {columns}, f.name, p.line,
       (SELECT min(g.name_time) FROM sftp_csv.parked_rows o JOIN raw.files g ON g.id = o.file_id
        WHERE o.connection = p.connection AND o.table_name = p.table_name AND o.source_id = p.source_id
          AND o.parent_table = p.parent_table AND o.parent_id = p.parent_id)
FROM sftp_csv.waiting_rows p
JOIN raw.files f ON f.id = p.file_id
LEFT JOIN sftp_csv.{table} r ON r.file_id = p.file_id AND r.line = p.line
WHERE p.connection = %s AND p.table_name = %s
ORDER BY p.source_id, p.parent_table, p.parent_id""",
            (connection, table),
        )
        found += [ParkedRow(*row) for row in rows]
    return found


#: What charges, payouts and balances at payment providers say.
_OF_PROVIDERS = f"""
SELECT break_id, connection, 'charge', 'charge', source_id, '', '', customer_source_id, currency_iso,
       {break_amount("c")}, NULL, since, jsonb_build_object('outcome', outcome, 'says', evidence)
FROM reconciliation.charges c WHERE connection = ANY(%(connections)s) AND break_id IS NOT NULL
UNION ALL
SELECT break_id, connection, 'payout', 'payout', payout_source_id,
       CASE WHEN leg = 'bank' THEN 'bank_line' ELSE 'balance_transaction' END,
       COALESCE(bank_line_source_id, balance_transaction_source_id), NULL, currency_iso, amount, NULL, since,
       jsonb_strip_nulls(jsonb_build_object('code', code, 'charge', charge_source_id, 'says', evidence))
FROM reconciliation.payout_exceptions WHERE connection = ANY(%(connections)s) AND is_break
UNION ALL
SELECT break_id, connection, 'balance_proof', 'balance', currency_iso, 'snapshot', source_id, NULL, currency_iso,
       change, NULL, since, jsonb_build_object('computed', computed::text, 'stated', (available + pending)::text)
FROM reconciliation.balance_proofs WHERE connection = ANY(%(connections)s) AND is_break
UNION ALL
SELECT break_id, connection, 'balance_row', 'balance_transaction', balance_transaction_source_id, '', '', NULL,
       currency_iso, amount, NULL, since,
       jsonb_strip_nulls(jsonb_build_object('code', code, 'charge', charge_source_id, 'says', evidence))
FROM reconciliation.balance_exceptions WHERE connection = ANY(%(connections)s)"""


def stage_present(conn: psycopg.Connection[Any], connections: Sequence[str]) -> None:
    """Lay out `present_breaks`: the breaks that the other results hold now."""
    conn.execute(
        f"CREATE TEMP TABLE present_breaks ON COMMIT DROP AS SELECT {', '.join(_FACTS)}"
        " FROM reconciliation.differences WITH NO DATA"
    )
    facts = ", ".join(_FACTS)
    conn.execute(
        f"""
INSERT INTO present_breaks ({facts})
SELECT break_id, connection, 'balance_allocation_mismatch', kind, source_id, '', '', customer_source_id, currency_iso,
       difference, cause, since,
       evidence || jsonb_build_object('amount', amount::text, 'allocated', allocated::text, 'balance', balance::text)
FROM reconciliation.balances WHERE connection = ANY(%(connections)s)
UNION ALL
SELECT {facts} FROM reconciliation.findings WHERE connection = ANY(%(connections)s)
UNION ALL
SELECT break_id, connection, 'control_total', 'customer', customer_source_id, 'currency', currency_iso,
       customer_source_id, currency_iso, difference, cause, since,
       jsonb_build_object('computed', computed::text, 'stated', stated::text)
FROM reconciliation.control_total_breaks WHERE connection = ANY(%(connections)s)
UNION ALL
SELECT break_id, connection, 'account_total', 'account', account_source_id, 'currency', currency_iso,
       NULL, currency_iso, difference, cause, since,
       jsonb_build_object('account', name, 'computed', computed::text, 'stated', stated::text)
FROM reconciliation.account_totals WHERE connection = ANY(%(connections)s) AND is_break
UNION ALL
SELECT break_id, connection, 'agreement', kind, source_id, mirror, mirror_source_id, customer_source_id, currency_iso,
       COALESCE(NULLIF(COALESCE(balance, 0) - COALESCE(mirror_balance, 0), 0),
                COALESCE(amount, 0) - COALESCE(mirror_amount, 0)), cause, since,
       jsonb_strip_nulls(jsonb_build_object(
           'differs', differs, 'ref', ref, 'amount', amount::text, 'mirror_amount', mirror_amount::text,
           'balance', balance::text, 'mirror_balance', mirror_balance::text, 'date_issued', date_issued))
FROM reconciliation.agreement_breaks WHERE connection = ANY(%(connections)s)
UNION ALL
{_OF_PROVIDERS}""",
        {"connections": list(connections)},
    )


def stage_breaks(conn: psycopg.Connection[Any], breaks: Iterable[Break]) -> None:
    """Add breaks to `present_breaks`."""
    with conn.cursor() as cursor, cursor.copy(f"COPY present_breaks ({', '.join(_FACTS)}) FROM STDIN") as copy:
        for one in breaks:
            copy.write_row([getattr(one, fact) for fact in _FACTS])


def carry_over(
    conn: psycopg.Connection[Any],
    connections: Sequence[str],
    today: date,
    status_of: Callable[[KnownBreak], str],
) -> Changes:
    """Bring the list to what is present; `status_of` decides about breaks that were accepted or resolved before.

    A new break is open, an open or reopened one stays so, one that is not there any more is resolved.
    """
    conn.execute("CREATE UNIQUE INDEX ON present_breaks (break_id)")
    conn.execute("ANALYZE present_breaks")
    known = [KnownBreak(*row) for row in conn.execute(_KNOWN)]
    conn.execute("CREATE TEMP TABLE next_statuses (break_id text PRIMARY KEY, status text) ON COMMIT DROP")
    with conn.cursor() as cursor, cursor.copy("COPY next_statuses FROM STDIN") as copy:
        for one in known:
            copy.write_row((one.break_id, status_of(one)))
    written = conn.execute(_WRITE).rowcount
    resolved = conn.execute(
        "UPDATE reconciliation.differences d SET status = 'resolved', resolved_on = %s"
        " WHERE d.connection = ANY(%s) AND d.status <> 'resolved'"
        " AND NOT EXISTS (SELECT FROM present_breaks p WHERE p.break_id = d.break_id)",
        (today, list(connections)),
    ).rowcount
    return Changes(written, resolved)


_LAST_DECISIONS = """
(SELECT DISTINCT ON (break_id) break_id, decision, decided_by, why, until, amount, decided_at
 FROM reconciliation.difference_decisions ORDER BY break_id, id DESC)"""

_KNOWN = f"""
SELECT p.break_id, COALESCE(d.status, CASE WHEN l.decision = 'reopen' THEN 'reopened' END), p.amount,
       COALESCE(l.decision = 'accept', false), l.amount, l.until
FROM present_breaks p
LEFT JOIN reconciliation.differences d ON d.break_id = p.break_id
LEFT JOIN {_LAST_DECISIONS} l ON l.break_id = p.break_id
WHERE d.status IN ('accepted', 'resolved') OR l.decision = 'accept' OR d.break_id IS NULL AND l.decision = 'reopen'"""

_OLD = ", ".join(f"d.{fact}" for fact in _FACTS)
_DECIDED = "accepted_by, why, until, accepted_amount, accepted_at"
#: Breaks that leave no trace of their own version: `since` stays while the amount does.
_UNDATED = "('control_total', 'account_total', 'agreement', 'hierarchy_cycle')"
_SINCE = (
    f"CASE WHEN p.kind IN {_UNDATED} AND d.status <> 'resolved' AND d.amount IS NOT DISTINCT FROM p.amount"
    " THEN LEAST(d.since, p.since) ELSE p.since END"
)
_NEW = ", ".join(_SINCE if fact == "since" else f"p.{fact}" for fact in _FACTS)
_WRITE = f"""
INSERT INTO reconciliation.differences AS t ({", ".join(_FACTS)}, status, {_DECIDED})
SELECT {_NEW}, COALESCE(n.status, d.status, 'open'),
       a.decided_by, l.why, a.until, a.amount, a.decided_at
FROM present_breaks p
LEFT JOIN reconciliation.differences d ON d.break_id = p.break_id
LEFT JOIN next_statuses n ON n.break_id = p.break_id
LEFT JOIN {_LAST_DECISIONS} l ON l.break_id = p.break_id
LEFT JOIN {_LAST_DECISIONS} a ON a.break_id = p.break_id AND a.decision = 'accept'
WHERE d.break_id IS NULL OR d.resolved_on IS NOT NULL
   OR (d.status, {_OLD}) IS DISTINCT FROM (COALESCE(n.status, d.status, 'open'), {_NEW})
ON CONFLICT (break_id) DO UPDATE SET
    ({", ".join(_FACTS[1:])}, status, resolved_on) =
    ROW ({", ".join(f"excluded.{fact}" for fact in _FACTS[1:])}, excluded.status, NULL::date)"""


def decide(
    conn: psycopg.Connection[Any],
    break_id: str,
    decision: str,
    *,
    why: str,
    by: str,
    until: date | None,
    among: Collection[str],
) -> str | None:
    """Note an operator's decision about a break and give it its new status; returns the status before, None: unknown.

    Nothing is noted unless the status before is `among` those given. What it writes is locked first, in the order in
    which a run locks it: the two wait for each other, and never crosswise.
    """
    conn.execute("LOCK TABLE reconciliation.differences, reconciliation.difference_decisions IN ROW EXCLUSIVE MODE")
    row = conn.execute(
        "SELECT status, amount FROM reconciliation.differences WHERE break_id = %s FOR UPDATE", (break_id,)
    ).fetchone()
    if row is None or row[0] not in among:
        return row[0] if row else None
    conn.execute(
        "INSERT INTO reconciliation.difference_decisions (break_id, decision, why, decided_by, until, amount)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (break_id, decision, why, by, until, row[1]),
    )
    if decision == "accept":
        _accept(conn, break_id, why, by, until)
    else:
        _reopen(conn, break_id, why)
    return str(row[0])


def _accept(conn: psycopg.Connection[Any], break_id: str, why: str, by: str, until: date | None) -> None:
    conn.execute(
        "UPDATE reconciliation.differences SET status = 'accepted', accepted_by = %s, why = %s, until = %s,"
        " accepted_amount = amount, accepted_at = now() WHERE break_id = %s",
        (by, why, until, break_id),
    )


def _reopen(conn: psycopg.Connection[Any], break_id: str, why: str) -> None:
    conn.execute(
        "UPDATE reconciliation.differences SET status = 'reopened', accepted_by = NULL, why = %s, until = NULL,"
        " accepted_amount = NULL, accepted_at = NULL WHERE break_id = %s",
        (why, break_id),
    )
