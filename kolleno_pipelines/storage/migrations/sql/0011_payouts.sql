-- Do charges, payouts and the balance at a payment provider agree with each other and with the ledger it serves?

CREATE INDEX refunds_by_charge ON receivables.refunds (charge_source_id, connection);
CREATE INDEX disputes_by_charge ON receivables.disputes (charge_source_id, connection);

CREATE TABLE reconciliation.charges (
    connection text NOT NULL, source_id text NOT NULL, ledger text NOT NULL,
    outcome text NOT NULL, resolver text,
    customer_source_id text, currency_iso text NOT NULL,
    amount numeric(20,6) NOT NULL, surcharge_amount numeric(20,6) NOT NULL,
    payments bigint NOT NULL, paid numeric(38,6), difference numeric(38,6),
    refunded numeric(38,6) NOT NULL, disputed numeric(38,6) NOT NULL, failed numeric(38,6) NOT NULL, applied numeric(38,6),
    payment_source_ids jsonb, created_at timestamptz NOT NULL, since timestamptz NOT NULL,
    break_id text, evidence text,
    PRIMARY KEY (source_id, connection)
);
CREATE INDEX charge_breaks ON reconciliation.charges (connection, break_id) WHERE break_id IS NOT NULL;
COMMENT ON TABLE reconciliation.charges IS 'Each charge at a payment provider, and whether the ledger that it serves shows its money (docs/payouts.md).';
COMMENT ON COLUMN reconciliation.charges.ledger IS 'Connection of the ledger in which its payments are looked for.';
COMMENT ON COLUMN reconciliation.charges.outcome IS 'The first that applies: before_cutover, failed, failed_but_paid, pending, no_payment, currency_mismatch, amount_mismatch, payment_shared, refund_not_in_ledger, dispute_not_in_ledger, failure_not_in_ledger, reconciled_with_fallback, reconciled.';
COMMENT ON COLUMN reconciliation.charges.resolver IS 'By what the payments were found: own (the platform''s reference), charge_id (the charge''s id in a field of the payment); empty where there are none.';
COMMENT ON COLUMN reconciliation.charges.amount IS 'Money that was taken; 0 where none was.';
COMMENT ON COLUMN reconciliation.charges.surcharge_amount IS 'Part of it that pays no invoice, and that the ledger does not show.';
COMMENT ON COLUMN reconciliation.charges.paid IS 'What the ledger''s payments in the charge''s currency come to.';
COMMENT ON COLUMN reconciliation.charges.difference IS 'amount - surcharge_amount - paid; empty where there is nothing to compare.';
COMMENT ON COLUMN reconciliation.charges.refunded IS 'Refunds whose money is gone; one that failed counts for nothing.';
COMMENT ON COLUMN reconciliation.charges.disputed IS 'Disputes that are not won; an inquiry counts for nothing.';
COMMENT ON COLUMN reconciliation.charges.failed IS 'Money of a debit that failed after it had succeeded.';
COMMENT ON COLUMN reconciliation.charges.applied IS 'What of the payments is applied in the ledger; read only where money went back.';
COMMENT ON COLUMN reconciliation.charges.payment_source_ids IS 'The ledger''s payments.';
COMMENT ON COLUMN reconciliation.charges.break_id IS 'Its break in differences; empty where it asks for nobody.';

CREATE TABLE reconciliation.payouts (
    connection text NOT NULL, source_id text NOT NULL, ledger text NOT NULL,
    outcome text NOT NULL, items_outcome text NOT NULL, ledger_outcome text NOT NULL, status text NOT NULL,
    currency_iso text NOT NULL, amount numeric(20,6) NOT NULL,
    items bigint NOT NULL, items_net numeric(38,6) NOT NULL, difference numeric(38,6),
    exceptions bigint NOT NULL, fallbacks bigint NOT NULL,
    date_arrival date, created_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, connection)
);
COMMENT ON TABLE reconciliation.payouts IS 'Each payout of a payment provider, and whether its items are known, sum to it, and have their payments in the ledger (docs/payouts.md).';
COMMENT ON COLUMN reconciliation.payouts.outcome IS 'The first that applies to it or one of its legs: reversed, not_itemisable, pending, blocked_before_cutover, blocked_unknown_category, blocked_unknown_member, currency_mismatch, amount_mismatch, fee_mismatch, reconciled_with_fallback, reconciled.';
COMMENT ON COLUMN reconciliation.payouts.items_outcome IS 'The payout with its items.';
COMMENT ON COLUMN reconciliation.payouts.ledger_outcome IS 'The items with the ledger''s payments.';
COMMENT ON COLUMN reconciliation.payouts.items_net IS 'What its items in its own currency come to, by its own list.';
COMMENT ON COLUMN reconciliation.payouts.difference IS 'amount - items_net; empty where it is not compared.';
COMMENT ON COLUMN reconciliation.payouts.fallbacks IS 'Items whose payments were found by the charge''s id.';

CREATE TABLE reconciliation.payout_lines (
    connection text NOT NULL, payout_source_id text NOT NULL, line text NOT NULL, currency_iso text NOT NULL,
    items bigint NOT NULL, amount numeric(38,6) NOT NULL, fee numeric(38,6) NOT NULL, net numeric(38,6) NOT NULL,
    PRIMARY KEY (payout_source_id, line, currency_iso, connection)
);
COMMENT ON TABLE reconciliation.payout_lines IS 'From gross to net of each payout: charges, refunds, disputes, failures, fees, taxes, holds, releases, transfers, adjustments, other. The nets of its currency sum to items_net.';
COMMENT ON COLUMN reconciliation.payout_lines.fee IS 'Fees taken off the items of the line; net = amount - fee.';
COMMENT ON COLUMN reconciliation.payout_lines.line IS 'other holds the rows of an unknown category as well.';

CREATE TABLE reconciliation.payout_exceptions (
    break_id text PRIMARY KEY,
    connection text NOT NULL, payout_source_id text NOT NULL, code text NOT NULL, leg text NOT NULL, outcome text NOT NULL,
    balance_transaction_source_id text NOT NULL, occurrence integer NOT NULL, charge_source_id text,
    currency_iso text NOT NULL, amount numeric(38,6) NOT NULL, evidence text NOT NULL, since timestamptz NOT NULL,
    is_break boolean NOT NULL
);
CREATE INDEX payout_exceptions_by_payout ON reconciliation.payout_exceptions (payout_source_id, connection);
COMMENT ON TABLE reconciliation.payout_exceptions IS 'What keeps payouts from being reconciled: item, charge, amount, and why in a sentence.';
COMMENT ON COLUMN reconciliation.payout_exceptions.balance_transaction_source_id IS 'The item; empty where none is to blame.';
COMMENT ON COLUMN reconciliation.payout_exceptions.occurrence IS 'Which occurrence of an item that is in its payout more than once.';
COMMENT ON COLUMN reconciliation.payout_exceptions.is_break IS 'False for what nobody has to correct: charges from before the cut-over.';

CREATE TABLE reconciliation.balance_proofs (
    break_id text NOT NULL,
    connection text NOT NULL, source_id text NOT NULL, currency_iso text NOT NULL, outcome text NOT NULL,
    taken_at timestamptz, available numeric(20,6), pending numeric(20,6),
    rows bigint NOT NULL, computed numeric(38,6) NOT NULL, difference numeric(38,6), change numeric(38,6),
    is_break boolean NOT NULL, since timestamptz NOT NULL,
    PRIMARY KEY (source_id, currency_iso, connection)
);
COMMENT ON TABLE reconciliation.balance_proofs IS 'Per currency and balance snapshot: do all rows of the balance until then come to what the provider said it was?';
COMMENT ON COLUMN reconciliation.balance_proofs.source_id IS 'The snapshot; empty for the days before the first, which nothing proves by themselves.';
COMMENT ON COLUMN reconciliation.balance_proofs.outcome IS 'tied, differs, no_snapshot, moved_during_read (the next snapshot ties).';
COMMENT ON COLUMN reconciliation.balance_proofs.difference IS 'computed - (available + pending).';
COMMENT ON COLUMN reconciliation.balance_proofs.change IS 'What the difference grew by since the snapshot before: only a change is a break.';

-- reporting ------------------------------------------------------------------------------------------------------

CREATE VIEW reporting.charges AS
SELECT c.connection, c.source_id, c.provider, c.status, c.amount, c.amount_captured, c.surcharge_amount, c.currency_iso,
       c.created_at, c.method, c.failure_code, c.failure_message, c.customer_connection, c.customer_source_id, c.is_own,
       c.own_reference, r.outcome, r.resolver, r.ledger, r.payments, r.payment_source_ids, r.paid, r.difference,
       r.refunded, r.disputed, r.failed, r.applied, r.evidence, r.break_id
FROM receivables.charges c
LEFT JOIN reconciliation.charges r ON r.source_id = c.source_id AND r.connection = c.connection;
COMMENT ON VIEW reporting.charges IS 'Charges at payment providers, with what became of each in the ledger (outcome; empty until it is reconciled).';
COMMENT ON COLUMN reporting.charges.difference IS 'Money taken, less surcharge, less what the ledger''s payments come to.';

CREATE VIEW reporting.payouts AS
SELECT p.connection, p.source_id, p.status, p.amount, p.currency_iso, p.created_at, p.date_arrival, p.is_automatic,
       p.method, p.reconciliation_status, p.description, p.statement_descriptor, p.trace_id, p.failure_code,
       r.outcome, r.items_outcome, r.ledger_outcome, r.ledger, r.items, r.items_net, r.difference, r.exceptions, r.fallbacks
FROM receivables.payouts p
LEFT JOIN reconciliation.payouts r ON r.source_id = p.source_id AND r.connection = p.connection;
COMMENT ON VIEW reporting.payouts IS 'Payouts of payment providers, with what became of each (outcome; empty until it is reconciled).';

CREATE VIEW reporting.payout_items AS
SELECT m.connection, m.payout_source_id, m.balance_transaction_source_id AS source_id, m.source_id AS member_source_id,
       COALESCE(t.type, m.type) AS type, COALESCE(t.reporting_category, m.reporting_category) AS reporting_category,
       m.amount, m.fee, m.net, m.currency_iso, t.created_at, t.source_kind, t.source_object_id, t.charge_source_id,
       t.charge_amount, t.charge_currency_iso, t.description
FROM receivables.payout_members m
JOIN receivables.payouts p ON p.source_id = m.payout_source_id AND p.connection = m.connection
LEFT JOIN receivables.balance_transactions t
    ON t.source_id = m.balance_transaction_source_id AND t.connection = m.connection
WHERE m.balance_transaction_source_id IS DISTINCT FROM p.balance_transaction_source_id
  AND (p.balance_transaction_source_id IS NOT NULL OR m.type IS DISTINCT FROM 'payout');
COMMENT ON VIEW reporting.payout_items IS 'What each payout consists of, by its own list; the payout''s own row is none of it. net = amount - fee.';

CREATE VIEW reporting.payout_lines AS SELECT * FROM reconciliation.payout_lines;
COMMENT ON VIEW reporting.payout_lines IS 'From gross to net of each payout, by line.';

CREATE VIEW reporting.payout_exceptions AS SELECT * FROM reconciliation.payout_exceptions;
COMMENT ON VIEW reporting.payout_exceptions IS 'What keeps payouts from being reconciled: item, charge, amount, and why in a sentence.';

CREATE VIEW reporting.balance_proofs AS
SELECT connection, NULLIF(source_id, '') AS source_id, currency_iso, outcome, taken_at, available, pending,
       available + pending AS stated, rows, computed, difference, change, since, break_id
FROM reconciliation.balance_proofs;
COMMENT ON VIEW reporting.balance_proofs IS 'Per currency and balance snapshot: do all rows of the balance until then come to what the provider said it was?';
