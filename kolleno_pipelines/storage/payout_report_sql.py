"""SQL that lays out a provider's report beside the API's view of the same payouts. Nothing is run here.

Pure text over the temp table `report_rows` and the tables of the provider's connection. Only what differs in something
leaves the database; what it means is rules/payout_report.py.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.payout_report import OF_PAYOUT_LIST

ROWS = """
CREATE TEMP TABLE report_rows (
    line integer NOT NULL, source_id text NOT NULL, payout_source_id text NOT NULL, currency_iso text NOT NULL,
    amount numeric(20,6) NOT NULL, fee numeric(20,6) NOT NULL, net numeric(20,6) NOT NULL, reporting_category text,
    source_object_id text, charge_source_id text, created_at timestamp, available_on timestamp, effective_at timestamp
) ON COMMIT DROP"""

#: What the file itself says of its period: payouts are told by when they take effect.
SPAN = """
SELECT min(effective_at AT TIME ZONE %(effective_zone)s), max(effective_at AT TIME ZONE %(effective_zone)s)
FROM report_rows"""

#: Whether the connection knows anything of what the file holds.
IS_KNOWN = """
SELECT EXISTS (SELECT FROM report_rows r JOIN receivables.payouts p
               ON p.source_id = r.payout_source_id AND p.connection = %(connection)s)
    OR EXISTS (SELECT FROM report_rows r JOIN receivables.balance_transactions t
               ON t.source_id = r.source_id AND t.connection = %(connection)s)"""

#: How far the moments of the file are from those of the API: a wrong time zone is wrong in every row.
OFFSETS = """
SELECT count(*), count(*) FILTER (WHERE apart = interval '0'), min(apart), max(apart),
       bool_and(mod(extract(epoch FROM apart)::bigint, 900) = 0)
FROM (SELECT r.created_at - (t.created_at AT TIME ZONE %(created_zone)s) AS apart
      FROM report_rows r JOIN receivables.balance_transactions t
          ON t.source_id = r.source_id AND t.connection = %(connection)s) o
WHERE apart IS NOT NULL"""

_IS_ITEM = """m.balance_transaction_source_id IS DISTINCT FROM p.own_row
      AND (p.own_row IS NOT NULL OR m.type IS DISTINCT FROM 'payout')"""

#: Payouts that the report names, and those that it should: itemised, not taken back, wholly within its period.
PAYOUTS = """
CREATE TEMP TABLE report_payouts ON COMMIT DROP AS
WITH named AS (
    SELECT payout_source_id, min(line) AS line FROM report_rows GROUP BY 1
), listed AS (
    SELECT DISTINCT payout_source_id FROM receivables.payout_members WHERE connection = %(connection)s
), known AS (
    SELECT p.source_id, p.amount, p.currency_iso, p.balance_transaction_source_id AS own_row,
           p.is_automatic AND p.method IS DISTINCT FROM 'instant' AS is_itemisable,
           COALESCE(p.reconciliation_status = 'completed', false) AND l.payout_source_id IS NOT NULL AS is_complete,
           COALESCE(
               p.status NOT IN ('failed', 'canceled') AND p.reversed_by_source_id IS NULL
               AND LEAST(p.created_at, p.date_arrival) >= %(start)s::timestamptz
               AND GREATEST(p.created_at, p.date_arrival + 1) <= %(end)s::timestamptz
               AND (%(currencies)s::text[] IS NULL OR p.currency_iso = ANY(%(currencies)s)), false) AS is_covered
    FROM receivables.payouts p LEFT JOIN listed l ON l.payout_source_id = p.source_id
    WHERE p.connection = %(connection)s
)
SELECT COALESCE(n.payout_source_id, k.source_id) AS payout_source_id, n.line, k.source_id IS NOT NULL AS is_known,
       COALESCE(k.is_itemisable, false) AS is_itemisable,
       COALESCE(k.is_itemisable AND k.is_complete, false) AS is_complete, k.amount, k.currency_iso, k.own_row
FROM named n FULL JOIN known k ON k.source_id = n.payout_source_id
WHERE n.payout_source_id IS NOT NULL OR k.is_itemisable AND k.is_complete AND k.is_covered"""

DOUBLES = """
CREATE TEMP TABLE report_doubles ON COMMIT DROP AS
SELECT r.line, d.first_line
FROM (SELECT source_id, min(line) AS first_line FROM report_rows GROUP BY 1 HAVING count(*) > 1) d
JOIN report_rows r ON r.source_id = d.source_id AND r.line > d.first_line"""

#: Rows of which the payouts' lists have several, by the line of the report, with the one that is compared.
REPEATS = """
CREATE TEMP TABLE report_repeats ON COMMIT DROP AS
WITH often AS (
    SELECT balance_transaction_source_id AS id FROM receivables.payout_members WHERE connection = %(connection)s
    GROUP BY 1 HAVING count(*) > 1
)
SELECT r.line, count(*) AS times, array_agg(DISTINCT m.payout_source_id) AS payouts,
       (array_agg(m.source_id ORDER BY (m.payout_source_id = r.payout_source_id) DESC, m.source_id COLLATE "C"))[1]
           AS member
FROM report_rows r
JOIN often o ON o.id = r.source_id
JOIN receivables.payout_members m ON m.balance_transaction_source_id = r.source_id AND m.connection = %(connection)s
GROUP BY 1"""

_CHARGE = """CASE WHEN t.source_kind IN ('charge', 'refund', 'dispute')
         THEN COALESCE(t.charge_source_id, f.charge_source_id, d.charge_source_id) END"""
_API_CREATED = "t.created_at AT TIME ZONE %(created_zone)s"
_REPORT_AVAILABLE = "(r.available_on AT TIME ZONE %(available_zone)s)::date"
_ELSEWHERE = """m.source_id IS NULL AND p.is_complete AND r.source_id IS DISTINCT FROM p.own_row
   OR m.payout_source_id <> r.payout_source_id"""


def _suspicions() -> str:
    """The values of which a list may say otherwise; the report's are compared where the file has the column."""
    said: dict[str, tuple[str, ...]] = {field: (f"r.{field}", f"m.{field}", f"t.{field}") for field in OF_PAYOUT_LIST}
    said["source_object_id"] = ("r.source_object_id", "t.source_object_id")
    said["charge_source_id"] = ("r.charge_source_id", _CHARGE)
    said["created_at"] = ("r.created_at", _API_CREATED)
    said["available_on"] = (_REPORT_AVAILABLE, "t.available_on")
    conditions = [
        f"%(has_{field})s AND {other} IS NOT NULL AND {own} IS DISTINCT FROM {other}"
        for field, (own, *others) in said.items()
        for other in others
    ]
    return "\n   OR ".join(conditions)


#: Rows of the report of which something is not as in the API's lists.
SUSPECTS = f"""
SELECT r.line, r.source_id, r.payout_source_id, b.first_line, COALESCE(x.payouts, ARRAY[m.payout_source_id]) AS payouts,
       COALESCE(x.times, (m.source_id IS NOT NULL)::integer) AS times, p.is_complete,
       r.source_id IS NOT DISTINCT FROM p.own_row AS is_own, m.source_id IS NOT NULL, t.source_id IS NOT NULL,
       r.currency_iso, r.amount, r.fee, r.net, r.reporting_category, r.source_object_id, r.charge_source_id,
       r.created_at, {_REPORT_AVAILABLE},
       m.currency_iso, m.amount, m.fee, m.net, m.reporting_category,
       t.currency_iso, t.amount, t.fee, t.net, t.reporting_category, t.source_object_id, {_CHARGE},
       {_API_CREATED}, t.available_on
FROM report_rows r
JOIN report_payouts p ON p.payout_source_id = r.payout_source_id
LEFT JOIN report_doubles b ON b.line = r.line
LEFT JOIN report_repeats x ON x.line = r.line
LEFT JOIN receivables.payout_members m
    ON m.balance_transaction_source_id = r.source_id AND m.connection = %(connection)s
   AND m.source_id = COALESCE(x.member, m.source_id)
LEFT JOIN receivables.balance_transactions t ON t.source_id = r.source_id AND t.connection = %(connection)s
LEFT JOIN receivables.refunds f ON f.source_id = t.source_object_id AND f.connection = %(connection)s
LEFT JOIN receivables.disputes d ON d.source_id = t.source_object_id AND d.connection = %(connection)s
WHERE b.line IS NOT NULL OR x.line IS NOT NULL OR t.source_id IS NULL
   OR {_ELSEWHERE}
   OR {_suspicions()}
ORDER BY r.line"""

MISSING = f"""
SELECT DISTINCT m.payout_source_id, m.balance_transaction_source_id, m.currency_iso, m.net
FROM report_payouts p
JOIN receivables.payout_members m ON m.payout_source_id = p.payout_source_id AND m.connection = %(connection)s
LEFT JOIN report_rows r ON r.source_id = m.balance_transaction_source_id
WHERE p.line IS NOT NULL AND p.is_complete AND r.line IS NULL AND {_IS_ITEM}
ORDER BY 1, 2"""

#: The categories of the file, and those of what it lacks.
CATEGORIES = f"""
SELECT (SELECT array_agg(DISTINCT reporting_category) FROM report_rows),
       (SELECT array_agg(DISTINCT m.reporting_category)
        FROM report_payouts p
        JOIN receivables.payout_members m ON m.payout_source_id = p.payout_source_id AND m.connection = %(connection)s
        LEFT JOIN report_rows r ON r.source_id = m.balance_transaction_source_id
        WHERE p.line IS NOT NULL AND p.is_complete AND r.line IS NULL AND {_IS_ITEM})"""

_SUMS = "count(*) AS rows, sum({0}.amount) AS amount, sum({0}.fee) AS fee, sum({0}.net) AS net"
#: A payout whose items are nowhere has a row as well, in its own currency.
TOTALS = f"""
WITH stated AS (
    SELECT r.payout_source_id, r.currency_iso, {_SUMS.format("r")}
    FROM report_rows r JOIN report_payouts p ON p.payout_source_id = r.payout_source_id
    WHERE r.source_id IS DISTINCT FROM p.own_row GROUP BY 1, 2
), listed AS (
    SELECT m.payout_source_id, m.currency_iso, {_SUMS.format("m")}
    FROM receivables.payout_members m JOIN report_payouts p ON p.payout_source_id = m.payout_source_id
    WHERE m.connection = %(connection)s AND {_IS_ITEM} GROUP BY 1, 2
), both_sides AS (
    SELECT payout_source_id, currency_iso, s.rows, s.amount, s.fee, s.net, l.rows AS api_rows, l.amount AS api_amount,
           l.fee AS api_fee, l.net AS api_net
    FROM stated s FULL JOIN listed l USING (payout_source_id, currency_iso)
)
SELECT p.payout_source_id, COALESCE(b.currency_iso, p.currency_iso), p.line, p.is_known, p.is_itemisable,
       p.is_complete, p.amount, p.currency_iso,
       COALESCE(b.rows, 0), COALESCE(b.amount, 0), COALESCE(b.fee, 0), COALESCE(b.net, 0),
       COALESCE(b.api_rows, 0), COALESCE(b.api_amount, 0), COALESCE(b.api_fee, 0), COALESCE(b.api_net, 0)
FROM report_payouts p LEFT JOIN both_sides b ON b.payout_source_id = p.payout_source_id
ORDER BY p.line, 1, 2"""
