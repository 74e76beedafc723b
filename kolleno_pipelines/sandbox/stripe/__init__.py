"""A simulated Stripe: accounts whose history is known, served by the vendor's documentation, not by a client of it."""
