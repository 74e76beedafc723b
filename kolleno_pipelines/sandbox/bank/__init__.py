"""A simulated bank: accounts that receive the payouts of the sandbox Stripe, told in ISO 20022 files."""
