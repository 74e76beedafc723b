-- What API systems say: the ledger of extracts (raw), payloads as rows of our entities (normalised), and what they add
-- to the AR model (receivables).

CREATE SCHEMA normalised;

CREATE TABLE raw.extracts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL,
    extract text NOT NULL,
    pass text NOT NULL CHECK (pass IN ('changes', 'deletions', 'sweep', 'lookup', 'import')),
    partition_day date NOT NULL,
    window_from timestamptz,
    window_to timestamptz,
    observed_at timestamptz NOT NULL,
    newest_modified_at timestamptz,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    records bigint NOT NULL,
    status text NOT NULL DEFAULT 'landed' CHECK (status IN ('landed', 'normalised', 'folded', 'failed')),
    message text,
    quarantined bigint,
    landed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    normalised_at timestamptz,
    folded_at timestamptz,
    run_id text
);
CREATE INDEX extracts_by_day ON raw.extracts (connection, partition_day);
CREATE INDEX extracts_to_fold ON raw.extracts (connection) WHERE status <> 'folded';
COMMENT ON TABLE raw.extracts IS 'What was received from an API in one go: a part of one extract, its bytes in the archive as JSON lines.';
COMMENT ON COLUMN raw.extracts.observed_at IS 'When it was asked for: never later than the state that it tells of.';
COMMENT ON COLUMN raw.extracts.window_to IS 'Upper bound of the modified times asked for, fixed when the reading began.';

CREATE TABLE raw.watermarks (
    connection text NOT NULL,
    extract text NOT NULL,
    pass text NOT NULL,
    reached timestamptz NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (connection, extract, pass)
);
COMMENT ON TABLE raw.watermarks IS 'How far each extract was read: the newest modified time received, or when a sweep began; never past the start of its request.';

CREATE TABLE raw.quarantined_payloads (
    extract_id integer NOT NULL REFERENCES raw.extracts (id) ON DELETE CASCADE,
    line integer NOT NULL,
    source_id text,
    reason text NOT NULL,
    PRIMARY KEY (extract_id, line)
);
COMMENT ON TABLE raw.quarantined_payloads IS 'Payloads that could not be normalised, with the reason; the bytes are in the archive.';

-- normalised: what each payload says, as rows of our entities, keyed by (extract, line): the inputs of the fold ----

CREATE TABLE normalised.payloads (
    extract_id integer NOT NULL, line integer NOT NULL, connection text NOT NULL,
    kind text NOT NULL, source_id text NOT NULL, modified_at timestamptz, observed_at timestamptz NOT NULL,
    is_deleted boolean NOT NULL, digest text NOT NULL
);
COMMENT ON TABLE normalised.payloads IS 'One row per payload: whose whole state it is (the vendor''s kind of object and its id), and its version.';

CREATE TABLE normalised.owners_to_fold (
    connection text NOT NULL, kind text NOT NULL, source_id text NOT NULL
);
COMMENT ON TABLE normalised.owners_to_fold IS 'Objects whose payloads were normalised anew, and that the next fold folds again.';

CREATE TABLE normalised.parked_rows (
    connection text NOT NULL, extract_id integer NOT NULL, line integer NOT NULL, entity text NOT NULL,
    source_id text NOT NULL, code text NOT NULL, parent_entity text NOT NULL, parent_id text NOT NULL,
    is_overtaken boolean NOT NULL,
    PRIMARY KEY (extract_id, line, entity, source_id, parent_entity)
);
CREATE INDEX normalised_parked_by_parent ON normalised.parked_rows (connection, parent_entity, parent_id);
COMMENT ON TABLE normalised.parked_rows IS 'Rows that wait for a parent, with the parent they wait for.';
COMMENT ON COLUMN normalised.parked_rows.is_overtaken IS 'A newer version of its owner is here: it asks for nobody.';

CREATE TABLE normalised.records_to_fold (
    connection text NOT NULL, entity text NOT NULL, source_id text NOT NULL
);
COMMENT ON TABLE normalised.records_to_fold IS 'Records of which rows were withdrawn: the next fold sees whether any are left.';

CREATE TABLE normalised.ledger_units (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    name text, home_currency_iso text, country_iso text, timezone text
);
CREATE TABLE normalised.accounts (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    ref text, name text NOT NULL, type_stated text, is_receivable boolean NOT NULL, is_active boolean,
    currency_iso text, balance_stated numeric(20,6)
);
CREATE TABLE normalised.customers (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    ref text, name text NOT NULL, currency_iso text, email text, phone text, address_line_1 text,
    address_line_2 text, postal_code text, city text, state text, country_iso text, terms text, is_active boolean,
    parent_source_id text, balance_stated numeric(20,6), balance_currency_iso text, balance_is_home boolean,
    extra jsonb
);
CREATE TABLE normalised.customer_aliases (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    customer_source_id text NOT NULL
);
CREATE TABLE normalised.contacts (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    first_name text, last_name text, email text, extra jsonb
);
CREATE TABLE normalised.contact_links (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    contact_source_id text NOT NULL, customer_source_id text NOT NULL, position text, is_primary boolean,
    is_active boolean
);
CREATE TABLE normalised.phones (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    contact_source_id text NOT NULL, type text NOT NULL, number text NOT NULL
);
CREATE TABLE normalised.invoices (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    ref text, customer_source_id text NOT NULL, posting_status text NOT NULL, collection_status text NOT NULL,
    status_stated text, amount numeric(20,6) NOT NULL, balance numeric(20,6), currency_iso text,
    exchange_rate numeric(24,12), amount_home numeric(20,6), balance_home numeric(20,6), date_issued date NOT NULL,
    date_due date, date_paid date, receivable_account_source_id text, extra jsonb, po_number text, description text,
    amount_net numeric(20,6), amount_tax numeric(20,6)
);
CREATE TABLE normalised.credit_notes (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    ref text, customer_source_id text NOT NULL, posting_status text NOT NULL, collection_status text NOT NULL,
    status_stated text, amount numeric(20,6) NOT NULL, balance numeric(20,6), currency_iso text,
    exchange_rate numeric(24,12), amount_home numeric(20,6), balance_home numeric(20,6), date_issued date NOT NULL,
    date_due date, date_paid date, receivable_account_source_id text, extra jsonb, description text
);
CREATE TABLE normalised.payments (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    kind text NOT NULL, ref text, customer_source_id text NOT NULL, posting_status text NOT NULL,
    collection_status text NOT NULL, status_stated text, amount numeric(20,6) NOT NULL, balance numeric(20,6),
    currency_iso text, exchange_rate numeric(24,12), amount_home numeric(20,6), balance_home numeric(20,6),
    date_issued date NOT NULL, date_due date, date_paid date, receivable_account_source_id text, extra jsonb,
    method text, psp_reference text, batch_source_id text, deposit_source_id text
);
CREATE TABLE normalised.journals (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    entry_source_id text, ref text, customer_source_id text NOT NULL, account_source_id text NOT NULL,
    posting_status text NOT NULL, amount numeric(20,6) NOT NULL, currency_iso text, exchange_rate numeric(24,12),
    date_issued date NOT NULL, description text
);
CREATE TABLE normalised.refunds_erp (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    ref text, customer_source_id text NOT NULL, posting_status text NOT NULL, amount numeric(20,6) NOT NULL,
    currency_iso text, date_issued date NOT NULL
);
CREATE TABLE normalised.allocations (
    extract_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    owner_kind text NOT NULL, owner_source_id text NOT NULL, from_kind text NOT NULL, from_source_id text NOT NULL,
    to_kind text NOT NULL, to_source_id text NOT NULL, ordinal integer, amount numeric(20,6) NOT NULL,
    amount_from numeric(20,6), date_applied date, is_inferred boolean, beyond_cap boolean
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['payloads', 'ledger_units', 'accounts', 'customers', 'customer_aliases', 'contacts', 'contact_links', 'phones', 'invoices', 'credit_notes', 'payments', 'journals', 'refunds_erp', 'allocations'] LOOP
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (extract_id int4_minmax_multi_ops) WITH (pages_per_range = 16)', t || '_by_extract', t);
        EXECUTE format('CREATE INDEX %I ON normalised.%I USING brin (source_id text_bloom_ops(n_distinct_per_range = 410)) WITH (pages_per_range = 8)', t || '_by_source_id', t);
        IF t <> 'payloads' THEN
            EXECUTE format('COMMENT ON TABLE normalised.%I IS %L', t, 'Rows of ' || t || ' as payloads say them, one set per payload: inputs of the fold.');
        END IF;
    END LOOP;
END $$;

-- receivables: what these sources add -----------------------------------------------------------------------------

ALTER TABLE receivables.customers ADD email text, ADD phone text, ADD terms text, ADD is_active boolean;

ALTER TABLE receivables.invoices
    ADD exchange_rate numeric(24,12), ADD amount_home numeric(20,6), ADD balance_home numeric(20,6),
    ADD receivable_account_source_id text, ADD deleted_at timestamptz;
ALTER TABLE receivables.credit_notes
    ADD exchange_rate numeric(24,12), ADD amount_home numeric(20,6), ADD balance_home numeric(20,6),
    ADD receivable_account_source_id text, ADD deleted_at timestamptz;
ALTER TABLE receivables.payments
    ADD exchange_rate numeric(24,12), ADD amount_home numeric(20,6), ADD balance_home numeric(20,6),
    ADD receivable_account_source_id text, ADD deleted_at timestamptz, ADD psp_reference text, ADD batch_source_id text, ADD deposit_source_id text;
ALTER TABLE receivables.allocations
    ADD ordinal integer, ADD amount_from numeric(20,6), ADD is_inferred boolean, ADD beyond_cap boolean;

CREATE TABLE receivables.ledger_units (
    connection text NOT NULL, source_id text NOT NULL,
    name text, home_currency_iso text, country_iso text, timezone text,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.accounts (
    connection text NOT NULL, source_id text NOT NULL,
    ref text, name text NOT NULL, type_stated text, is_receivable boolean NOT NULL, is_active boolean,
    currency_iso text, balance_stated numeric(20,6),
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.customer_aliases (
    connection text NOT NULL, source_id text NOT NULL,
    customer_source_id text NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.phones (
    connection text NOT NULL, source_id text NOT NULL,
    contact_source_id text NOT NULL, type text NOT NULL, number text NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.journals (
    connection text NOT NULL, source_id text NOT NULL, kind text NOT NULL,
    entry_source_id text, ref text, customer_connection text NOT NULL, customer_source_id text NOT NULL,
    account_source_id text NOT NULL, posting_status text NOT NULL, amount numeric(20,6) NOT NULL,
    currency_iso text NOT NULL, exchange_rate numeric(24,12), date_issued date NOT NULL, description text,
    balance numeric(38,6), balance_open numeric(38,6), deleted_at timestamptz, first_seen_at timestamptz NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE TABLE receivables.refunds_erp (
    connection text NOT NULL, source_id text NOT NULL, kind text NOT NULL,
    ref text, customer_connection text NOT NULL, customer_source_id text NOT NULL, posting_status text NOT NULL,
    amount numeric(20,6) NOT NULL, currency_iso text NOT NULL, date_issued date NOT NULL, deleted_at timestamptz,
    first_seen_at timestamptz NOT NULL,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);
CREATE INDEX journals_by_entry ON receivables.journals (entry_source_id, connection);
COMMENT ON TABLE receivables.ledger_units IS 'The company (or its subsidiaries) as the source names it, with its home currency.';
COMMENT ON TABLE receivables.accounts IS 'Accounts of the ledger; those on which receivables are kept are marked.';
COMMENT ON TABLE receivables.customer_aliases IS 'Former ids of customers that were merged into another; resolved when read.';
COMMENT ON TABLE receivables.phones IS 'Telephone numbers of contacts as the source states them; replaced as a set.';
COMMENT ON TABLE receivables.journals IS 'Lines of journals, deposits and purchases on receivables accounts, signed: debit positive.';
COMMENT ON TABLE receivables.refunds_erp IS 'Money paid back in the ERP out of a credit, an overpayment or a prepayment.';
