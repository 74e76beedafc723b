-- What reconciliation needs of API systems: kinds of money, merged customers, totals by receivables account, and the
-- agreement of mirrors with the ledger.

CREATE INDEX payments_on_account ON receivables.payments (connection, kind) WHERE kind <> 'payment';

-- A chain of merges is followed to its end; customers merged into each other count for the smallest id of their ring.
CREATE VIEW receivables.merged_customers AS
WITH RECURSIVE walks AS (
    SELECT connection, source_id, customer_source_id AS at, ARRAY[source_id] AS path FROM receivables.customer_aliases
    UNION ALL
    SELECT w.connection, w.source_id, a.customer_source_id, w.path || a.source_id
    FROM walks w JOIN receivables.customer_aliases a ON a.source_id = w.at AND a.connection = w.connection
    WHERE w.at <> ALL (w.path)
)
SELECT DISTINCT ON (connection, source_id) connection, source_id,
       CASE WHEN at = ANY (path)
            THEN (SELECT min(one COLLATE "C") FROM unnest(path[array_position(path, at):]) one)
            ELSE at END AS customer_source_id
FROM walks ORDER BY connection, source_id, cardinality(path) DESC;
COMMENT ON VIEW receivables.merged_customers IS 'Former ids of customers, with the customer that their documents count for now.';

COMMENT ON VIEW reporting.allocations IS 'Which payment, credit or journal line settles which invoice, line or refund; an allocation that ended stays, with removed_at.';
COMMENT ON COLUMN reporting.allocations.currency_iso IS 'Currency of the amount: that of what is settled.';

CREATE OR REPLACE FUNCTION reconciliation.is_red(status text, cause text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT status IN ('open', 'reopened') AND COALESCE(cause, '') NOT IN ('opening', 'moved_during_read') $$;
COMMENT ON FUNCTION reconciliation.is_red(text, text) IS 'Whether a break asks for somebody: accepted, resolved and opening ones do not, nor what moved while it was read. Checks, exit codes and views use this one definition.';

ALTER TABLE reconciliation.control_total_breaks ADD cause text;
COMMENT ON COLUMN reconciliation.control_total_breaks.cause IS 'moved_during_read: documents changed after the source was asked for this balance; empty where nothing speaks for a cause.';

CREATE TABLE reconciliation.account_totals (
    break_id text NOT NULL,
    connection text NOT NULL, account_source_id text NOT NULL, name text NOT NULL, currency_iso text NOT NULL,
    computed numeric NOT NULL, stated numeric, difference numeric, reason text, cause text, since timestamptz NOT NULL,
    is_break boolean NOT NULL,
    PRIMARY KEY (account_source_id, currency_iso, connection)
);
COMMENT ON TABLE reconciliation.account_totals IS 'What the documents on each receivables account come to per currency, and what the source says of the account.';
COMMENT ON COLUMN reconciliation.account_totals.account_source_id IS 'The account; empty for documents of which none is known.';
COMMENT ON COLUMN reconciliation.account_totals.difference IS 'computed - stated; empty where they cannot be compared, and reason says why.';

-- agreement ------------------------------------------------------------------------------------------------------

CREATE TABLE reconciliation.agreement (
    connection text NOT NULL, mirror text NOT NULL,
    customer_source_id text NOT NULL, mirror_customer_source_id text NOT NULL, currency_iso text NOT NULL,
    balance numeric NOT NULL, mirror_balance numeric NOT NULL, difference numeric NOT NULL, expected numeric NOT NULL,
    PRIMARY KEY (customer_source_id, mirror_customer_source_id, currency_iso, mirror, connection)
);
COMMENT ON TABLE reconciliation.agreement IS 'What each customer owes per currency by the ledger and by each mirror.';
COMMENT ON COLUMN reconciliation.agreement.connection IS 'The ledger.';
COMMENT ON COLUMN reconciliation.agreement.customer_source_id IS 'The customer in the ledger; empty where it has none.';
COMMENT ON COLUMN reconciliation.agreement.difference IS 'balance - mirror_balance.';
COMMENT ON COLUMN reconciliation.agreement.expected IS 'Part of the difference that the two systems imply; the rest is in agreement_breaks.';

CREATE TABLE reconciliation.agreement_breaks (
    break_id text PRIMARY KEY,
    connection text NOT NULL, mirror text NOT NULL, kind text NOT NULL, differs text NOT NULL,
    source_id text NOT NULL, mirror_source_id text NOT NULL, ref text, date_issued date,
    customer_source_id text, mirror_customer_source_id text, currency_iso text,
    amount numeric, mirror_amount numeric, balance numeric, mirror_balance numeric,
    cause text, since timestamptz NOT NULL
);
COMMENT ON TABLE reconciliation.agreement_breaks IS 'Documents and customers of which the ledger and a mirror say something else, one row for each.';
COMMENT ON COLUMN reconciliation.agreement_breaks.differs IS 'What differs: not_in_mirror, not_in_ledger, amount, balance, customer, date, currency, parent.';

CREATE TABLE reconciliation.agreement_gaps (
    connection text NOT NULL, mirror text NOT NULL, gap text NOT NULL, kind text NOT NULL, currency_iso text NOT NULL,
    items bigint NOT NULL, balance numeric NOT NULL,
    PRIMARY KEY (connection, mirror, gap, kind, currency_iso)
);
COMMENT ON TABLE reconciliation.agreement_gaps IS 'What one of the two systems cannot state, and is therefore no break.';

-- reporting ------------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW reporting.documents AS
SELECT connection, kind, source_id, ref, customer_source_id, currency_iso, posting_status,
       CASE WHEN posting_status = 'deleted' THEN 'closed' ELSE settlement END AS settlement,
       CASE WHEN COALESCE(balance_open, 0) = 0 THEN 'none' ELSE collection_status END AS collection_status,
       status_stated, amount, balance, balance_source, COALESCE(balance_open, 0) AS balance_open,
       date_issued, date_due, date_paid, observed_at
FROM receivables.invoices
UNION ALL
SELECT connection, kind, source_id, ref, customer_source_id, currency_iso, posting_status,
       CASE WHEN posting_status = 'deleted' THEN 'closed' ELSE settlement END,
       CASE WHEN COALESCE(balance_open, 0) = 0 THEN 'none' ELSE collection_status END,
       status_stated, amount, balance, balance_source, COALESCE(balance_open, 0),
       date_issued, date_due, date_paid, observed_at
FROM receivables.credit_notes
UNION ALL
SELECT connection, kind, source_id, ref, customer_source_id, currency_iso, posting_status,
       CASE WHEN posting_status = 'deleted' THEN 'closed' ELSE settlement END,
       CASE WHEN COALESCE(balance_open, 0) = 0 THEN 'none' ELSE collection_status END,
       status_stated, amount, balance, balance_source, COALESCE(balance_open, 0),
       date_issued, date_due, date_paid, observed_at
FROM receivables.payments
UNION ALL
SELECT connection, kind, source_id, ref, customer_source_id, currency_iso, posting_status,
       CASE WHEN posting_status = 'deleted' THEN 'closed' WHEN balance = 0 THEN 'paid' WHEN balance = amount THEN 'open'
            WHEN balance IS NOT NULL THEN 'partially_paid' END,
       'none', NULL, amount, balance, 'derived', COALESCE(balance_open, 0),
       date_issued, NULL, NULL, observed_at
FROM receivables.journals;
COMMENT ON VIEW reporting.documents IS 'Invoices, credit notes, payments (with overpayments and prepayments) and journal lines on receivables. Amounts are positive in the document''s own sense, journals signed (debit positive); balance_open is what counts now (0 unless posted).';

CREATE OR REPLACE VIEW reporting.open_items AS
SELECT d.*, c.name AS customer_name, c.group_source_id,
       CASE WHEN d.kind IN ('invoice', 'journal') THEN d.balance_open ELSE -d.balance_open END AS net
FROM reporting.documents d
LEFT JOIN receivables.merged_customers m
    ON m.source_id = d.customer_source_id AND m.connection = d.connection
JOIN receivables.customers c
    ON c.source_id = COALESCE(m.customer_source_id, d.customer_source_id) AND c.connection = d.connection
WHERE d.balance_open <> 0;
COMMENT ON VIEW reporting.open_items IS 'Documents with an open balance and their customer (the one it was merged into); net is signed (what is owed to us above 0, by us below), so that it sums to what is owed.';

CREATE OR REPLACE VIEW reporting.control_total_breaks AS
SELECT connection, customer_source_id, currency_iso, computed, stated, difference, since, break_id, cause
FROM reconciliation.control_total_breaks;

CREATE VIEW reporting.account_totals AS
SELECT connection, account_source_id, name, currency_iso, computed, stated, difference, reason, cause, since, break_id
FROM reconciliation.account_totals;
COMMENT ON VIEW reporting.account_totals IS 'Receivables accounts: what their documents come to per currency, and what the source says.';

CREATE VIEW reporting.agreement AS
SELECT a.connection, a.mirror, NULLIF(a.customer_source_id, '') AS customer_source_id,
       NULLIF(a.mirror_customer_source_id, '') AS mirror_customer_source_id, COALESCE(c.name, m.name) AS customer_name,
       a.currency_iso, a.balance, a.mirror_balance, a.difference, a.expected
FROM reconciliation.agreement a
LEFT JOIN receivables.customers c ON c.source_id = a.customer_source_id AND c.connection = a.connection
LEFT JOIN receivables.customers m ON m.source_id = a.mirror_customer_source_id AND m.connection = a.mirror;
COMMENT ON VIEW reporting.agreement IS 'What each customer owes by the ledger (connection) and by each mirror; expected is what the two systems imply.';

CREATE VIEW reporting.agreement_breaks AS SELECT * FROM reconciliation.agreement_breaks;
COMMENT ON VIEW reporting.agreement_breaks IS 'Documents and customers of which the ledger and a mirror say something else.';

CREATE VIEW reporting.agreement_gaps AS SELECT * FROM reconciliation.agreement_gaps;
COMMENT ON VIEW reporting.agreement_gaps IS 'What one of the two systems cannot state, and is therefore no break.';
