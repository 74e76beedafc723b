-- Stable, commented views for analysts; the tables behind them may change, these names and meanings do not.

CREATE SCHEMA reporting;
COMMENT ON SCHEMA reporting IS 'Stable read-only views: the receivables as they are now, and what the reconciliation says about them.';

CREATE VIEW reporting.customers AS
SELECT connection, source_id, ref, name, currency_iso, country_iso, credit_limit_amount, parent_source_id,
       group_source_id, balance_stated, balance_currency_iso, observed_at
FROM receivables.customers;
COMMENT ON VIEW reporting.customers IS 'Customers; group_source_id is the ultimate parent (the customer itself when it has none).';

CREATE VIEW reporting.documents AS
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
FROM receivables.payments;
COMMENT ON VIEW reporting.documents IS 'Invoices, credit notes and payments. Amounts are positive in the document''s own sense; balance_open is what counts now (0 unless posted).';
COMMENT ON COLUMN reporting.documents.collection_status IS 'disputed, instalments, bad_debt, payment_pending, payment_scheduled or none; a document without an open balance shows none.';
COMMENT ON COLUMN reporting.documents.settlement IS 'open, partially_paid, paid or overpaid, by amount and balance; closed for a document that the source deleted.';
COMMENT ON COLUMN reporting.documents.status_stated IS 'The source''s own word.';

CREATE VIEW reporting.open_items AS
SELECT d.*, c.name AS customer_name, c.group_source_id,
       CASE WHEN d.kind = 'invoice' THEN d.balance_open ELSE -d.balance_open END AS net
FROM reporting.documents d
JOIN receivables.customers c ON c.source_id = d.customer_source_id AND c.connection = d.connection
WHERE d.balance_open <> 0;
COMMENT ON VIEW reporting.open_items IS 'Documents with an open balance and their customer; net is signed (invoices above 0, credit notes and payments below), so that it sums to what is owed.';

CREATE VIEW reporting.allocations AS
SELECT connection, source_id, from_kind, from_source_id, to_kind, to_source_id, amount, currency_iso, date_applied,
       removed_at, is_live, observed_at
FROM receivables.allocations_with_ends;
COMMENT ON VIEW reporting.allocations IS 'Which payment or credit note pays which invoice; an allocation that ended stays, with removed_at.';
COMMENT ON COLUMN reporting.allocations.currency_iso IS 'Currency of the amount: the invoice''s.';
COMMENT ON COLUMN reporting.allocations.is_live IS 'Whether it counts: it has not ended, and both its documents are posted.';

CREATE VIEW reporting.balances AS
SELECT connection, kind, source_id, customer_source_id, currency_iso, amount, allocated, balance, difference,
       is_opening, cause, since, evidence, break_id
FROM reconciliation.balances;
COMMENT ON VIEW reporting.balances IS 'Posted documents whose amount - allocations is not the stated balance.';

CREATE VIEW reporting.balance_summary AS SELECT * FROM reconciliation.balance_summary;
COMMENT ON VIEW reporting.balance_summary IS 'How many posted documents tie, per connection, kind and currency, with the sums.';

CREATE VIEW reporting.control_totals AS SELECT * FROM reconciliation.control_totals;
COMMENT ON VIEW reporting.control_totals IS 'What is owed now per connection and currency, and what the source itself says (null where it says nothing).';

CREATE VIEW reporting.control_total_breaks AS
SELECT connection, customer_source_id, currency_iso, computed, stated, difference, since, break_id
FROM reconciliation.control_total_breaks;
COMMENT ON VIEW reporting.control_total_breaks IS 'Customers whose computed balance is not the stated one.';

CREATE VIEW reporting.not_comparable AS SELECT * FROM reconciliation.not_comparable;
COMMENT ON VIEW reporting.not_comparable IS 'Customers whose stated balance has no currency and cannot be given one: it is compared with nothing.';

CREATE VIEW reporting.ageing AS SELECT * FROM reconciliation.ageing;
COMMENT ON VIEW reporting.ageing IS 'Open amounts by day, connection, currency and bucket, for the days computed; the buckets of a day sum to the roll-forward''s closing.';

CREATE VIEW reporting.ageing_by_customer AS
SELECT a.day, a.connection, a.customer_source_id, c.name AS customer_name, c.group_source_id, a.currency_iso,
       a.bucket, a.documents, a.amount
FROM reconciliation.ageing_by_customer a
LEFT JOIN receivables.customers c ON c.source_id = a.customer_source_id AND c.connection = a.connection;
COMMENT ON VIEW reporting.ageing_by_customer IS 'The newest ageing by customer; a past day comes from `kolleno report ageing --by customer --as-of DAY`.';

CREATE VIEW reporting.roll_forward AS SELECT * FROM reconciliation.roll_forward;
COMMENT ON VIEW reporting.roll_forward IS 'Opening + invoices - credit notes - receipts + refunds + journals - write-offs - unexplained = closing, by day, for the days computed.';

CREATE VIEW reporting.unexplained AS SELECT * FROM reconciliation.unexplained;
COMMENT ON VIEW reporting.unexplained IS 'The documents behind the unexplained column of the roll-forward; basis first_seen means that the history before the first file is not here.';

CREATE VIEW reporting.unapplied_cash AS
SELECT u.*, c.name AS customer_name
FROM reconciliation.unapplied_cash u
LEFT JOIN receivables.customers c ON c.source_id = u.customer_source_id AND c.connection = u.connection;
COMMENT ON VIEW reporting.unapplied_cash IS 'Payments and credit notes with something left to apply, by age.';

CREATE VIEW reporting.differences AS
SELECT break_id, connection, kind, left_kind, left_source_id, right_kind, right_source_id, customer_source_id,
       currency_iso, amount, since,
       GREATEST((now() AT TIME ZONE 'UTC')::date - (since AT TIME ZONE 'UTC')::date, 0) AS age_days,
       cause, evidence, status, accepted_by, why, until,
       reconciliation.is_red(status, cause) AS needs_attention
FROM reconciliation.differences;
COMMENT ON VIEW reporting.differences IS 'Every break in one list; needs_attention leaves out accepted, resolved and opening ones.';

CREATE VIEW reporting.results AS
SELECT result, connection, NULLIF(day, '-infinity') AS day, today, computed_at FROM reconciliation.results;
COMMENT ON VIEW reporting.results IS 'When each result was last computed; day is null for results that are the present state.';
