"""A simulated QuickBooks Online: its books, its query language, its API. What reads it does not belong here."""
