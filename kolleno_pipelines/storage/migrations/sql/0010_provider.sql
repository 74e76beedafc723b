-- Money in a payment provider: what it says (normalised), its records (receivables), and views for analysts.

CREATE TABLE normalised.psp_customers (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    name text, email text, customer_source_id text, created_at timestamptz, is_active boolean, metadata jsonb
);
CREATE TABLE normalised.payment_intents (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, amount_received numeric(20,6),
    currency_iso text NOT NULL, created_at timestamptz NOT NULL, psp_customer_source_id text,
    charge_source_id text, metadata jsonb
);
CREATE TABLE normalised.charges (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    provider text NOT NULL, status text NOT NULL, amount numeric(20,6) NOT NULL, amount_captured numeric(20,6),
    amount_refunded numeric(20,6), surcharge_amount numeric(20,6), currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, method text, is_automatic boolean, is_captured boolean,
    is_disputed boolean, failure_code text, failure_message text, payment_intent_source_id text,
    psp_customer_source_id text, balance_transaction_source_id text, failure_balance_transaction_source_id text,
    is_own boolean NOT NULL, own_reference text, customer_source_id text, invoices_source_ids jsonb,
    invoices_refs jsonb, is_list_complete boolean, metadata jsonb
);
CREATE TABLE normalised.refunds (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, charge_source_id text, payment_intent_source_id text, reason text,
    failure_reason text, balance_transaction_source_id text, failure_balance_transaction_source_id text,
    metadata jsonb
);
CREATE TABLE normalised.disputes (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    status text NOT NULL, reason text, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, charge_source_id text NOT NULL, payment_intent_source_id text,
    balance_transactions jsonb, metadata jsonb
);
CREATE TABLE normalised.payouts (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, date_arrival date, is_automatic boolean NOT NULL, method text,
    reconciliation_status text, description text, statement_descriptor text, destination_source_id text,
    trace_id text, trace_status text, failure_code text, failure_message text,
    balance_transaction_source_id text, failure_balance_transaction_source_id text,
    original_payout_source_id text, reversed_by_source_id text, metadata jsonb
);
CREATE TABLE normalised.payout_members (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    payout_source_id text NOT NULL, balance_transaction_source_id text NOT NULL, type text,
    reporting_category text, amount numeric(20,6) NOT NULL, fee numeric(20,6) NOT NULL,
    net numeric(20,6) NOT NULL, currency_iso text NOT NULL
);
CREATE TABLE normalised.balance_transactions (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    type text NOT NULL, reporting_category text, status text, amount numeric(20,6) NOT NULL,
    fee numeric(20,6) NOT NULL, net numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, available_on date, exchange_rate numeric, source_kind text,
    source_object_id text, charge_source_id text, charge_amount numeric(20,6), charge_currency_iso text,
    balance_type text, description text
);
CREATE TABLE normalised.fee_details (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    balance_transaction_source_id text NOT NULL, ordinal integer NOT NULL, type text NOT NULL,
    amount numeric(20,6) NOT NULL, currency_iso text NOT NULL, description text
);
CREATE TABLE normalised.balance_snapshots (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    taken_at timestamptz NOT NULL, currency_iso text NOT NULL, available numeric(20,6) NOT NULL,
    pending numeric(20,6) NOT NULL, newest_balance_transaction_source_id text
);
CREATE TABLE normalised.provider_events (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    type text NOT NULL, created_at timestamptz NOT NULL, source_kind text, source_object_id text
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['psp_customers', 'payment_intents', 'charges', 'refunds', 'disputes', 'payouts', 'payout_members', 'balance_transactions', 'fee_details', 'balance_snapshots', 'provider_events'] LOOP
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (extract_id int4_minmax_multi_ops) WITH (pages_per_range = 16)', t || '_by_extract', t);
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (source_id text_bloom_ops(n_distinct_per_range = 410)) WITH (pages_per_range = 8)', t || '_by_source_id', t);
        EXECUTE format('COMMENT ON TABLE normalised.%I IS %L', t, 'Rows of ' || t || ' as payloads say them, one set per payload: inputs of the fold.');
    END LOOP;
END $$;

CREATE TABLE receivables.psp_customers (
    connection text NOT NULL, source_id text NOT NULL,
    name text, email text, customer_connection text, customer_source_id text, created_at timestamptz,
    is_active boolean, metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.payment_intents (
    connection text NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, amount_received numeric(20,6),
    currency_iso text NOT NULL, created_at timestamptz NOT NULL, psp_customer_source_id text,
    charge_source_id text, metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.charges (
    connection text NOT NULL, source_id text NOT NULL,
    provider text NOT NULL, status text NOT NULL, amount numeric(20,6) NOT NULL, amount_captured numeric(20,6),
    amount_refunded numeric(20,6), surcharge_amount numeric(20,6), currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, method text, is_automatic boolean, is_captured boolean,
    is_disputed boolean, failure_code text, failure_message text, payment_intent_source_id text,
    psp_customer_source_id text, balance_transaction_source_id text, failure_balance_transaction_source_id text,
    is_own boolean NOT NULL, own_reference text, customer_connection text, customer_source_id text,
    invoices_source_ids jsonb, invoices_refs jsonb, is_list_complete boolean, metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.refunds (
    connection text NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, charge_source_id text, payment_intent_source_id text, reason text,
    failure_reason text, balance_transaction_source_id text, failure_balance_transaction_source_id text,
    metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.disputes (
    connection text NOT NULL, source_id text NOT NULL,
    status text NOT NULL, reason text, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, charge_source_id text NOT NULL, payment_intent_source_id text,
    balance_transactions jsonb, metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.payouts (
    connection text NOT NULL, source_id text NOT NULL,
    status text NOT NULL, amount numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, date_arrival date, is_automatic boolean NOT NULL, method text,
    reconciliation_status text, description text, statement_descriptor text, destination_source_id text,
    trace_id text, trace_status text, failure_code text, failure_message text,
    balance_transaction_source_id text, failure_balance_transaction_source_id text,
    original_payout_source_id text, reversed_by_source_id text, metadata jsonb,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.payout_members (
    connection text NOT NULL, source_id text NOT NULL,
    payout_source_id text NOT NULL, balance_transaction_source_id text NOT NULL, type text,
    reporting_category text, amount numeric(20,6) NOT NULL, fee numeric(20,6) NOT NULL,
    net numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.balance_transactions (
    connection text NOT NULL, source_id text NOT NULL,
    type text NOT NULL, reporting_category text, status text, amount numeric(20,6) NOT NULL,
    fee numeric(20,6) NOT NULL, net numeric(20,6) NOT NULL, currency_iso text NOT NULL,
    created_at timestamptz NOT NULL, available_on date, exchange_rate numeric, source_kind text,
    source_object_id text, charge_source_id text, charge_amount numeric(20,6), charge_currency_iso text,
    balance_type text, description text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.fee_details (
    connection text NOT NULL, source_id text NOT NULL,
    balance_transaction_source_id text NOT NULL, ordinal integer NOT NULL, type text NOT NULL,
    amount numeric(20,6) NOT NULL, currency_iso text NOT NULL, description text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.balance_snapshots (
    connection text NOT NULL, source_id text NOT NULL,
    taken_at timestamptz NOT NULL, currency_iso text NOT NULL, available numeric(20,6) NOT NULL,
    pending numeric(20,6) NOT NULL, newest_balance_transaction_source_id text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.provider_events (
    connection text NOT NULL, source_id text NOT NULL,
    type text NOT NULL, created_at timestamptz NOT NULL, source_kind text, source_object_id text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE INDEX charges_by_intent ON receivables.charges (payment_intent_source_id, connection);
CREATE INDEX payout_members_by_payout ON receivables.payout_members (payout_source_id, connection);
CREATE INDEX payout_members_by_transaction ON receivables.payout_members (balance_transaction_source_id, connection);

COMMENT ON TABLE receivables.psp_customers IS 'Customers at a payment provider: a key is (account, customer), so connection and source_id.';
COMMENT ON COLUMN receivables.psp_customers.customer_source_id IS 'The customer in the ledger that the provider serves (customer_connection), where the metadata names one.';
COMMENT ON TABLE receivables.payment_intents IS 'Attempts to be paid at a payment provider.';
COMMENT ON TABLE receivables.charges IS 'Money taken, or tried to be taken, through a payment provider. Amounts in major units of the charge''s currency.';
COMMENT ON COLUMN receivables.charges.surcharge_amount IS 'Part of the amount that pays no invoice.';
COMMENT ON COLUMN receivables.charges.is_own IS 'Made by the platform: its metadata name what is paid.';
COMMENT ON COLUMN receivables.charges.own_reference IS 'The platform''s own id of the payment, by which the ledger''s payment is found.';
COMMENT ON COLUMN receivables.charges.is_list_complete IS 'False where the list of invoices may have been cut at 500 characters.';
COMMENT ON TABLE receivables.refunds IS 'Money paid back through a payment provider.';
COMMENT ON TABLE receivables.disputes IS 'Charges that were disputed, late failures of bank debits among them.';
COMMENT ON COLUMN receivables.disputes.balance_transactions IS 'Ids of the rows of the balance that it made: withdrawn, reinstated.';
COMMENT ON TABLE receivables.payouts IS 'Money that a payment provider paid into the bank; below 0 taken from it.';
COMMENT ON TABLE receivables.payout_members IS 'What the provider says is in an automatic payout, with the figures that it states there.';
COMMENT ON TABLE receivables.balance_transactions IS 'Rows of the balance at a payment provider: net = amount - fee, in the currency of the balance.';
COMMENT ON COLUMN receivables.balance_transactions.charge_amount IS 'Amount of the charge behind the row, in charge_currency_iso: what the ledger''s payment is compared with.';
COMMENT ON COLUMN receivables.balance_transactions.source_kind IS 'What made the row: charge, refund, dispute, payout and others, the provider''s word.';
COMMENT ON TABLE receivables.fee_details IS 'What the fee of a row is made of.';
COMMENT ON TABLE receivables.provider_events IS 'What a payment provider tells of changes: which object is to be asked for once more.';
COMMENT ON TABLE receivables.balance_snapshots IS 'The provider''s own word of its balance at a moment, by currency.';
COMMENT ON COLUMN receivables.balance_snapshots.newest_balance_transaction_source_id IS 'The newest row when the balance was taken, the same before and after.';

CREATE VIEW receivables.payout_items AS
SELECT m.connection, m.payout_source_id, m.balance_transaction_source_id AS source_id, t.type, t.reporting_category,
       t.amount, t.fee, t.net, t.currency_iso, t.created_at, t.source_kind, t.source_object_id, t.charge_source_id,
       t.charge_amount, t.charge_currency_iso, t.description,
       m.type AS type_stated, m.reporting_category AS category_stated, m.amount AS amount_stated,
       m.fee AS fee_stated, m.net AS net_stated, m.currency_iso AS currency_stated
FROM receivables.payout_members m
LEFT JOIN receivables.balance_transactions t
    ON t.source_id = m.balance_transaction_source_id AND t.connection = m.connection
WHERE m.type IS DISTINCT FROM 'payout' OR t.source_object_id <> m.payout_source_id;
COMMENT ON VIEW receivables.payout_items IS 'What is in each payout: the rows of the balance, and beside them what the payout''s own list states of each; the payout''s own row is none of them.';
