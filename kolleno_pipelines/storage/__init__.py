"""PostgreSQL, the archive and the embedded server: SQL, transactions and bytes. No rules, no Dagster."""
