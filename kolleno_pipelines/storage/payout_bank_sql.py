"""SQL of payouts beside the lines of bank accounts that may be theirs. Nothing is run here.

Texts are compared by their letters and digits alone, in capitals: banks break and fill them as they like.
"""

from __future__ import annotations

from kolleno_pipelines.schemas.payout_bank import EARLY

#: A trace id of fewer letters and digits than this is no proof; nor is a payout's own text, which any word may hold.
LEAST_TRACE = 6
LEAST_DESCRIPTOR = 5


def _plain(text: str) -> str:
    return f"regexp_replace(upper({text}), '[^0-9A-Z]', '', 'g')"


PAYOUTS = """
SELECT p.connection, p.source_id, p.amount, p.currency_iso, p.created_at, p.date_arrival,
       p.status IN ('failed', 'canceled') AS is_taken_back, p.destination_source_id
FROM receivables.payouts p WHERE p.connection = ANY(%(providers)s)"""

_PAYOUTS = f"""
SELECT p.connection, p.source_id, p.amount, p.currency_iso, p.date_arrival, {_plain("p.trace_id")} AS trace,
       CASE WHEN length({_plain("p.statement_descriptor")}) >= {LEAST_DESCRIPTOR}
            THEN {_plain("p.statement_descriptor")} END AS descriptor
FROM receivables.payouts p WHERE p.connection = ANY(%(providers)s)"""

#: Statements that a bank made more than once.
_MADE_ANEW = """
SELECT p.connection, p.source_id, max(p.modified_at) AS made_at FROM normalised.payloads p
WHERE p.connection = ANY(%(banks)s) AND p.kind = 'statements'
GROUP BY 1, 2 HAVING min(p.modified_at) < max(p.modified_at)"""

#: Lines that a bank took back by making their statement anew: it ties, and does not have them any more.
_WITHDRAWN = """
SELECT l.connection, l.source_id
FROM made_anew a
JOIN receivables.bank_statements s ON s.connection = a.connection AND s.source_id = a.source_id
    AND s.kind = 'statement' AND s.balance_opening + s.amount_booked = s.balance_closing
JOIN receivables.bank_lines l ON l.connection = a.connection AND l.statement_source_id = a.source_id
JOIN normalised.payloads p ON p.connection = l.connection AND p.kind = 'entries'
    AND p.source_id = regexp_replace(l.source_id, '/[0-9]+$', '')
GROUP BY l.connection, l.source_id, a.made_at HAVING max(p.modified_at) < a.made_at"""

_TEXTS = "upper(concat_ws(' ', {row}.counterparty_name, {row}.remittance_text, {row}.bank_text))"

#: What a bank said of a line before it said less: a notification may name what the statement after it does not.
_SAID_BEFORE = f"""
SELECT l.connection, l.source_id, n.words, {_TEXTS.format(row="n")} AS text
FROM receivables.bank_lines l
JOIN normalised.bank_lines n ON n.source_id = l.source_id
    AND (n.words, n.counterparty_name, n.remittance_text, n.bank_text)
        IS DISTINCT FROM (l.words, l.counterparty_name, l.remittance_text, l.bank_text)
JOIN normalised.payloads p ON p.extract_id = n.extract_id AND p.line = n.line AND p.connection = l.connection
WHERE l.connection = ANY(%(banks)s)"""

#: An account that two connections read has each line once: its id holds account, reference, day and amount.
_LINES = f"""
SELECT DISTINCT ON (l.source_id) l.connection, l.source_id, l.account_source_id, l.amount, l.currency_iso,
       l.amount_instructed, l.currency_instructed_iso, COALESCE(l.date_booked, l.date_value) AS day,
       COALESCE(l.is_return, false) OR COALESCE(l.is_reversal, false) AS is_return, l.words,
       concat_ws(' ', {_TEXTS.format(row="l")}, b.text) AS text
FROM receivables.bank_lines l
LEFT JOIN (SELECT connection, source_id, string_agg(text, ' ' ORDER BY text) AS text FROM said_before GROUP BY 1, 2) b
    ON b.connection = l.connection AND b.source_id = l.source_id
WHERE l.connection = ANY(%(banks)s) AND l.status = 'booked'
    AND NOT EXISTS (SELECT FROM withdrawn w WHERE w.connection = l.connection AND w.source_id = l.source_id)
ORDER BY l.source_id, l.connection"""

_TOLD = """p.connection, p.source_id, l.connection, l.source_id, l.account_source_id, l.amount, l.currency_iso,
       l.amount_instructed, l.currency_instructed_iso, l.day, l.is_return"""

#: Lines that carry a payout's trace id; and those of its amount and days, with or without the provider's name, or of
#: what would take it back.
CANDIDATES = f"""
WITH payouts AS MATERIALIZED ({_PAYOUTS}),
made_anew AS MATERIALIZED ({_MADE_ANEW}),
withdrawn AS MATERIALIZED ({_WITHDRAWN}),
said_before AS MATERIALIZED ({_SAID_BEFORE}),
lines AS MATERIALIZED ({_LINES}),
traced AS MATERIALIZED (
    SELECT DISTINCT l.connection, l.source_id, t.word
    FROM (SELECT connection, source_id, words FROM lines
          UNION ALL SELECT connection, source_id, words FROM said_before) l, jsonb_array_elements_text(l.words) t (word)
    WHERE t.word IN (SELECT trace FROM payouts WHERE length(trace) >= {LEAST_TRACE})
)
SELECT {_TOLD}, true, true
FROM payouts p
JOIN traced t ON t.word = p.trace
JOIN lines l ON l.connection = t.connection AND l.source_id = t.source_id
UNION ALL
SELECT {_TOLD}, false,
       COALESCE(position(p.descriptor IN {_plain("l.text")}) > 0, false) OR l.text ~ ('\\m' || %(name)s)
FROM payouts p
JOIN lines l ON l.currency_iso = p.currency_iso AND abs(l.amount) = abs(p.amount)
    AND l.day BETWEEN p.date_arrival - {EARLY.days}
        AND p.date_arrival + %(window)s + CASE WHEN l.amount = p.amount THEN 0 ELSE %(returned)s END
WHERE NOT EXISTS (SELECT FROM traced t WHERE t.connection = l.connection AND t.source_id = l.source_id)"""

ACCOUNTS = "SELECT connection, source_id, currency_iso FROM receivables.bank_accounts WHERE connection = ANY(%(banks)s)"

#: Statements with balances, the pages of one together: the first has the opening balance, the last the closing one. A
#: page that has both is one for itself.
STATEMENTS = """
SELECT connection, account_source_id, max(currency_iso), whole, min(file COLLATE "C"),
       min(COALESCE(date_from, date_to)), max(date_to), max(balance_opening), max(balance_closing), sum(amount_booked)
FROM (SELECT s.*, CASE WHEN s.balance_opening IS NULL OR s.balance_closing IS NULL
                  THEN regexp_replace(s.ref, ' page [0-9]+$', '') ELSE s.ref END AS whole
      FROM receivables.bank_statements s WHERE s.connection = ANY(%(banks)s) AND s.kind = 'statement') s
GROUP BY connection, account_source_id, whole, date_to
HAVING count(balance_opening) = 1 AND count(balance_closing) = 1 AND max(date_to) IS NOT NULL"""
