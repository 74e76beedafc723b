"""The `kolleno` command: reads arguments, calls one use case, prints what it says. No rule, no SQL, no Dagster."""
