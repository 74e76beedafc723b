"""Stripe, a payment provider."""
