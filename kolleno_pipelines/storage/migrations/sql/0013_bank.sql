-- Bank accounts, their statements and lines; the leg of a payout to the bank.

CREATE TABLE normalised.bank_accounts (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    account_number text NOT NULL, currency_iso text, name text, owner_name text, bank_code text
);
CREATE TABLE normalised.bank_statements (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    account_source_id text NOT NULL, kind text NOT NULL, ref text NOT NULL, currency_iso text,
    date_from date, date_to date, balance_opening numeric(20,6), balance_closing numeric(20,6),
    entries integer NOT NULL, amount_booked numeric(20,6) NOT NULL, file text NOT NULL
);
CREATE TABLE normalised.bank_lines (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    account_source_id text NOT NULL, statement_source_id text, amount numeric(20,6) NOT NULL,
    currency_iso text NOT NULL, status text NOT NULL, date_booked date, date_value date, is_reversal boolean,
    is_return boolean, entry_reference text, bank_reference text, transaction_code text,
    counterparty_name text, counterparty_account text, remittance_text text, bank_text text,
    words jsonb NOT NULL, amount_instructed numeric(20,6), currency_instructed_iso text, file text NOT NULL,
    file_line integer
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['bank_accounts', 'bank_statements', 'bank_lines'] LOOP
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (extract_id int4_minmax_multi_ops) WITH (pages_per_range = 16)', t || '_by_extract', t);
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (source_id text_bloom_ops(n_distinct_per_range = 410)) WITH (pages_per_range = 8)', t || '_by_source_id', t);
        EXECUTE format('COMMENT ON TABLE normalised.%I IS %L', t, 'Rows of ' || t || ' as payloads say them, one set per payload: inputs of the fold.');
    END LOOP;
END $$;

CREATE TABLE receivables.bank_accounts (
    connection text NOT NULL, source_id text NOT NULL,
    account_number text NOT NULL, currency_iso text, name text, owner_name text, bank_code text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.bank_statements (
    connection text NOT NULL, source_id text NOT NULL,
    account_source_id text NOT NULL, kind text NOT NULL, ref text NOT NULL, currency_iso text,
    date_from date, date_to date, balance_opening numeric(20,6), balance_closing numeric(20,6),
    entries integer NOT NULL, amount_booked numeric(20,6) NOT NULL, file text NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.bank_lines (
    connection text NOT NULL, source_id text NOT NULL,
    account_source_id text NOT NULL, statement_source_id text, amount numeric(20,6) NOT NULL,
    currency_iso text NOT NULL, status text NOT NULL, date_booked date, date_value date, is_reversal boolean,
    is_return boolean, entry_reference text, bank_reference text, transaction_code text,
    counterparty_name text, counterparty_account text, remittance_text text, bank_text text,
    words jsonb NOT NULL, amount_instructed numeric(20,6), currency_instructed_iso text, file text NOT NULL,
    file_line integer,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

COMMENT ON TABLE receivables.bank_accounts IS 'Accounts at banks, each in one currency: a number that has several is several accounts.';
COMMENT ON TABLE receivables.bank_statements IS 'What a bank says of an account for some days: with balances (statement, camt.053), of a part of a day (report, 052), or without balances (notification, 054).';
COMMENT ON TABLE receivables.bank_lines IS 'Movements of bank accounts. A line that several files say is one; an entry that books several transactions, each with its amount, is a line for each.';
COMMENT ON COLUMN receivables.bank_lines.amount IS 'In the currency of the account; above 0 where it came in.';
COMMENT ON COLUMN receivables.bank_lines.status IS 'booked, pending or info: only booked counts.';
COMMENT ON COLUMN receivables.bank_lines.words IS 'Its references and the words of its texts, letters and digits alone, in capitals: a trace id is found by them.';
COMMENT ON COLUMN receivables.bank_lines.statement_source_id IS 'The statement that says it last.';

ALTER TABLE reconciliation.payouts
    ADD COLUMN bank_outcome text NOT NULL DEFAULT 'not_compared',
    ADD COLUMN bank_resolver text, ADD COLUMN bank_connection text, ADD COLUMN bank_line_source_id text,
    ADD COLUMN bank_amount numeric(20,6), ADD COLUMN bank_currency_iso text, ADD COLUMN bank_day date;
COMMENT ON TABLE reconciliation.payouts IS 'Each payout of a payment provider, and whether its items are known, sum to it, have their payments in the ledger, and whether it arrived at the bank (docs/payouts.md).';
COMMENT ON COLUMN reconciliation.payouts.outcome IS 'The first that applies to it or one of its legs: reversed, not_itemisable, pending, blocked_before_cutover, blocked_unknown_category, blocked_unknown_member, currency_mismatch, amount_mismatch, fee_mismatch, not_at_bank, awaiting_bank, reconciled_with_fallback, reconciled.';
COMMENT ON COLUMN reconciliation.payouts.bank_outcome IS 'The payout with its line at the bank: currency_mismatch, amount_mismatch, not_at_bank, awaiting_bank, reconciled, or not_compared where no bank is read that could have it.';
COMMENT ON COLUMN reconciliation.payouts.bank_resolver IS 'By what the line was found: trace_id, or descriptor (amount, day and the provider''s text).';
COMMENT ON COLUMN reconciliation.payouts.bank_amount IS 'What the line says, in its own currency (bank_currency_iso).';
CREATE INDEX payouts_by_bank_line ON reconciliation.payouts (bank_line_source_id, bank_connection)
    WHERE bank_line_source_id IS NOT NULL;

ALTER TABLE reconciliation.payout_exceptions ADD COLUMN bank_line_source_id text;
COMMENT ON COLUMN reconciliation.payout_exceptions.bank_line_source_id IS 'The line of the bank, where one is to blame.';

-- reporting ------------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW reporting.payouts AS
SELECT p.connection, p.source_id, p.status, p.amount, p.currency_iso, p.created_at, p.date_arrival, p.is_automatic,
       p.method, p.reconciliation_status, p.description, p.statement_descriptor, p.trace_id, p.failure_code,
       r.outcome, r.items_outcome, r.ledger_outcome, r.ledger, r.items, r.items_net, r.difference, r.exceptions, r.fallbacks,
       r.bank_outcome, r.bank_resolver, r.bank_connection, r.bank_line_source_id, r.bank_amount, r.bank_currency_iso,
       r.bank_day
FROM receivables.payouts p
LEFT JOIN reconciliation.payouts r ON r.source_id = p.source_id AND r.connection = p.connection;
COMMENT ON VIEW reporting.payouts IS 'Payouts of payment providers, with what became of each (outcome; empty until it is reconciled). Compared are its items, their payments in the ledger and its line at the bank, not the deposit in the ledger.';
COMMENT ON COLUMN reporting.payouts.outcome IS 'What became of it, the first that applies in the order of docs/payouts.md; whether the money arrived is told by bank_outcome. Empty until it is reconciled.';
COMMENT ON COLUMN reporting.payouts.bank_outcome IS 'The payout with its line at the bank: currency_mismatch, amount_mismatch, not_at_bank (missing, sent back, or kept though it failed: payout_exceptions says which), awaiting_bank (no statement tells yet), reconciled, or not_compared where no bank is read that could have it.';
COMMENT ON COLUMN reporting.payouts.bank_resolver IS 'By what the line was found: trace_id, or descriptor (amount, day and the provider''s text).';
COMMENT ON COLUMN reporting.payouts.bank_connection IS 'Connection of the bank.';
COMMENT ON COLUMN reporting.payouts.bank_line_source_id IS 'Its line, a source_id of bank_lines: the one that arrived, or the one to blame.';
COMMENT ON COLUMN reporting.payouts.bank_amount IS 'What the line says, below 0 where it went out.';
COMMENT ON COLUMN reporting.payouts.bank_currency_iso IS 'Currency of bank_amount.';
COMMENT ON COLUMN reporting.payouts.bank_day IS 'Day on which the bank booked it.';

CREATE OR REPLACE VIEW reporting.payout_exceptions AS SELECT * FROM reconciliation.payout_exceptions;
COMMENT ON COLUMN reporting.payout_exceptions.leg IS 'items (with the payout), ledger (with its payments) or bank (with its line there).';
COMMENT ON COLUMN reporting.payout_exceptions.amount IS 'What is to be added to the row, the payout''s list or the bank for it to be right (below 0: what it has too much); where nothing is compared, what the item comes to.';
COMMENT ON COLUMN reporting.payout_exceptions.bank_line_source_id IS 'The line of the bank, where one is to blame.';

CREATE VIEW reporting.bank_accounts AS
SELECT connection, source_id, account_number, currency_iso, name, owner_name, bank_code FROM receivables.bank_accounts;
COMMENT ON VIEW reporting.bank_accounts IS 'Accounts at banks, each in one currency.';

COMMENT ON COLUMN reporting.bank_accounts.connection IS 'Connection of the bank.';
COMMENT ON COLUMN reporting.bank_accounts.source_id IS 'The account.';
COMMENT ON COLUMN reporting.bank_accounts.account_number IS 'IBAN or other number.';
COMMENT ON COLUMN reporting.bank_accounts.currency_iso IS 'ISO 4217.';
COMMENT ON COLUMN reporting.bank_accounts.name IS 'Name of the account.';
COMMENT ON COLUMN reporting.bank_accounts.owner_name IS 'Whose account it is.';
COMMENT ON COLUMN reporting.bank_accounts.bank_code IS 'BIC or other code of the bank.';

CREATE VIEW reporting.bank_statements AS
SELECT connection, source_id, account_source_id, kind, ref, currency_iso, date_from, date_to, balance_opening, balance_closing, entries, amount_booked, file,
       balance_opening + amount_booked AS amount_computed,
       balance_opening + amount_booked - balance_closing AS difference
FROM receivables.bank_statements;
COMMENT ON VIEW reporting.bank_statements IS 'What banks say of accounts for some days, and whether their entries lead from the opening to the closing balance.';
COMMENT ON COLUMN reporting.bank_statements.connection IS 'Connection of the bank.';
COMMENT ON COLUMN reporting.bank_statements.source_id IS 'The statement.';
COMMENT ON COLUMN reporting.bank_statements.account_source_id IS 'The account.';
COMMENT ON COLUMN reporting.bank_statements.kind IS 'Statement, report (of a part of a day) or notification (without balances).';
COMMENT ON COLUMN reporting.bank_statements.ref IS 'The bank''s id of it.';
COMMENT ON COLUMN reporting.bank_statements.currency_iso IS 'ISO 4217.';
COMMENT ON COLUMN reporting.bank_statements.date_from IS 'First day.';
COMMENT ON COLUMN reporting.bank_statements.date_to IS 'Last day.';
COMMENT ON COLUMN reporting.bank_statements.balance_opening IS 'Balance at its beginning.';
COMMENT ON COLUMN reporting.bank_statements.balance_closing IS 'Balance at its end.';
COMMENT ON COLUMN reporting.bank_statements.entries IS 'How many entries it has.';
COMMENT ON COLUMN reporting.bank_statements.amount_booked IS 'What its booked entries come to.';
COMMENT ON COLUMN reporting.bank_statements.file IS 'The bank''s file.';
COMMENT ON COLUMN reporting.bank_statements.amount_computed IS 'Balance_opening + amount_booked.';
COMMENT ON COLUMN reporting.bank_statements.difference IS 'Amount_computed - balance_closing: not 0 where entries are missing or wrong.';

CREATE VIEW reporting.bank_lines AS
SELECT l.connection, l.source_id, l.account_source_id, l.statement_source_id, l.amount, l.currency_iso, l.status, l.date_booked, l.date_value, l.is_reversal, l.is_return, l.entry_reference, l.bank_reference, l.transaction_code, l.counterparty_name, l.counterparty_account, l.remittance_text, l.bank_text, l.amount_instructed, l.currency_instructed_iso, l.file, l.file_line,
       p.connection AS payout_connection, p.source_id AS payout_source_id
FROM receivables.bank_lines l
LEFT JOIN reconciliation.payouts p ON p.bank_line_source_id = l.source_id AND p.bank_connection = l.connection;
COMMENT ON VIEW reporting.bank_lines IS 'Movements of bank accounts, and the payout of a provider that a line is.';
COMMENT ON COLUMN reporting.bank_lines.connection IS 'Connection of the bank.';
COMMENT ON COLUMN reporting.bank_lines.source_id IS 'The line.';
COMMENT ON COLUMN reporting.bank_lines.account_source_id IS 'The account.';
COMMENT ON COLUMN reporting.bank_lines.statement_source_id IS 'The statement that says it last.';
COMMENT ON COLUMN reporting.bank_lines.amount IS 'Amount, above 0 where it came in.';
COMMENT ON COLUMN reporting.bank_lines.currency_iso IS 'ISO 4217.';
COMMENT ON COLUMN reporting.bank_lines.status IS 'Booked, pending or info: only booked counts.';
COMMENT ON COLUMN reporting.bank_lines.date_booked IS 'Booking date.';
COMMENT ON COLUMN reporting.bank_lines.date_value IS 'Value date.';
COMMENT ON COLUMN reporting.bank_lines.is_reversal IS 'It takes an earlier entry back.';
COMMENT ON COLUMN reporting.bank_lines.is_return IS 'Money that came back.';
COMMENT ON COLUMN reporting.bank_lines.entry_reference IS 'Number of the entry in its file.';
COMMENT ON COLUMN reporting.bank_lines.bank_reference IS 'The bank''s reference of the entry.';
COMMENT ON COLUMN reporting.bank_lines.transaction_code IS 'Kind of transaction, ISO 20022 or the bank''s own.';
COMMENT ON COLUMN reporting.bank_lines.counterparty_name IS 'The other side.';
COMMENT ON COLUMN reporting.bank_lines.counterparty_account IS 'Account of the other side.';
COMMENT ON COLUMN reporting.bank_lines.remittance_text IS 'What the sender wrote.';
COMMENT ON COLUMN reporting.bank_lines.bank_text IS 'What the bank says of it.';
COMMENT ON COLUMN reporting.bank_lines.amount_instructed IS 'What was instructed, before an exchange.';
COMMENT ON COLUMN reporting.bank_lines.currency_instructed_iso IS 'Currency of what was instructed.';
COMMENT ON COLUMN reporting.bank_lines.file IS 'The bank''s file.';
COMMENT ON COLUMN reporting.bank_lines.file_line IS 'Line of it.';
COMMENT ON COLUMN reporting.bank_lines.payout_connection IS 'Connection of the provider whose payout it is.';
COMMENT ON COLUMN reporting.bank_lines.payout_source_id IS 'The payout that names it as its line; of what came twice or went back, one line is named.';
