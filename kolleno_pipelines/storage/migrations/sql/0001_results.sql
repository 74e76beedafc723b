-- Reconciliation results: answers computed from `receivables` (docs/reconciliation.md). Nothing here is an input of a
-- rule, but reconciliation.difference_decisions, which an operator writes.

CREATE SCHEMA reconciliation;

CREATE FUNCTION reconciliation.is_red(status text, cause text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT status IN ('open', 'reopened') AND cause IS DISTINCT FROM 'opening' $$;
COMMENT ON FUNCTION reconciliation.is_red(text, text) IS 'Whether a break asks for somebody: accepted, resolved and opening ones do not. Checks, exit codes and views use this one definition.';

CREATE TABLE reconciliation.results (
    result text NOT NULL,
    connection text NOT NULL,
    day date NOT NULL DEFAULT '-infinity',
    today date NOT NULL,
    computed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (result, connection, day)
);
COMMENT ON TABLE reconciliation.results IS 'When each result was last computed, and for which today; the only thing a run without news changes.';
COMMENT ON COLUMN reconciliation.results.computed_at IS 'When it was last computed or, for a stored day, found to hold.';
COMMENT ON COLUMN reconciliation.results.day IS 'The day of a result by day; -infinity for a result that is the present state.';

CREATE TABLE reconciliation.balances (
    break_id text NOT NULL,
    connection text NOT NULL, kind text NOT NULL, source_id text NOT NULL,
    customer_source_id text NOT NULL, currency_iso text NOT NULL,
    amount numeric(20,6) NOT NULL, allocated numeric(38,6) NOT NULL, balance numeric(38,6) NOT NULL,
    difference numeric(38,6) NOT NULL,
    is_opening boolean NOT NULL, cause text, since timestamptz NOT NULL, evidence jsonb NOT NULL,
    PRIMARY KEY (source_id, kind, connection)
);
COMMENT ON TABLE reconciliation.balances IS 'One row per posted document whose amount - allocations is not its stated balance; what ties has no row.';
COMMENT ON COLUMN reconciliation.balances.difference IS 'amount - allocated - balance: above 0, more was settled than the allocations say.';
COMMENT ON COLUMN reconciliation.balances.is_opening IS 'The cause is opening: the document may have a history from before the first file, and the difference is what it was at first sight.';
COMMENT ON COLUMN reconciliation.balances.since IS 'Version (time in the name) of the input in which the difference arose.';

CREATE TABLE reconciliation.balance_summary (
    connection text NOT NULL, kind text NOT NULL, currency_iso text NOT NULL,
    documents bigint NOT NULL, tied bigint NOT NULL, unproven bigint NOT NULL, differing bigint NOT NULL,
    opening bigint NOT NULL,
    amount numeric NOT NULL, allocated numeric NOT NULL, balance numeric NOT NULL, difference numeric NOT NULL,
    PRIMARY KEY (connection, kind, currency_iso)
);
COMMENT ON TABLE reconciliation.balance_summary IS 'Posted documents per connection, kind and currency: how many tie, how many differ, and the sums.';
COMMENT ON COLUMN reconciliation.balance_summary.unproven IS 'Documents whose balance was derived from their allocations: they tie by construction, which proves nothing.';

CREATE TABLE reconciliation.findings (
    break_id text PRIMARY KEY,
    connection text NOT NULL, kind text NOT NULL,
    left_kind text NOT NULL, left_source_id text NOT NULL, right_kind text NOT NULL, right_source_id text NOT NULL,
    customer_source_id text, currency_iso text, amount numeric(38,6), cause text,
    since timestamptz NOT NULL, evidence jsonb NOT NULL
);
COMMENT ON TABLE reconciliation.findings IS 'What the documents say against each other, computed from state: over_allocated, currency_mismatch, customer_mismatch, closed_with_balance, hierarchy_cycle.';

CREATE TABLE reconciliation.control_totals (
    connection text NOT NULL, currency_iso text NOT NULL,
    customers bigint NOT NULL, invoices_open bigint NOT NULL,
    invoices_balance numeric NOT NULL, credit_notes_balance numeric NOT NULL, payments_balance numeric NOT NULL,
    journals_balance numeric NOT NULL, net numeric NOT NULL,
    stated numeric, difference numeric,
    PRIMARY KEY (connection, currency_iso)
);
COMMENT ON TABLE reconciliation.control_totals IS 'Open invoices - credit notes - unapplied payments + journals, per connection and currency, now.';
COMMENT ON COLUMN reconciliation.control_totals.customers IS 'Customers with at least one open item in the currency.';
COMMENT ON COLUMN reconciliation.control_totals.stated IS 'What the source itself says its customers owe; null where it says nothing.';
COMMENT ON COLUMN reconciliation.control_totals.difference IS 'Computed - stated over the customers for which the source states a balance.';

CREATE TABLE reconciliation.control_total_breaks (
    break_id text NOT NULL,
    connection text NOT NULL, customer_source_id text NOT NULL, currency_iso text NOT NULL,
    computed numeric(38,6) NOT NULL, stated numeric(38,6) NOT NULL, difference numeric(38,6) NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (customer_source_id, currency_iso, connection)
);
COMMENT ON TABLE reconciliation.control_total_breaks IS 'Customers whose computed balance is not the one the source states.';

CREATE TABLE reconciliation.not_comparable (
    connection text NOT NULL, customer_source_id text NOT NULL, stated numeric(26,6) NOT NULL,
    currencies text NOT NULL,
    PRIMARY KEY (customer_source_id, connection)
);
COMMENT ON TABLE reconciliation.not_comparable IS 'Customers without a currency of their own whose stated balance cannot be compared: their posted documents have several currencies, or there are none.';
COMMENT ON COLUMN reconciliation.not_comparable.currencies IS 'Currencies of the customer''s posted documents, with commas between them.';

CREATE TABLE reconciliation.ageing (
    day date NOT NULL, connection text NOT NULL, currency_iso text NOT NULL, bucket text NOT NULL,
    documents bigint NOT NULL, amount numeric NOT NULL,
    PRIMARY KEY (day, connection, currency_iso, bucket)
);
COMMENT ON TABLE reconciliation.ageing IS 'What was open at the end of the day, by days past due; unapplied is negative, so that the buckets sum to the net.';

CREATE TABLE reconciliation.ageing_by_customer (
    connection text NOT NULL, customer_source_id text NOT NULL, currency_iso text NOT NULL, bucket text NOT NULL,
    documents bigint NOT NULL, amount numeric NOT NULL, day date NOT NULL,
    PRIMARY KEY (customer_source_id, currency_iso, bucket, connection)
);
COMMENT ON TABLE reconciliation.ageing_by_customer IS 'The newest day of the ageing by customer; a past day by customer is computed by the report.';

CREATE TABLE reconciliation.roll_forward (
    day date NOT NULL, connection text NOT NULL, currency_iso text NOT NULL,
    opening numeric NOT NULL, invoices numeric NOT NULL, credit_notes numeric NOT NULL, receipts numeric NOT NULL,
    refunds numeric NOT NULL, journals numeric NOT NULL, write_offs numeric NOT NULL, unexplained numeric NOT NULL,
    closing numeric NOT NULL, dated_ahead numeric NOT NULL,
    PRIMARY KEY (day, connection, currency_iso),
    CONSTRAINT roll_forward_is_a_proof CHECK (
        opening + invoices - credit_notes - receipts + refunds + journals - write_offs - unexplained = closing)
);
COMMENT ON TABLE reconciliation.roll_forward IS 'Opening + invoices - credit notes - receipts + refunds + journals - write-offs - unexplained = closing, per day, connection and currency.';
COMMENT ON COLUMN reconciliation.roll_forward.unexplained IS 'What no allocation explains, dated that day; reconciliation.unexplained lists it.';
COMMENT ON COLUMN reconciliation.roll_forward.dated_ahead IS 'Part of the closing that comes from documents and allocations with a later date; only the day that was today when computed has any.';

CREATE TABLE reconciliation.unexplained (
    day date NOT NULL, connection text NOT NULL, kind text NOT NULL, source_id text NOT NULL, basis text NOT NULL,
    currency_iso text NOT NULL, amount numeric(38,6) NOT NULL,
    PRIMARY KEY (day, source_id, kind, basis, connection)
);
COMMENT ON TABLE reconciliation.unexplained IS 'The parts of the roll-forward that no allocation explains, document by document; they sum to its unexplained column.';
COMMENT ON COLUMN reconciliation.unexplained.basis IS 'Why on this day: date_paid, moved (the input in which the balance moved), first_seen (history_incomplete: dated at issue), currency (an allocation across currencies).';

CREATE TABLE reconciliation.unapplied_cash (
    connection text NOT NULL, kind text NOT NULL, source_id text NOT NULL, ref text,
    customer_source_id text NOT NULL, currency_iso text NOT NULL, date_issued date NOT NULL,
    amount numeric(20,6) NOT NULL, balance numeric(38,6) NOT NULL, age_days integer NOT NULL, bucket text NOT NULL,
    PRIMARY KEY (source_id, kind, connection)
);
COMMENT ON TABLE reconciliation.unapplied_cash IS 'Payments and credit notes with something left to apply, by age since their date.';

CREATE TABLE reconciliation.differences (
    break_id text PRIMARY KEY,
    connection text NOT NULL, kind text NOT NULL,
    left_kind text NOT NULL, left_source_id text NOT NULL, right_kind text NOT NULL, right_source_id text NOT NULL,
    customer_source_id text, currency_iso text, amount numeric(38,6), cause text,
    since timestamptz NOT NULL, evidence jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'accepted', 'resolved', 'reopened')),
    accepted_by text, why text, until date, accepted_amount numeric(38,6), accepted_at timestamptz,
    resolved_on date
);
CREATE INDEX differences_by_status ON reconciliation.differences (status, connection, kind);
COMMENT ON TABLE reconciliation.differences IS 'Every break of all results in one list, carried over between runs.';
COMMENT ON COLUMN reconciliation.differences.break_id IS 'Hash of kind, connection and both sides: the same break has the same id in every run.';
COMMENT ON COLUMN reconciliation.differences.since IS 'Version (time in the name) of the input in which the break arose; its age counts from there.';
COMMENT ON COLUMN reconciliation.differences.until IS 'Last day for which the acceptance holds; null: no end.';

CREATE TABLE reconciliation.difference_decisions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    break_id text NOT NULL,
    decision text NOT NULL CHECK (decision IN ('accept', 'reopen')),
    why text NOT NULL,
    decided_by text NOT NULL,
    until date,
    amount numeric(38,6),
    decided_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX difference_decisions_by_break ON reconciliation.difference_decisions (break_id, id);
COMMENT ON TABLE reconciliation.difference_decisions IS 'Who accepted or reopened which break, when and why; never changed.';
