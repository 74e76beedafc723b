-- Foundation: the ledger (raw), the seven CSV tables (sftp_csv) and the AR model as far as SFTP fills it (receivables).
-- Written for PostgreSQL 15 and newer. Amounts as stated numeric(20,6), computed ones numeric(38,6), moments
-- timestamptz, plain dates date.

CREATE SCHEMA raw;
CREATE SCHEMA sftp_csv;
CREATE SCHEMA receivables;

-- raw: what was seen, taken, decided ----------------------------------------------------------------------------

CREATE TABLE raw.sightings (
    connection text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    modified_at timestamptz NOT NULL,
    first_seen_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (connection, name)
);
COMMENT ON TABLE raw.sightings IS 'What the last looks at a drop folder saw; a file is complete when two looks agree.';

CREATE TABLE raw.looks (
    connection text PRIMARY KEY,
    looked_at timestamptz NOT NULL,
    listed_at timestamptz,
    error text
);
COMMENT ON TABLE raw.looks IS 'The last look at each connection; listed_at is the last one that could list.';

CREATE TABLE raw.files (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL,
    name text NOT NULL,
    type text,
    name_time timestamptz,
    fix integer NOT NULL DEFAULT 0,
    receipt integer NOT NULL DEFAULT 1,
    sha256 text,
    size bigint NOT NULL,
    modified_at timestamptz,
    partition_day date NOT NULL,
    batch_id text,
    status text NOT NULL CHECK (status IN ('held', 'ignored', 'taken', 'waiting', 'loaded', 'processed',
                                           'processed_with_rejects', 'failed', 'replaced', 'skipped')),
    message text,
    rows_read bigint,
    rows_accepted bigint,
    rows_rejected bigint,
    warnings bigint,
    code_counts jsonb NOT NULL DEFAULT '{}',
    money_totals jsonb NOT NULL DEFAULT '{}',
    fields text[],
    extra_columns text[],
    header text[],
    link_keyed_by text,
    is_loaded boolean NOT NULL DEFAULT false,
    is_folded boolean NOT NULL DEFAULT false,
    is_pruned boolean NOT NULL DEFAULT false,
    taken_at timestamptz NOT NULL DEFAULT now(),
    validated_at timestamptz,
    loaded_at timestamptz,
    folded_at timestamptz,
    archived_away_at timestamptz,
    answered_at timestamptz,
    run_id text,
    UNIQUE (connection, name, receipt)
);
CREATE INDEX files_by_day ON raw.files (connection, partition_day);
CREATE INDEX files_to_fold ON raw.files (connection, type) WHERE is_loaded AND NOT is_folded;
COMMENT ON TABLE raw.files IS 'The ledger: one row per received content of a file name. Sensors, checks and the CLI read it.';
COMMENT ON COLUMN raw.files.receipt IS 'Counts the contents received under one name; with name_time and fix the version of its rows.';
COMMENT ON COLUMN raw.files.is_pruned IS 'Its rows in sftp_csv are past retention and were removed; a fold that needs them reads the archive.';
COMMENT ON COLUMN raw.files.partition_day IS 'The earlier of the day in the name and the day it was first taken; fixed then.';

CREATE TABLE raw.findings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id integer NOT NULL REFERENCES raw.files (id) ON DELETE CASCADE,
    line integer,
    column_name text,
    value text,
    code text NOT NULL,
    level text NOT NULL,
    message text NOT NULL
);
CREATE INDEX findings_by_file ON raw.findings (file_id, line);
COMMENT ON TABLE raw.findings IS 'Findings about files, and warnings about rows (cut per file; code_counts of the file never).';

CREATE TABLE raw.batches (
    connection text NOT NULL,
    batch_id text NOT NULL,
    partition_day date NOT NULL,
    begins_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('waiting', 'stalled', 'processing', 'processed', 'processed_with_rejects',
                                           'failed', 'released', 'skipped')),
    missing text[] NOT NULL DEFAULT '{}',
    failed text[] NOT NULL DEFAULT '{}',
    names text[] NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,
    PRIMARY KEY (connection, batch_id)
);
COMMENT ON TABLE raw.batches IS 'Batches as computed from the file names; computed again when a name appears.';

CREATE TABLE raw.batch_decisions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('release', 'skip')),
    batch_id text NOT NULL,
    names text[] NOT NULL,
    decided_by text NOT NULL,
    why text,
    decided_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE raw.batch_decisions IS 'What an operator decided about incomplete or failed batches: an input of the fold.';

CREATE TABLE raw.reprocessings (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    requested_by text NOT NULL,
    only_failed boolean NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    files integer,
    changes jsonb NOT NULL DEFAULT '{}',
    run_id text
);
COMMENT ON TABLE raw.reprocessings IS 'Who re-processed which range, when, and what it changed.';

-- sftp_csv: accepted rows as sent, typed; keyed by (file_id, line). Block-range indexes keep large loads cheap. --

CREATE TABLE sftp_csv.customers (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    name text NOT NULL, ref text, currency_iso text, address_line_1 text, address_line_2 text, postal_code text,
    city text, state text, country_iso text, credit_limit_amount numeric(20,6), parent_id text,
    balance_stated numeric(20,6), extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.contacts (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    customer_id text NOT NULL, first_name text, last_name text, email text, phone text, mobile text, position text,
    is_primary boolean, is_active boolean, extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.invoices (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    customer_id text NOT NULL, ref text NOT NULL, amount numeric(20,6) NOT NULL, balance numeric(20,6) NOT NULL,
    currency_iso text NOT NULL, date_issued date NOT NULL, date_due date, status text, date_paid date, po_number text,
    description text, amount_net numeric(20,6), amount_tax numeric(20,6), extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.credit_notes (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    customer_id text NOT NULL, ref text NOT NULL, amount numeric(20,6) NOT NULL, balance numeric(20,6) NOT NULL,
    currency_iso text NOT NULL, date_issued date NOT NULL, status text, description text, extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.payments (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    customer_id text NOT NULL, ref text, amount numeric(20,6) NOT NULL, balance numeric(20,6),
    currency_iso text NOT NULL, date_paid date NOT NULL, method text, status text, extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.payments_invoices (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    payment_id text NOT NULL, invoice_id text NOT NULL, amount numeric(20,6) NOT NULL, link_id text, date_applied date,
    extra jsonb, absent text[]
);
CREATE TABLE sftp_csv.credit_notes_invoices (
    file_id integer NOT NULL, line integer NOT NULL, source_id text NOT NULL,
    credit_note_id text NOT NULL, invoice_id text NOT NULL, amount numeric(20,6) NOT NULL, link_id text,
    date_applied date, extra jsonb, absent text[]
);

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['customers', 'contacts', 'invoices', 'credit_notes', 'payments', 'payments_invoices',
                             'credit_notes_invoices'] LOOP
        EXECUTE format('CREATE INDEX %I ON sftp_csv.%I USING brin (file_id) WITH (autosummarize = on)', t || '_by_file', t);
        EXECUTE format('CREATE INDEX %I ON sftp_csv.%I USING brin (source_id text_bloom_ops) WITH (autosummarize = on)',
                       t || '_by_source_id', t);
        -- An index of an empty table sums its first range up at once: every row there would rewrite the Bloom filter.
        PERFORM brin_desummarize_range(format('sftp_csv.%I', t || '_by_source_id')::regclass, 0);
        EXECUTE format('COMMENT ON TABLE sftp_csv.%I IS %L', t,
                       'Accepted rows of ' || t || '_*.csv, typed, one per file and physical line: the inputs of the fold.');
    END LOOP;
END $$;

CREATE TABLE sftp_csv.rejected_rows (
    file_id integer NOT NULL REFERENCES raw.files (id) ON DELETE CASCADE,
    line integer NOT NULL,
    cells text[] NOT NULL,
    codes text[] NOT NULL,
    findings jsonb NOT NULL,
    PRIMARY KEY (file_id, line)
);
COMMENT ON TABLE sftp_csv.rejected_rows IS 'Rows kept aside, as sent, with every reason.';

CREATE TABLE sftp_csv.parked_rows (
    connection text NOT NULL,
    file_id integer NOT NULL REFERENCES raw.files (id) ON DELETE CASCADE,
    line integer NOT NULL,
    table_name text NOT NULL,
    source_id text NOT NULL,
    code text NOT NULL,
    parent_table text NOT NULL,
    parent_id text NOT NULL,
    is_overtaken boolean NOT NULL DEFAULT false,
    PRIMARY KEY (file_id, line, parent_table, parent_id)
);
CREATE INDEX parked_rows_by_parent ON sftp_csv.parked_rows (connection, parent_table, parent_id);
CREATE INDEX parked_rows_by_row ON sftp_csv.parked_rows (connection, table_name, source_id);
COMMENT ON TABLE sftp_csv.parked_rows IS 'Accepted rows that wait for a parent, with the parent they wait for.';
COMMENT ON COLUMN sftp_csv.parked_rows.is_overtaken IS 'A newer live row speaks about the same record.';

CREATE VIEW sftp_csv.waiting_rows AS SELECT * FROM sftp_csv.parked_rows WHERE NOT is_overtaken;
COMMENT ON VIEW sftp_csv.waiting_rows IS 'Parked rows that are the newest word about their record: only these ask for somebody. An older one folds in its own place in time, should its parent come.';

CREATE TABLE sftp_csv.ids_to_fold (
    connection text NOT NULL,
    table_name text NOT NULL,
    source_id text NOT NULL
);
COMMENT ON TABLE sftp_csv.ids_to_fold IS 'Records whose inputs were replaced or withdrawn and that the next fold folds again.';

CREATE AGGREGATE sftp_csv.jsonb_merge (jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, INITCOND = '{}');
COMMENT ON AGGREGATE sftp_csv.jsonb_merge (jsonb) IS 'Cells stated so far, newest wins, key by key.';

-- receivables: the AR model (docs/model.md) ----------------------------------------------------------------------
-- loaded_at and changed_at are the moment of the write: a fold begins before it has its turn, and results that are
-- computed in between must be older than what it writes.

CREATE TABLE receivables.customers (
    connection text NOT NULL, source_id text NOT NULL,
    ref text, name text NOT NULL, currency_iso text,
    address_line_1 text, address_line_2 text, postal_code text, city text, state text, country_iso text,
    credit_limit_amount numeric(20,6), parent_source_id text, group_source_id text,
    balance_stated numeric(20,6), balance_currency_iso text,
    observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.contacts (
    connection text NOT NULL, source_id text NOT NULL,
    first_name text, last_name text, email text, phone text, mobile text,
    observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.contact_links (
    connection text NOT NULL, source_id text NOT NULL, contact_source_id text NOT NULL,
    customer_connection text NOT NULL, customer_source_id text NOT NULL,
    position text, is_primary boolean, is_active boolean,
    observed_at timestamptz NOT NULL, origin text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.invoices (
    connection text NOT NULL, source_id text NOT NULL, kind text NOT NULL,
    ref text, customer_connection text NOT NULL, customer_source_id text NOT NULL,
    posting_status text NOT NULL, collection_status text NOT NULL, status_stated text,
    amount numeric(20,6) NOT NULL, balance numeric(20,6), balance_source text NOT NULL, currency_iso text NOT NULL,
    date_issued date NOT NULL, date_due date, date_paid date,
    po_number text, description text, amount_net numeric(20,6), amount_tax numeric(20,6),
    settlement text, balance_open numeric(20,6),
    first_seen_at timestamptz NOT NULL, observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.credit_notes (
    connection text NOT NULL, source_id text NOT NULL, kind text NOT NULL,
    ref text, customer_connection text NOT NULL, customer_source_id text NOT NULL,
    posting_status text NOT NULL, collection_status text NOT NULL, status_stated text,
    amount numeric(20,6) NOT NULL, balance numeric(20,6), balance_source text NOT NULL, currency_iso text NOT NULL,
    date_issued date NOT NULL, date_due date, date_paid date, description text,
    settlement text, balance_open numeric(20,6),
    first_seen_at timestamptz NOT NULL, observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.payments (
    connection text NOT NULL, source_id text NOT NULL, kind text NOT NULL,
    ref text, customer_connection text NOT NULL, customer_source_id text NOT NULL,
    posting_status text NOT NULL, collection_status text NOT NULL, status_stated text,
    amount numeric(20,6) NOT NULL, balance numeric(38,6), balance_source text NOT NULL, currency_iso text NOT NULL,
    date_issued date NOT NULL, date_due date, date_paid date, method text,
    settlement text, balance_open numeric(38,6),
    first_seen_at timestamptz NOT NULL, observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, connection)
);

CREATE TABLE receivables.allocations (
    connection text NOT NULL, source_id text NOT NULL,
    owner_kind text NOT NULL, owner_source_id text NOT NULL,
    from_kind text NOT NULL, from_source_id text NOT NULL, to_kind text NOT NULL, to_source_id text NOT NULL,
    amount numeric(20,6) NOT NULL, date_applied date, removed_at timestamptz,
    first_seen_at timestamptz NOT NULL, observed_at timestamptz NOT NULL, extra jsonb, origin text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, from_kind, connection)
);
CREATE INDEX allocations_by_target ON receivables.allocations (to_source_id, to_kind, connection);
CREATE INDEX allocations_by_source ON receivables.allocations (from_source_id, from_kind, connection);

CREATE VIEW receivables.allocations_with_ends AS
SELECT a.*, i.currency_iso,
       COALESCE(a.removed_at IS NULL AND i.posting_status = 'posted'
                AND COALESCE(p.posting_status, n.posting_status) = 'posted', false) AS is_live
FROM receivables.allocations a
LEFT JOIN receivables.invoices i
    ON a.to_kind = 'invoice' AND i.source_id = a.to_source_id AND i.connection = a.connection
LEFT JOIN receivables.payments p
    ON a.from_kind = 'payment' AND p.source_id = a.from_source_id AND p.connection = a.connection
LEFT JOIN receivables.credit_notes n
    ON a.from_kind = 'credit_note' AND n.source_id = a.from_source_id AND n.connection = a.connection;
COMMENT ON VIEW receivables.allocations_with_ends IS 'Allocations with the currency of their amount, and whether they count.';

CREATE TABLE receivables.balance_moves (
    connection text NOT NULL, kind text NOT NULL, source_id text NOT NULL,
    moved_at timestamptz NOT NULL, settled_delta numeric(38,6) NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, kind, connection, moved_at)
);
COMMENT ON TABLE receivables.balance_moves IS
    'When a stated balance moved after first sight: change of amount - balance, by the version time of the input.';

CREATE TABLE receivables.allocation_moves (
    connection text NOT NULL, from_kind text NOT NULL, source_id text NOT NULL,
    moved_at timestamptz NOT NULL, amount_delta numeric(20,6) NOT NULL, loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source_id, from_kind, connection, moved_at)
);
COMMENT ON TABLE receivables.allocation_moves IS
    'When the amount of an allocation moved after first sight, its end included, by the version time of the input.';

CREATE TABLE receivables.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection text NOT NULL, entity text NOT NULL, source_id text NOT NULL,
    field text NOT NULL, old_value text, new_value text,
    version_at timestamptz, origin text NOT NULL, run_id text, changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_by_record ON receivables.audit (source_id, entity, connection);
CREATE INDEX audit_by_time ON receivables.audit USING brin (changed_at) WITH (autosummarize = on);
COMMENT ON TABLE receivables.audit IS 'One row per changed field of a record; read by people, never by a rule. It also says which stored days may not hold any more.';
