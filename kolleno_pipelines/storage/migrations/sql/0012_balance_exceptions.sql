-- What is wrong with rows of a provider's balance that no compared payout holds.

CREATE TABLE reconciliation.balance_exceptions (
    break_id text PRIMARY KEY,
    connection text NOT NULL, balance_transaction_source_id text NOT NULL, code text NOT NULL, charge_source_id text,
    currency_iso text NOT NULL, amount numeric(38,6) NOT NULL, evidence text NOT NULL, since timestamptz NOT NULL
);
CREATE INDEX balance_exceptions_by_connection ON reconciliation.balance_exceptions (connection);
COMMENT ON TABLE reconciliation.balance_exceptions IS 'Rows of a provider''s balance that no compared payout holds, and of which something is wrong: the row, its charge, the amount, and why in a sentence (docs/payouts.md).';
COMMENT ON COLUMN reconciliation.balance_exceptions.code IS 'source_differs, net_differs, fee_differs, fee_details, doubled, dropped: as in payout_exceptions.';
COMMENT ON COLUMN reconciliation.balance_exceptions.amount IS 'What is to be added to the row, or to the balance, for it to be right; below 0 what is too much.';

CREATE VIEW reporting.balance_exceptions AS SELECT * FROM reconciliation.balance_exceptions;
COMMENT ON VIEW reporting.balance_exceptions IS 'Rows of a provider''s balance that no compared payout holds, and of which something is wrong: the row, its charge, the amount, and why in a sentence.';
