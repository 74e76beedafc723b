"""SQL that lays out charges with the ledger's payments that stand for them, and what went back. Nothing is run here.

Pure text over `receivables` and the working tables that storage/charges.py makes of it. Most charges have one payment
that is theirs alone: only the others (`tangled`) are grouped.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.payout_words import ChargeOutcome

#: The charges of connections. `rank` says who a payment stands for where several charges claim it: one whose money
#: is there before one that failed.
_MONEY_OF = """(
    SELECT s.*, CASE WHEN state IN ('taken', 'failed_late') THEN full_amount ELSE 0 END AS money,
           CASE state WHEN 'taken' THEN 0 WHEN 'failed_late' THEN 1 WHEN 'pending' THEN 2 ELSE 3 END AS rank
    FROM (
        SELECT source_id, currency_iso, created_at, customer_source_id, observed_at, amount,
               is_own, own_reference,
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
    ) s
)"""
_MONEY = _MONEY_OF.format(whose="connection = %(connection)s")
_RIVALS = _MONEY_OF.format(whose="connection = ANY(%(others)s)")


def _claims(resolver: str, condition: str, *keyed: tuple[str, str]) -> str:
    """Return charges beside the payments that carry their key; `keyed`: (key, condition) of payments.

    Keys are plain columns as far as may be: the planner knows how often their values come.
    """
    payments = " UNION ALL ".join(
        f"SELECT {key} AS key, source_id, kind, amount, observed_at, currency_iso, posting_status"
        " FROM receivables.payments p WHERE connection = %(ledger)s"
        f" AND posting_status IN ('posted', 'voided', 'deleted') AND {of_payment}"
        for key, of_payment in keyed
    )
    return f"""
SELECT c.source_id AS charge, c.rank, p.source_id AS payment, p.kind, p.amount, p.observed_at,
       p.currency_iso <> c.currency_iso AS is_foreign, p.posting_status <> 'posted' AS is_void, '{resolver}' AS resolver
FROM {_MONEY} c JOIN ({payments}) p ON p.key = {condition}"""


CLAIMS = _claims(
    "own",
    "c.own_reference WHERE c.is_own AND btrim(c.own_reference) <> ''",
    ("psp_reference", "psp_reference IS NOT NULL"),
    ("ref", "psp_reference IS DISTINCT FROM ref"),
)


def claims_by_charge_id(field: str) -> str:
    """Return the payments that carry a charge's id in a field, of charges of which the reference gave nothing."""
    nothing = "WHERE NOT EXISTS (SELECT FROM claims k WHERE k.charge = c.source_id AND NOT k.is_void)"
    return _claims("charge_id", f"c.source_id {nothing}", (field, "true"))


#: Charges of other connections that would find a payment claimed here: by the same reference, or with the same id.
RIVAL_CLAIMS = f"""
SELECT k.payment, r.rank
FROM claims k JOIN receivables.charges c ON c.source_id = k.charge AND c.connection = %(connection)s
JOIN {_RIVALS} r ON r.own_reference = c.own_reference AND r.is_own WHERE k.resolver = 'own' AND NOT k.is_void
UNION ALL
SELECT k.payment, r.rank FROM claims k JOIN {_RIVALS} r ON r.source_id = k.charge
WHERE k.resolver = 'charge_id' AND NOT k.is_void"""
NO_RIVAL_CLAIMS = "SELECT payment, rank FROM claims WHERE false"

#: Payments that several charges claim, and how many of the best rank do.
CONTESTED = """
WITH everybody AS (
    SELECT payment, rank FROM claims WHERE NOT is_void UNION ALL SELECT payment, rank FROM rival_claims
)
SELECT k.payment, m.best, count(*) AS claimants
FROM (SELECT payment, min(rank) AS best FROM everybody GROUP BY 1 HAVING count(*) > 1) m
JOIN everybody k ON k.payment = m.payment AND k.rank = m.best
GROUP BY 1, 2"""

#: Charges with more than one payment, one that is void, or one that is contested.
TANGLED = """
SELECT k.charge FROM claims k LEFT JOIN contested x ON x.payment = k.payment
GROUP BY 1 HAVING count(*) > 1 OR bool_or(k.is_void OR x.payment IS NOT NULL)"""

#: What the ledger has of each of them.
PAID_TANGLED = """
SELECT charge AS source_id, min(resolver) FILTER (WHERE stands) AS resolver,
       max(observed_at) FILTER (WHERE stands) AS observed_at,
       count(*) FILTER (WHERE stands AND is_void) AS voided, count(*) FILTER (WHERE stands AND NOT is_void) AS payments,
       count(*) FILTER (WHERE stands AND NOT is_void AND is_foreign) AS other_currency,
       count(*) FILTER (WHERE stands AND NOT is_void AND claimants > 1) AS shared,
       COALESCE(sum(amount) FILTER (WHERE stands AND NOT is_void AND NOT is_foreign), 0) AS paid,
       array_agg(payment ORDER BY payment COLLATE "C") FILTER (WHERE stands AND NOT is_void) AS ids
FROM (SELECT k.*, x.claimants, x.payment IS NULL OR k.rank = x.best AS stands
      FROM claims k JOIN tangled t ON t.charge = k.charge LEFT JOIN contested x ON x.payment = k.payment) k
GROUP BY 1"""

#: A refund counts when its money is gone, a dispute until it is won. One in another currency counts for the whole.
#: What gave back the part of an authorisation that was not captured is no refund: `money` leaves it out already.
WENT_BACK = f"""
SELECT charge AS source_id, sum(amount) FILTER (WHERE what = 'refunded') AS refunded,
       sum(amount) FILTER (WHERE what = 'disputed') AS disputed, sum(amount) FILTER (WHERE what = 'failed') AS failed,
       max(observed_at) AS observed_at
FROM (
    SELECT c.source_id AS charge, 'refunded' AS what, r.observed_at,
           CASE WHEN r.currency_iso = c.currency_iso THEN r.amount ELSE c.money END AS amount
    FROM receivables.refunds r JOIN {_MONEY} c ON c.source_id = r.charge_source_id
    WHERE r.connection = %(connection)s AND r.failure_balance_transaction_source_id IS NULL
      AND (r.status = 'succeeded' OR r.status = 'pending' AND r.balance_transaction_source_id IS NOT NULL)
      AND (c.full_amount = c.amount OR r.balance_transaction_source_id IS NOT NULL AND NOT EXISTS (
          SELECT FROM receivables.balance_transactions t
          WHERE t.source_id = r.balance_transaction_source_id AND t.connection = r.connection
            AND t.reporting_category = 'partial_capture_reversal'))
    UNION ALL
    SELECT c.source_id, CASE WHEN d.reason = ANY(%(failures)s) THEN 'failed' ELSE 'disputed' END, d.observed_at,
           CASE WHEN d.currency_iso = c.currency_iso THEN d.amount ELSE c.money END
    FROM receivables.disputes d JOIN {_MONEY} c ON c.source_id = d.charge_source_id
    WHERE d.connection = %(connection)s
      AND (d.status = ANY(%(disputed)s)
           OR d.status <> ALL(%(harmless)s) AND jsonb_array_length(COALESCE(d.balance_transactions, '[]')) = 1)
    UNION ALL
    SELECT source_id, 'failed', observed_at, money FROM {_MONEY} c WHERE state = 'failed_late'
) b {{only}} GROUP BY 1"""
OF_VOIDED = "WHERE charge IN (SELECT k.charge FROM claims k WHERE k.is_void)"

#: What is paid back out of a payment in the ledger is not applied.
APPLIED = """
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

_JOINED = f"""
SELECT c.source_id, c.state, c.money, c.full_amount, c.amount, c.is_released, c.surcharge, c.currency_iso, c.created_at,
       c.customer_source_id, c.failure_row,
       CASE WHEN c.is_own AND btrim(c.own_reference) <> '' THEN c.own_reference END AS own_reference,
       COALESCE(k.resolver, p.resolver) AS resolver,
       CASE WHEN k.charge IS NULL THEN COALESCE(p.payments, 0) ELSE 1 END AS payments, COALESCE(p.voided, 0) AS voided,
       CASE WHEN k.charge IS NULL THEN COALESCE(p.other_currency, 0) ELSE k.is_foreign::integer END AS other_currency,
       COALESCE(p.shared, 0) AS shared,
       CASE WHEN k.charge IS NULL THEN COALESCE(p.paid, 0) WHEN k.is_foreign THEN 0 ELSE k.amount END AS paid,
       CASE WHEN k.charge IS NULL THEN p.ids ELSE ARRAY[k.payment] END AS ids,
       COALESCE(w.refunded, 0) AS refunded, COALESCE(w.disputed, 0) AS disputed, COALESCE(w.failed, 0) AS failed,
       w.source_id IS NOT NULL AS went_back,
       GREATEST(c.observed_at, k.observed_at, p.observed_at, w.observed_at) AS since
FROM {_MONEY} c
LEFT JOIN paid_tangled p ON p.source_id = c.source_id
LEFT JOIN claims k ON k.charge = c.source_id AND p.source_id IS NULL
LEFT JOIN went_back w ON w.source_id = c.source_id"""

#: The ledger may void payments for what went back; then it lacks no more than that.
_IS_RETURNED = """f.voided > 0 AND f.full_amount - f.surcharge > f.paid
       AND f.full_amount - f.surcharge - f.paid <= f.refunded + f.disputed + f.failed"""

#: Every charge as its rules take it (CHARGES).
CHARGE_FACTS = f"""
SELECT f.source_id, f.state, f.money, f.surcharge, f.currency_iso, f.created_at, f.customer_source_id, f.own_reference,
       f.resolver, f.payments, {_IS_RETURNED} AS is_returned, f.other_currency, f.shared, f.paid,
       CASE WHEN f.went_back THEN COALESCE(a.applied, 0) END AS applied, f.refunded, f.disputed, f.failed,
       to_jsonb(f.ids) AS payment_source_ids, GREATEST(f.since, a.observed_at) AS since
FROM ({_JOINED}) f LEFT JOIN applied a ON a.source_id = f.source_id"""

#: Every charge as items of payouts are compared with it, and what is wrong with its payments.
PAID_CHARGES = f"""
SELECT f.source_id, f.amount, f.full_amount, f.is_released, f.currency_iso, f.created_at, f.failure_row, f.paid,
       f.expected, f.resolver IS NOT DISTINCT FROM 'charge_id' AS by_charge_id,
       f.payments = 0 AND NOT f.is_returned AND f.state <> 'failed_late' AS has_no_payment,
       f.other_currency > 0 AS has_foreign_payment,
       f.payments > 0 AND f.other_currency = 0 AND f.paid <> f.expected AND NOT f.is_returned AS has_wrong_sum,
       f.shared > 0 AS has_shared_payment
FROM (SELECT f.*, f.full_amount - f.surcharge AS expected, {_IS_RETURNED} AS is_returned FROM ({_JOINED}) f) f"""

_TOO_MUCH_APPLIED = (
    ChargeOutcome.REFUND_NOT_IN_LEDGER,
    ChargeOutcome.DISPUTE_NOT_IN_LEDGER,
    ChargeOutcome.FAILURE_NOT_IN_LEDGER,
)


def break_amount(row: str) -> str:
    """Return by how much the ledger differs from a charge that asks for somebody, of a row of the result.

    Above 0 the ledger lacks money, below 0 it shows too much, or has too much applied. Where nothing can be subtracted,
    as a payment is shared or of another currency, it is the whole charge.
    """
    outcomes = ", ".join(f"'{one.value}'" for one in _TOO_MUCH_APPLIED)
    return (
        f"CASE WHEN {row}.outcome IN ({outcomes}) THEN"
        f" GREATEST({row}.amount - {row}.refunded - {row}.disputed - {row}.failed, 0) - {row}.applied"
        f" ELSE COALESCE(NULLIF({row}.difference, 0), {row}.amount) END"
    )
