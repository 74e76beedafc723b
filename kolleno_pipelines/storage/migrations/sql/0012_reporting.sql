-- What analysts read of payment providers: every row of the balance, the money of a charge, and what each column is.

CREATE VIEW reporting.balance_transactions AS
SELECT t.connection, t.source_id, t.type, t.reporting_category, t.amount, t.fee, t.net, t.currency_iso, t.created_at,
       t.available_on, t.source_kind, t.source_object_id, t.charge_source_id, t.charge_amount, t.charge_currency_iso,
       t.exchange_rate, t.description, m.payout_source_id
FROM receivables.balance_transactions t
LEFT JOIN (SELECT connection, balance_transaction_source_id, min(payout_source_id) AS payout_source_id
           FROM receivables.payout_members GROUP BY 1, 2) m
    ON m.balance_transaction_source_id = t.source_id AND m.connection = t.connection;
COMMENT ON VIEW reporting.balance_transactions IS 'Every row of the balance at payment providers, in a payout or not: what the balance, and all fees, are the sum of.';
COMMENT ON COLUMN reporting.balance_transactions.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.balance_transactions.source_id IS 'The row.';
COMMENT ON COLUMN reporting.balance_transactions.type IS 'The provider''s word for what it is.';
COMMENT ON COLUMN reporting.balance_transactions.reporting_category IS 'The provider''s category; a line of payout_lines is made of some.';
COMMENT ON COLUMN reporting.balance_transactions.amount IS 'Gross.';
COMMENT ON COLUMN reporting.balance_transactions.fee IS 'Fee taken off.';
COMMENT ON COLUMN reporting.balance_transactions.net IS 'What the balance moved by, as the provider says; amount - fee, unless an exception says otherwise.';
COMMENT ON COLUMN reporting.balance_transactions.currency_iso IS 'Currency of amount, fee and net.';
COMMENT ON COLUMN reporting.balance_transactions.created_at IS 'When it was made.';
COMMENT ON COLUMN reporting.balance_transactions.available_on IS 'Day from which it can be paid out.';
COMMENT ON COLUMN reporting.balance_transactions.source_kind IS 'Kind of the object that made it: charge, refund, dispute ...';
COMMENT ON COLUMN reporting.balance_transactions.source_object_id IS 'That object.';
COMMENT ON COLUMN reporting.balance_transactions.charge_source_id IS 'The charge behind it.';
COMMENT ON COLUMN reporting.balance_transactions.charge_amount IS 'Amount of that object in the charge''s currency.';
COMMENT ON COLUMN reporting.balance_transactions.charge_currency_iso IS 'Currency of charge_amount.';
COMMENT ON COLUMN reporting.balance_transactions.exchange_rate IS 'By which charge_amount became amount; empty where nothing was exchanged.';
COMMENT ON COLUMN reporting.balance_transactions.description IS 'The provider''s text.';
COMMENT ON COLUMN reporting.balance_transactions.payout_source_id IS 'The payout whose list has it, the payout''s own row too; empty where none has.';

CREATE OR REPLACE VIEW reporting.charges AS
SELECT c.connection, c.source_id, c.provider, c.status, c.amount, c.amount_captured, c.surcharge_amount, c.currency_iso,
       c.created_at, c.method, c.failure_code, c.failure_message, c.customer_connection, c.customer_source_id, c.is_own,
       c.own_reference, r.outcome, r.resolver, r.ledger, r.payments, r.payment_source_ids, r.paid, r.difference,
       r.refunded, r.disputed, r.failed, r.applied, r.evidence, r.break_id, r.amount AS money
FROM receivables.charges c
LEFT JOIN reconciliation.charges r ON r.source_id = c.source_id AND r.connection = c.connection;

COMMENT ON COLUMN reporting.charges.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.charges.source_id IS 'The charge.';
COMMENT ON COLUMN reporting.charges.provider IS 'System of the connection.';
COMMENT ON COLUMN reporting.charges.status IS 'The provider''s word.';
COMMENT ON COLUMN reporting.charges.amount IS 'What was asked for, taken or not; money is what was taken.';
COMMENT ON COLUMN reporting.charges.money IS 'Money that was taken; 0 where none was, or it is not certain yet.';
COMMENT ON COLUMN reporting.charges.amount_captured IS 'What the provider calls captured; of a debit that is pending too.';
COMMENT ON COLUMN reporting.charges.surcharge_amount IS 'Part of it that pays no invoice, and that the ledger does not show.';
COMMENT ON COLUMN reporting.charges.currency_iso IS 'Currency of all amounts of the row.';
COMMENT ON COLUMN reporting.charges.created_at IS 'When it was made.';
COMMENT ON COLUMN reporting.charges.method IS 'Kind of card or debit, in the provider''s word.';
COMMENT ON COLUMN reporting.charges.failure_code IS 'Why it failed, in the provider''s word.';
COMMENT ON COLUMN reporting.charges.failure_message IS 'Why it failed, in the provider''s sentence.';
COMMENT ON COLUMN reporting.charges.customer_connection IS 'Connection of the ledger whose customer it names.';
COMMENT ON COLUMN reporting.charges.customer_source_id IS 'Customer of the ledger that it names.';
COMMENT ON COLUMN reporting.charges.is_own IS 'Whether the platform made it.';
COMMENT ON COLUMN reporting.charges.own_reference IS 'The platform''s reference, by which its payments are looked for.';
COMMENT ON COLUMN reporting.charges.outcome IS 'What became of it, the first that applies in the order of docs/payouts.md; empty until it is reconciled.';
COMMENT ON COLUMN reporting.charges.resolver IS 'By what its payments were found: own (the platform''s reference), charge_id; empty where there are none.';
COMMENT ON COLUMN reporting.charges.ledger IS 'Connection of the ledger in which its payments are looked for.';
COMMENT ON COLUMN reporting.charges.payments IS 'How many payments were found.';
COMMENT ON COLUMN reporting.charges.payment_source_ids IS 'The payments.';
COMMENT ON COLUMN reporting.charges.paid IS 'What the payments in its currency come to.';
COMMENT ON COLUMN reporting.charges.difference IS 'money - surcharge_amount - paid; empty where nothing is compared.';
COMMENT ON COLUMN reporting.charges.refunded IS 'Refunds whose money is gone.';
COMMENT ON COLUMN reporting.charges.disputed IS 'Disputes that are not won.';
COMMENT ON COLUMN reporting.charges.failed IS 'Money of a debit that failed after it had succeeded.';
COMMENT ON COLUMN reporting.charges.applied IS 'What of the payments is applied in the ledger; read only where money went back.';
COMMENT ON COLUMN reporting.charges.evidence IS 'Why it asks for somebody, in a sentence.';
COMMENT ON COLUMN reporting.charges.break_id IS 'Its break in differences; empty where it asks for nobody.';
COMMENT ON COLUMN reporting.payouts.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.payouts.source_id IS 'The payout.';
COMMENT ON COLUMN reporting.payouts.status IS 'The provider''s word.';
COMMENT ON COLUMN reporting.payouts.amount IS 'What was paid out; below 0 taken from the bank.';
COMMENT ON COLUMN reporting.payouts.currency_iso IS 'Currency.';
COMMENT ON COLUMN reporting.payouts.created_at IS 'When it was made.';
COMMENT ON COLUMN reporting.payouts.date_arrival IS 'Day on which it arrives at the bank, as the provider says.';
COMMENT ON COLUMN reporting.payouts.is_automatic IS 'False for a payout by hand.';
COMMENT ON COLUMN reporting.payouts.method IS 'standard or instant.';
COMMENT ON COLUMN reporting.payouts.reconciliation_status IS 'Whether the provider has itemised it: completed, in_progress, not_applicable.';
COMMENT ON COLUMN reporting.payouts.description IS 'The provider''s text.';
COMMENT ON COLUMN reporting.payouts.statement_descriptor IS 'Text on the bank statement.';
COMMENT ON COLUMN reporting.payouts.trace_id IS 'Trace of the bank transfer.';
COMMENT ON COLUMN reporting.payouts.failure_code IS 'Why it failed.';
COMMENT ON COLUMN reporting.payouts.outcome IS 'What became of it, the first that applies in the order of docs/payouts.md; reconciled does not say that the money arrived at the bank. Empty until it is reconciled.';
COMMENT ON COLUMN reporting.payouts.items_outcome IS 'The payout with its items.';
COMMENT ON COLUMN reporting.payouts.ledger_outcome IS 'The items with the ledger''s payments.';
COMMENT ON COLUMN reporting.payouts.ledger IS 'Connection of the ledger.';
COMMENT ON COLUMN reporting.payouts.items IS 'How many items its list has.';
COMMENT ON COLUMN reporting.payouts.items_net IS 'What they come to, in its currency.';
COMMENT ON COLUMN reporting.payouts.difference IS 'amount - items_net; empty where it is not compared.';
COMMENT ON COLUMN reporting.payouts.exceptions IS 'How many rows of payout_exceptions it has, accepted ones too.';
COMMENT ON COLUMN reporting.payouts.fallbacks IS 'Items whose payments were found by the charge''s id.';
COMMENT ON COLUMN reporting.payout_items.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.payout_items.payout_source_id IS 'The payout.';
COMMENT ON COLUMN reporting.payout_items.source_id IS 'The row of the balance, as in balance_transaction_source_id of payout_exceptions.';
COMMENT ON COLUMN reporting.payout_items.member_source_id IS 'The entry of the payout''s list.';
COMMENT ON COLUMN reporting.payout_items.type IS 'The provider''s word for what it is.';
COMMENT ON COLUMN reporting.payout_items.reporting_category IS 'The provider''s category; a line of payout_lines is made of some.';
COMMENT ON COLUMN reporting.payout_items.amount IS 'Gross, by the payout''s own list.';
COMMENT ON COLUMN reporting.payout_items.fee IS 'Fee taken off.';
COMMENT ON COLUMN reporting.payout_items.net IS 'amount - fee, unless an exception says otherwise.';
COMMENT ON COLUMN reporting.payout_items.currency_iso IS 'Currency.';
COMMENT ON COLUMN reporting.payout_items.created_at IS 'When the row was made.';
COMMENT ON COLUMN reporting.payout_items.source_kind IS 'Kind of the object that made it: charge, refund, dispute ...';
COMMENT ON COLUMN reporting.payout_items.source_object_id IS 'That object.';
COMMENT ON COLUMN reporting.payout_items.charge_source_id IS 'The charge behind it.';
COMMENT ON COLUMN reporting.payout_items.charge_amount IS 'Amount of that object in the charge''s currency.';
COMMENT ON COLUMN reporting.payout_items.charge_currency_iso IS 'Currency of charge_amount.';
COMMENT ON COLUMN reporting.payout_items.description IS 'The provider''s text.';
COMMENT ON COLUMN reporting.payout_lines.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.payout_lines.payout_source_id IS 'The payout.';
COMMENT ON COLUMN reporting.payout_lines.line IS 'charges, refunds, disputes, failures, fees, taxes, holds, releases, transfers, adjustments, other (unknown categories too).';
COMMENT ON COLUMN reporting.payout_lines.currency_iso IS 'Currency.';
COMMENT ON COLUMN reporting.payout_lines.items IS 'How many items are in the line.';
COMMENT ON COLUMN reporting.payout_lines.amount IS 'Gross.';
COMMENT ON COLUMN reporting.payout_lines.fee IS 'Fees taken off the items; what is charged by itself is the line fees.';
COMMENT ON COLUMN reporting.payout_lines.net IS 'What the items come to; sums to items_net of the payout.';
COMMENT ON COLUMN reporting.payout_exceptions.break_id IS 'Its id in differences.';
COMMENT ON COLUMN reporting.payout_exceptions.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.payout_exceptions.payout_source_id IS 'The payout.';
COMMENT ON COLUMN reporting.payout_exceptions.code IS 'What is wrong, a code of docs/payouts.md.';
COMMENT ON COLUMN reporting.payout_exceptions.leg IS 'items (with the payout) or ledger (with its payments).';
COMMENT ON COLUMN reporting.payout_exceptions.outcome IS 'The outcome that it gives the leg.';
COMMENT ON COLUMN reporting.payout_exceptions.balance_transaction_source_id IS 'The item; empty where none is to blame.';
COMMENT ON COLUMN reporting.payout_exceptions.occurrence IS 'Which occurrence of an item that is in its payout more than once; 0 where no item is named.';
COMMENT ON COLUMN reporting.payout_exceptions.charge_source_id IS 'The charge behind the item.';
COMMENT ON COLUMN reporting.payout_exceptions.currency_iso IS 'Currency of the amount.';
COMMENT ON COLUMN reporting.payout_exceptions.amount IS 'What is to be added to the row or the payout''s list for it to be right (below 0: what it has too much); where nothing is compared, what the item comes to.';
COMMENT ON COLUMN reporting.payout_exceptions.evidence IS 'Why, in a sentence.';
COMMENT ON COLUMN reporting.payout_exceptions.since IS 'Version of the newest input that it was judged by.';
COMMENT ON COLUMN reporting.payout_exceptions.is_break IS 'False for what nobody has to correct: charges from before the cut-over.';
COMMENT ON COLUMN reporting.balance_proofs.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.balance_proofs.source_id IS 'The snapshot; empty for the days before the first.';
COMMENT ON COLUMN reporting.balance_proofs.currency_iso IS 'Currency.';
COMMENT ON COLUMN reporting.balance_proofs.outcome IS 'tied, differs, no_snapshot, moved_during_read.';
COMMENT ON COLUMN reporting.balance_proofs.taken_at IS 'When the balance was asked for.';
COMMENT ON COLUMN reporting.balance_proofs.available IS 'By the provider''s word.';
COMMENT ON COLUMN reporting.balance_proofs.pending IS 'By the provider''s word.';
COMMENT ON COLUMN reporting.balance_proofs.stated IS 'available + pending.';
COMMENT ON COLUMN reporting.balance_proofs.rows IS 'Rows of the balance until then.';
COMMENT ON COLUMN reporting.balance_proofs.computed IS 'What they come to.';
COMMENT ON COLUMN reporting.balance_proofs.difference IS 'computed - stated.';
COMMENT ON COLUMN reporting.balance_proofs.change IS 'What the difference grew by since the snapshot before: only a change is a break.';
COMMENT ON COLUMN reporting.balance_proofs.since IS 'When the balance was asked for.';
COMMENT ON COLUMN reporting.balance_proofs.break_id IS 'Id of the proof; in differences only where it differs and change is not 0.';

COMMENT ON VIEW reporting.payouts IS 'Payouts of payment providers, with what became of each (outcome; empty until it is reconciled). Compared are its items and their payments in the ledger, not the line at the bank nor the deposit in the ledger.';

COMMENT ON COLUMN reporting.balance_exceptions.break_id IS 'Its id in differences.';
COMMENT ON COLUMN reporting.balance_exceptions.connection IS 'Connection of the provider.';
COMMENT ON COLUMN reporting.balance_exceptions.balance_transaction_source_id IS 'The row.';
COMMENT ON COLUMN reporting.balance_exceptions.code IS 'What is wrong, a code of docs/payouts.md.';
COMMENT ON COLUMN reporting.balance_exceptions.charge_source_id IS 'The charge behind it.';
COMMENT ON COLUMN reporting.balance_exceptions.currency_iso IS 'Currency of the amount.';
COMMENT ON COLUMN reporting.balance_exceptions.amount IS 'What is to be added to the row or the balance for it to be right; below 0 what is too much.';
COMMENT ON COLUMN reporting.balance_exceptions.evidence IS 'Why, in a sentence.';
COMMENT ON COLUMN reporting.balance_exceptions.since IS 'Version of the newest input that it was judged by.';
