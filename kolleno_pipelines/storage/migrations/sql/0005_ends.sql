-- Exchange rates as exact as they are stated, and allocations that count only while both their documents do.

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['invoices', 'credit_notes', 'payments', 'journals'] LOOP
        EXECUTE format('ALTER TABLE normalised.%I ALTER exchange_rate TYPE numeric(38,24)', t);
        EXECUTE format('ALTER TABLE receivables.%I ALTER exchange_rate TYPE numeric', t);
    END LOOP;
END $$;

CREATE OR REPLACE VIEW receivables.allocations_with_ends AS
SELECT a.connection, a.source_id, a.owner_kind, a.owner_source_id, a.from_kind, a.from_source_id, a.to_kind,
       a.to_source_id, a.amount, a.date_applied, a.removed_at, a.first_seen_at, a.observed_at, a.extra, a.origin,
       a.loaded_at, COALESCE(i.currency_iso, tj.currency_iso, r.currency_iso, p.currency_iso) AS currency_iso,
       COALESCE(a.removed_at IS NULL
                AND COALESCE(i.posting_status, tj.posting_status, r.posting_status,
                             CASE WHEN a.to_kind NOT IN ('invoice', 'journal', 'refund') THEN 'posted' END) = 'posted'
                AND COALESCE(p.posting_status, n.posting_status, fj.posting_status,
                             CASE WHEN a.from_kind NOT IN ('payment', 'overpayment', 'prepayment', 'credit_note', 'journal')
                                  THEN 'posted' END) = 'posted', false) AS is_live
FROM receivables.allocations a
LEFT JOIN receivables.invoices i
    ON a.to_kind = 'invoice' AND i.source_id = a.to_source_id AND i.connection = a.connection
LEFT JOIN receivables.journals tj
    ON a.to_kind = 'journal' AND tj.source_id = a.to_source_id AND tj.connection = a.connection
LEFT JOIN receivables.refunds_erp r
    ON a.to_kind = 'refund' AND r.source_id = a.to_source_id AND r.connection = a.connection
LEFT JOIN receivables.payments p
    ON a.from_kind IN ('payment', 'overpayment', 'prepayment') AND p.kind = a.from_kind
    AND p.source_id = a.from_source_id AND p.connection = a.connection
LEFT JOIN receivables.credit_notes n
    ON a.from_kind = 'credit_note' AND n.source_id = a.from_source_id AND n.connection = a.connection
LEFT JOIN receivables.journals fj
    ON a.from_kind = 'journal' AND fj.source_id = a.from_source_id AND fj.connection = a.connection;
