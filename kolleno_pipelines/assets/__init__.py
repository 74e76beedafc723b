"""The Dagster graph in flow order: raw, sftp_csv, receivables, reconciliation, and their checks. No SQL, no rules."""
