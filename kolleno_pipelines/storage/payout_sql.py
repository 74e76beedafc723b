"""SQL that lays out the items of payouts beside the balance's rows, their charges and the ledger. Nothing is run here.

Pure text over the tables of a provider's connection and the working table `paid_charges` (storage/charges.py). An item
is a row of a payout's own list other than the payout's own row.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.balance_categories import (
    CATEGORY_OF_TYPE,
    LINE_OF_CATEGORY,
    LINE_OF_TYPE,
    LINES_WITH_CHARGE,
    PayoutLineName,
)
from kolleno_pipelines.schemas.payout_words import ITEM_CODES, ExceptionCode

_C = ExceptionCode
_CHARGES = PayoutLineName.CHARGES.value


def _values(name: str, columns: str, pairs: dict[str, str]) -> str:
    rows = ", ".join(f"('{key}', '{value}')" for key, value in pairs.items())
    return f"(VALUES {rows}) {name} ({columns})"


_CATEGORIES = _values("kc", "type, category", CATEGORY_OF_TYPE)
_LINES = _values("kl", "category, line", {key: line.value for key, line in LINE_OF_CATEGORY.items()})
_TYPE_LINES = _values("tl", "type, line", {key: line.value for key, line in LINE_OF_TYPE.items()})
_WITH_CHARGE = ", ".join(f"'{line.value}'" for line in LINES_WITH_CHARGE)

#: What of a payout is decided by its own words, before its items are looked at.
PAYOUT_STATES = """
SELECT p.source_id, p.status, p.amount, p.currency_iso, p.created_at, p.date_arrival, p.observed_at,
       p.balance_transaction_source_id AS own_row, p.failure_balance_transaction_source_id AS failure_row,
       p.status IN ('failed', 'canceled') OR p.reversed_by_source_id IS NOT NULL AS is_reversed,
       p.is_automatic AND p.method IS DISTINCT FROM 'instant'
           AND p.reconciliation_status IS DISTINCT FROM 'not_applicable' AS is_itemisable,
       COALESCE(p.reconciliation_status = 'completed', false) AND EXISTS (
           SELECT FROM receivables.payout_members l
           WHERE l.payout_source_id = p.source_id AND l.connection = %(connection)s) AS is_complete
FROM receivables.payouts p
WHERE p.connection = %(connection)s"""

#: Of payouts p: those whose items are compared.
IS_COMPARED = "NOT p.is_reversed AND p.is_itemisable AND p.is_complete"

_IS_ITEM = """m.connection = %(connection)s AND m.balance_transaction_source_id IS DISTINCT FROM p.own_row
  AND (p.own_row IS NOT NULL OR m.type IS DISTINCT FROM 'payout')"""

#: What the rows that payouts themselves made must say.
PAYOUT_ROWS = """
SELECT own_row AS id, -amount AS amount, currency_iso FROM payout_states WHERE own_row IS NOT NULL
UNION ALL SELECT failure_row, amount, currency_iso FROM payout_states WHERE failure_row IS NOT NULL"""

#: The rows that charges, refunds and payouts name, and what they must come to; less a fee, where it is not exact.
NAMED = f"""
SELECT n.id, n.object, n.charge, n.currency_iso, n.money, n.is_exact, n.observed_at, n.created_at
FROM (
    SELECT balance_transaction_source_id AS id, source_id AS object, source_id AS charge, currency_iso,
           COALESCE(NULLIF(amount_captured, 0), amount) AS money, false AS is_exact, observed_at, created_at
    FROM receivables.charges WHERE connection = %(connection)s
    UNION ALL
    SELECT failure_balance_transaction_source_id, source_id, source_id, currency_iso,
           -COALESCE(NULLIF(amount_captured, 0), amount), false, observed_at, created_at
    FROM receivables.charges WHERE connection = %(connection)s
    UNION ALL
    SELECT balance_transaction_source_id, source_id, charge_source_id, currency_iso, -amount, true, observed_at,
           created_at
    FROM receivables.refunds WHERE connection = %(connection)s
    UNION ALL
    SELECT failure_balance_transaction_source_id, source_id, charge_source_id, currency_iso, amount, true, observed_at,
           created_at
    FROM receivables.refunds WHERE connection = %(connection)s
    UNION ALL
    SELECT own_row, source_id, NULL, currency_iso, -amount, true, observed_at, created_at FROM payout_states p
    WHERE NOT ({IS_COMPARED})
    UNION ALL
    SELECT failure_row, source_id, NULL, currency_iso, amount, true, observed_at, created_at FROM payout_states
) n WHERE n.id IS NOT NULL"""

#: Items that are in a payout more than once, or in several, by the id that their list gave them.
REPEATS = f"""
WITH often AS (
    SELECT balance_transaction_source_id AS id FROM receivables.payout_members WHERE connection = %(connection)s
    GROUP BY 1 HAVING count(*) > 1
), among AS (
    SELECT m.source_id AS member, m.payout_source_id AS payout, o.id
    FROM often o JOIN receivables.payout_members m ON m.balance_transaction_source_id = o.id
    JOIN payout_states p ON p.source_id = m.payout_source_id WHERE {_IS_ITEM}
)
SELECT a.member, a.id,
       row_number() OVER (PARTITION BY payout, id ORDER BY length(member), member COLLATE "C") AS occurrence,
       (SELECT string_agg(DISTINCT b.payout, ', ' ORDER BY b.payout) FROM among b
        WHERE b.id = a.id AND b.payout <> a.payout) AS other_payouts
FROM among a"""

#: Rows of the balance whose fee is not what it is made of.
FEE_FAULTS = """
SELECT t.source_id AS id, CASE WHEN f.lowest = t.currency_iso AND f.highest = t.currency_iso THEN f.fee END AS fee
FROM receivables.balance_transactions t
LEFT JOIN (SELECT balance_transaction_source_id AS id, sum(amount) AS fee, min(currency_iso) AS lowest,
                  max(currency_iso) AS highest
           FROM receivables.fee_details WHERE connection = %(connection)s GROUP BY 1) f ON f.id = t.source_id
WHERE t.connection = %(connection)s
  AND (t.fee <> COALESCE(f.fee, 0) OR f.lowest <> t.currency_iso OR f.highest <> t.currency_iso)"""


#: What an item is, by both lists: its line, its charge, what made it.
def _sources(members: str, condition: str) -> str:
    return f"""
SELECT m.payout_source_id AS payout, m.source_id AS member, m.balance_transaction_source_id AS id,
       COALESCE(x.occurrence, 1) AS occurrence, x.other_payouts, x.member IS NOT NULL AS is_repeated,
       COALESCE(t.type, m.type) AS type, k.category, COALESCE(tl.line, kl.line) AS line,
       m.currency_iso, p.currency_iso AS payout_currency, m.amount, m.fee, m.net,
       t.source_id IS NOT NULL AS is_known, t.amount AS t_amount, t.fee AS t_fee, t.net AS t_net,
       t.source_id IS NOT NULL AND (
           t.currency_iso <> m.currency_iso OR m.type IS NOT NULL AND t.type <> m.type
           OR m.reporting_category IS NOT NULL AND t.reporting_category IS DISTINCT FROM m.reporting_category
           OR (t.amount, t.fee, t.net) IS DISTINCT FROM (m.amount, m.fee, m.net)) AS views_differ,
       f.id IS NOT NULL AS has_fee_fault, f.fee AS details_fee,
       t.created_at, t.source_object_id, GREATEST(m.observed_at, t.observed_at) AS since,
       CASE WHEN r.currency_iso = m.currency_iso AND k.category = 'refund' THEN -r.amount
            WHEN o.currency_iso = m.currency_iso THEN o.amount END AS object_amount,
       COALESCE(t.charge_source_id, CASE WHEN t.source_kind = 'charge' THEN t.source_object_id END, r.charge_source_id,
                d.charge_source_id, fr.source_id) AS charge
FROM {members}
LEFT JOIN receivables.balance_transactions t
    ON t.source_id = m.balance_transaction_source_id AND t.connection = %(connection)s
LEFT JOIN repeats x ON x.member = m.source_id
LEFT JOIN fee_faults f ON f.id = t.source_id
LEFT JOIN receivables.refunds r ON r.source_id = t.source_object_id AND r.connection = %(connection)s
LEFT JOIN receivables.disputes d ON d.source_id = t.source_object_id AND d.connection = %(connection)s
LEFT JOIN failure_rows fr ON fr.failure_row = t.source_id
LEFT JOIN payout_rows o ON o.id = t.source_id
LEFT JOIN {_CATEGORIES} ON kc.type = COALESCE(t.type, m.type)
CROSS JOIN LATERAL (SELECT COALESCE(NULLIF(t.reporting_category, ''), NULLIF(m.reporting_category, ''), kc.category,
                                    '') AS category) k
LEFT JOIN {_LINES} ON kl.category = k.category
LEFT JOIN {_TYPE_LINES} ON tl.type = COALESCE(t.type, m.type) AND kl.line IS NOT NULL
WHERE {condition}"""


_MEMBERS = "receivables.payout_members m JOIN payout_states p ON p.source_id = m.payout_source_id"

FAILURE_ROWS = """
SELECT failure_row, min(source_id) AS source_id FROM paid_charges WHERE failure_row IS NOT NULL GROUP BY 1"""

_NAMES_CHARGE = f"s.line IN ({_WITH_CHARGE})"
_IS_CHARGE = f"s.line = '{_CHARGES}'"
#: Items whose charge was made before the cut-over are looked at no further: their payout is blocked as a whole.
_BEFORE = f"""COALESCE(c.created_at, CASE WHEN {_IS_CHARGE} THEN s.created_at END) < %(cutover)s::timestamptz"""
_SAYS_SAME = "s.is_known AND NOT s.views_differ"
_IS_OPEN = "NOT s.is_before"

#: Where the amount is what its charge or refund says, the fee alone can be wrong.
_BREAKS_NET = "NOT s.views_differ AND s.net <> s.amount - s.fee"

#: The conditions of ITEM_CODES over an item `s` with its charge.
_CONDITIONS: dict[ExceptionCode, str] = {
    _C.UNKNOWN_CATEGORY: "s.line IS NULL",
    _C.NOT_IN_BALANCE: "NOT s.is_known",
    _C.UNKNOWN_CHARGE: f"{_IS_OPEN} AND s.is_known AND {_NAMES_CHARGE} AND NOT s.has_charge",
    _C.NO_PAYMENT: f"{_IS_OPEN} AND {_IS_CHARGE} AND s.has_no_payment",
    _C.ITEM_CURRENCY: "s.currency_iso <> s.payout_currency",
    _C.PAYMENT_CURRENCY: f"{_IS_OPEN} AND {_IS_CHARGE} AND s.has_foreign_payment",
    _C.ALTERED: "s.views_differ",
    _C.NET_DIFFERS: f"{_BREAKS_NET} AND s.amount IS DISTINCT FROM s.source_amount",
    _C.FEE_DIFFERS: f"{_BREAKS_NET} AND s.amount = s.source_amount",
    _C.DOUBLED: "s.occurrence > 1",
    _C.IN_TWO_PAYOUTS: "s.other_payouts IS NOT NULL",
    _C.SOURCE_DIFFERS: f"{_SAYS_SAME} AND s.source_amount IS NOT NULL AND s.amount <> s.source_amount",
    _C.PAYMENTS_SUM: f"{_IS_OPEN} AND {_IS_CHARGE} AND s.has_wrong_sum",
    _C.PAYMENT_SHARED: f"{_IS_OPEN} AND {_IS_CHARGE} AND s.has_shared_payment",
    _C.FEE_DETAILS: f"{_SAYS_SAME} AND s.has_fee_fault",
}
_FLAGS = " | ".join(
    f"(COALESCE({_CONDITIONS[code]}, false)::integer << {place})" for place, code in enumerate(ITEM_CODES)
)
#: What a row must come to: the whole of its charge, or what was captured, where the rest was released; its refund or
#: payout.
_CHARGE_AMOUNT = """CASE WHEN k.category = 'charge' AND c.currency_iso = k.currency_iso
            THEN CASE WHEN k.amount <> c.amount AND c.is_released THEN c.full_amount ELSE c.amount END
            ELSE k.object_amount END"""

#: Keeps a subquery apart, so that what it names is computed once and not wherever the name stands. In quotes it is a
#: constant from the start: otherwise no parallel worker would take part.
_ONCE = "OFFSET '0'"


def judged(members: str, condition: str) -> str:
    """Return items with everything that is known of them and their `flags`, from `members` m with their payouts p."""
    return f"""
SELECT s.*, {_FLAGS} AS flags
FROM (SELECT k.*, c.source_id IS NOT NULL AS has_charge, c.has_no_payment, c.has_foreign_payment, c.has_wrong_sum,
             c.has_shared_payment, c.paid, c.expected, c.currency_iso AS charge_currency, c.by_charge_id,
             {_CHARGE_AMOUNT} AS source_amount,
             COALESCE({_BEFORE.replace("s.", "k.")}, false) AS is_before
      FROM ({_sources(members, condition)} {_ONCE}) k LEFT JOIN paid_charges c ON c.source_id = k.charge {_ONCE}) s"""


#: Every item in few columns. `set_off` is what the balance's list says of it more than the payout's own, and nothing
#: for what is in it twice; `suspected` what would make it agree with its source, its fee or its details.
ITEMS = f"""
SELECT payout, member, id, COALESCE(line, '{PayoutLineName.OTHER.value}') AS line, currency_iso, amount, fee, net,
       flags,
       is_before, CASE WHEN is_before THEN charge END AS charge_before,
       COALESCE(by_charge_id AND line = '{_CHARGES}', false) AS by_charge_id,
       CASE WHEN occurrence > 1 THEN -net WHEN is_known THEN t_net - net ELSE 0 END AS set_off,
       CASE WHEN {_SAYS_SAME.replace("s.", "")} THEN
           COALESCE(source_amount, amount) - net - CASE WHEN has_fee_fault THEN COALESCE(details_fee, 0) ELSE fee END
            ELSE 0 END AS suspected
FROM ({judged(_MEMBERS, _IS_ITEM)}) j"""

_DOUBLED = 1 << ITEM_CODES.index(_C.DOUBLED)
#: The items of each payout by line and currency.
LINE_SUMS = f"""
SELECT payout, line, currency_iso, count(*) AS items, sum(amount) AS amount, sum(fee) AS fee, sum(net) AS net,
       sum(set_off) AS set_off, COALESCE(sum(-net) FILTER (WHERE flags & {_DOUBLED} <> 0), 0) AS doubled,
       sum(suspected) AS suspected, count(*) FILTER (WHERE is_before) AS before,
       min(charge_before COLLATE "C") AS first_before, count(*) FILTER (WHERE by_charge_id) AS fallbacks
FROM payout_items GROUP BY 1, 2, 3"""

LINES = "SELECT payout, line, currency_iso, items, amount, fee, net FROM line_sums ORDER BY 1, 2, 3"

_COUNTS = ", ".join(f"count(*) FILTER (WHERE flags & {1 << place} <> 0)" for place in range(len(ITEM_CODES)))
PAYOUTS = f"""
WITH sums AS (
    SELECT l.payout, sum(items)::bigint AS items, sum(net) FILTER (WHERE l.currency_iso = p.currency_iso) AS net,
           sum(set_off) FILTER (WHERE l.currency_iso = p.currency_iso) AS set_off,
           sum(doubled) FILTER (WHERE l.currency_iso = p.currency_iso) AS doubled,
           sum(suspected) FILTER (WHERE l.currency_iso = p.currency_iso) AS suspected, sum(before)::bigint AS before,
           min(first_before COLLATE "C") AS first_before, sum(fallbacks)::bigint AS fallbacks
    FROM line_sums l JOIN payout_states p ON p.source_id = l.payout GROUP BY 1
), flagged AS (
    SELECT payout, ARRAY[{_COUNTS}] AS flags FROM payout_items WHERE flags <> 0 GROUP BY 1
)
SELECT p.source_id, p.status, p.amount, p.currency_iso, p.created_at, p.date_arrival, p.observed_at, p.is_reversed,
       p.is_itemisable, p.is_complete, p.own_row, t.net, COALESCE(s.items, 0), COALESCE(s.net, 0),
       COALESCE(s.set_off, 0), COALESCE(s.doubled, 0), COALESCE(s.suspected, 0), COALESCE(s.before, 0), s.first_before,
       COALESCE(s.fallbacks, 0), f.flags
FROM payout_states p
LEFT JOIN sums s ON s.payout = p.source_id
LEFT JOIN flagged f ON f.payout = p.source_id
LEFT JOIN receivables.balance_transactions t ON t.source_id = p.own_row AND t.connection = %(connection)s
ORDER BY p.source_id"""


def suspects(items: str, flags: str = "flags") -> str:
    """Return what is told of items with a flag, in the order of SuspectItem; `flags` are those that are told."""
    return f"""
SELECT payout, occurrence, id, COALESCE(type, ''), NULLIF(category, ''), currency_iso, payout_currency, amount, fee,
       net, t_amount, t_fee, t_net, details_fee, charge, source_object_id, source_amount, expected, charge_currency,
       paid, other_payouts, since, {flags}
FROM ({items}) j"""


#: Those of payouts that are compared.
SUSPECTS = f"""{suspects(judged(_MEMBERS, f"{_IS_ITEM} AND m.source_id IN (SELECT member FROM suspects)"))}
ORDER BY payout, id, occurrence"""

SUSPECT_IDS = f"""
SELECT i.member FROM payout_items i JOIN payout_states p ON p.source_id = i.payout
WHERE i.flags <> 0 AND {IS_COMPARED}"""

#: Rows of the balance of a type or category that is in no list, those in no payout as well.
UNKNOWN_WORDS = f"""
SELECT t.connection || ' ' || t.type || '/' || COALESCE(t.reporting_category, ''), sum(t.rows)::bigint
FROM (SELECT connection, type, reporting_category, count(*) AS rows FROM receivables.balance_transactions
      WHERE connection = ANY(%(connections)s) GROUP BY 1, 2, 3) t
LEFT JOIN {_CATEGORIES} ON kc.type = t.type
LEFT JOIN {_LINES} ON kl.category = COALESCE(NULLIF(t.reporting_category, ''), kc.category)
WHERE kl.line IS NULL OR kc.type IS NULL GROUP BY 1 ORDER BY 1"""
