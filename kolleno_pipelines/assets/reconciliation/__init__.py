"""Assets of stage reconciliation: one answer each. The formulas are in `rules`."""
