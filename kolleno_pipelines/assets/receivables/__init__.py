"""Assets of stage receivables: one entity of one connection in our AR model. No result is computed here."""
