"""Use cases: each module tells one story over settings, storage, connectors and rules. No Dagster, no SQL text."""
